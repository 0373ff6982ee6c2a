// One direction of a bad wire.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_ENGINE_PROXY_LINK_H_
#define STUBDOMAIN_ENGINE_PROXY_LINK_H_

#include <cstdint>
#include <map>
#include <optional>
#include <random>

#include "owned_frame.h"

namespace stubdomain {

// Probabilities, for each frame.
struct Faults {
  double drop = 0;
  double duplicate = 0;
  double reorder = 0;
};

class Link {
 public:
  // Frames beyond this are dropped, as by a switch.
  static constexpr size_t kMaxFrames = 4096;

  Link(const Faults& faults, uint32_t seed) : faults_(faults), random_(seed) {}

  void Put(OwnedFrame frame, uint64_t now);
  // As long as it is cut, nothing gets in.
  void set_cut(bool cut) { cut_ = cut; }
  // When the next frame comes out; SD_NEVER: none is in.
  uint64_t due() const {
    return frames_.empty() ? SD_NEVER : frames_.begin()->first;
  }
  // Nothing: none is due.
  std::optional<OwnedFrame> Take(uint64_t now);

 private:
  bool Happens(double probability);

  Faults faults_;
  bool cut_ = false;
  std::mt19937 random_;
  // By when they come out; those of the same time in order.
  std::multimap<uint64_t, OwnedFrame> frames_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_ENGINE_PROXY_LINK_H_
