// What a VM gave back, so that its owner can be credited.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_POLICY_METER_H_
#define STUBDOMAIN_POLICY_METER_H_

#include <cstdint>

#include "stubdomain/stubdomain.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// Adds up the time in each depth: idle, which is with the vCPUs stopped, and
// evicted, which is with the memory given back too.
class Meter {
 public:
  void OnStopped(Time now) { Enter(Depth::kIdle, now); }
  // So many bytes were given back.
  void OnEvicted(uint64_t bytes, Time now);
  void OnRunning(Time now) { Enter(Depth::kRunning, now); }

  sd_given_back Read(Time now) const;

  void Save(Writer& writer, Time now) const;
  // What was suspended when it was saved goes on from `now`.
  bool Load(Reader& reader, Time now);

 private:
  enum class Depth : uint8_t { kRunning, kIdle, kEvicted };

  void Enter(Depth depth, Time now);

  Depth depth_ = Depth::kRunning;
  Time since_{};
  uint64_t bytes_ = 0;
  sd_given_back before_{};  // up to since_
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_POLICY_METER_H_
