// How long replies take: learned by peer and by kind of request.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_POLICY_REPLY_TIMES_H_
#define STUBDOMAIN_POLICY_REPLY_TIMES_H_

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "wire/address.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// Peers and kinds of request that are remembered; beyond it, the one that was
// used longest ago is forgotten.
inline constexpr size_t kMaxLearned = 256;
// Fewer past replies than these say nothing.
inline constexpr uint32_t kLeastReplies = 4;
// At so many, all count half, so that what is new counts more.
inline constexpr uint32_t kMaxReplies = 64;

// A histogram whose steps are half an octave, from 1 ms to some hours.
class ReplyHistogram {
 public:
  void Add(Duration took);
  // A time that `percent` of those replies exceed that took longer than
  // `elapsed`, rounded down to a step. Nothing: they are fewer than
  // kLeastReplies.
  std::optional<Duration> ExceededBy(uint32_t percent, Duration elapsed) const;

  void Save(Writer& writer) const;
  bool Load(Reader& reader);

 private:
  static constexpr size_t kSteps = 48;

  std::array<uint16_t, kSteps> counts_{};
  uint32_t total_ = 0;
};

class ReplyTimes {
 public:
  struct Key {
    Endpoint peer;
    std::string request_class;  // as the wait message names it
    friend bool operator<(const Key& a, const Key& b);
  };

  void Note(const Key& key, Duration took);
  // See ReplyHistogram; nothing is known of most keys.
  std::optional<Duration> ExceededBy(const Key& key, uint32_t percent,
                                     Duration elapsed) const;
  size_t size() const { return entries_.size(); }

  void Save(Writer& writer) const;
  // False if what is read is beyond a bound.
  bool Load(Reader& reader);

 private:
  struct Entry {
    ReplyHistogram times;
    uint64_t used = 0;
  };

  void MakeRoom();

  std::map<Key, Entry> entries_;
  uint64_t uses_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_POLICY_REPLY_TIMES_H_
