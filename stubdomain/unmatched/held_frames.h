// Frames to a stopped guest that nobody can answer for it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_UNMATCHED_HELD_FRAMES_H_
#define STUBDOMAIN_UNMATCHED_HELD_FRAMES_H_

#include <cstddef>
#include <deque>
#include <functional>

#include "wire/frame.h"
#include "wire/packet.h"
#include "wire/serial.h"

namespace stubdomain {

// Bounds for all NICs together. Beyond them the oldest frame is dropped.
inline constexpr size_t kMaxHeldFrames = 64;
inline constexpr size_t kMaxHeldBytes = size_t{256} << 10;
static_assert(kMaxHeldBytes >= kMaxFrame);

// Keeps frames, in order, until the guest runs again.
class HeldFrames {
 public:
  // A TCP segment that is held already counts as sent again, and is not held
  // twice.
  void Hold(unsigned port, const Packet& packet);
  // Emits all to the guest, each after `change`; none is held afterwards.
  using Change = std::function<void(unsigned port, Frame* frame)>;
  void PassOn(Output& output, const Change& change = {});
  void Clear();

  size_t size() const { return frames_.size(); }

  void Save(Writer& writer) const;
  // False if what is read contradicts itself or the bounds.
  bool Load(Reader& reader);

 private:
  struct Held {
    unsigned port;
    Frame frame;
  };

  bool HasSegment(unsigned port, const Packet& packet) const;
  void DropOldest();

  std::deque<Held> frames_;
  size_t bytes_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_UNMATCHED_HELD_FRAMES_H_
