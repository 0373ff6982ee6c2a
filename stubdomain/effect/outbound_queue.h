// The frames that the core sends, until the glue takes them.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_EFFECT_OUTBOUND_QUEUE_H_
#define STUBDOMAIN_EFFECT_OUTBOUND_QUEUE_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

#include "wire/frame.h"
#include "wire/packet.h"

namespace stubdomain {

// Bounds of the frames that wait for one side of one NIC. From "busy" on the
// other frames of that side should not come in, and whoever has many frames has
// to stop until there is half of that. What is emitted beyond "max" is dropped,
// as a network drops, and TCP sends it again.
inline constexpr size_t kBusyFrames = 1024;
inline constexpr size_t kBusyBytes = size_t{4} << 20;
inline constexpr size_t kMaxFrames = 16 * kBusyFrames;
inline constexpr size_t kMaxBytes = 16 * kBusyBytes;
static_assert(kBusyBytes >= kMaxFrame);

// One queue for each side of each NIC, in order. Between the queues, turns are
// taken.
class OutboundQueue : public Output {
 public:
  struct Lane {
    unsigned port;
    Side to;
  };
  struct Item {
    Lane lane;
    Frame frame;
  };

  // -- Output --
  void Emit(unsigned port, Side to, Frame frame) override;
  FrameOptions OptionsFor(unsigned port, Side to) const override;
  // Not from when the lane becomes busy until it is reopened.
  bool HasRoom(unsigned port, Side to) const override;

  // A frame that someone else sent to `lane`. Only who was sent a TCP frame
  // with GSO is known to take one.
  void Observe(Lane lane, const Offload& offload);

  // Whether Next() has something. Frames to a stopped guest wait.
  bool deliverable(bool guest_stopped) const;
  std::optional<Item> Next(bool guest_stopped);
  // `item` was refused: it goes back to the front, and its lane is blocked.
  void Refused(Item item);
  void Unblock(Lane lane);
  bool busy(Lane lane) const;
  // Whether Reopen() has something.
  bool reopenable() const;
  // A lane that has room again, for whoever was stopped there.
  std::optional<Lane> Reopen();
  // Whether frames wait there.
  bool waiting(Lane lane) const;
  // Forgets the frames to the guest, and what it takes.
  void ClearGuest();

 private:
  struct Queue {
    std::deque<Frame> frames;
    size_t bytes = 0;
    bool blocked = false;
    bool gso = false;
    bool full = false;  // it was busy, and is not reopened

    bool busy() const {
      return frames.size() >= kBusyFrames || bytes >= kBusyBytes;
    }
    bool reopenable() const {
      return full && frames.size() <= kBusyFrames / 2 &&
             bytes <= kBusyBytes / 2;
    }
  };

  // The queues lie side by side, two for each port.
  static size_t IndexOf(Lane lane) {
    return 2 * size_t{lane.port} + (lane.to == Side::kPeer ? 1 : 0);
  }
  static Lane LaneAt(size_t index) {
    return {static_cast<unsigned>(index / 2),
            index % 2 == 1 ? Side::kPeer : Side::kGuest};
  }
  Queue& At(Lane lane);
  // Null: nothing was ever noted of it.
  const Queue* Find(Lane lane) const;
  bool CanDeliver(size_t index, bool guest_stopped) const;

  std::vector<Queue> queues_;
  size_t frames_ = 0;  // in all queues
  size_t full_ = 0;    // queues that are
  size_t last_ = 0;    // index of the queue that was served last
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_EFFECT_OUTBOUND_QUEUE_H_
