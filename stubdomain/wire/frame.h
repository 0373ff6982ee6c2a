// Frames as the core makes them, and where they go.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_FRAME_H_
#define STUBDOMAIN_WIRE_FRAME_H_

#include <cstdint>
#include <vector>

#include "stubdomain/stubdomain.h"
#include "wire/side.h"

namespace stubdomain {

// What virtio's header says of a frame: see the C API.
using Offload = sd_offload;

inline constexpr size_t kMaxFrame = SD_FRAME_MAX;

struct Frame {
  std::vector<uint8_t> bytes;
  Offload offload{};
};

// What the receiver of a frame can take.
struct FrameOptions {
  // TCP frames longer than the MTU (GSO) with a partial checksum.
  bool gso = false;

  friend bool operator==(const FrameOptions&, const FrameOptions&) = default;
};

// Takes the frames that the core makes. Emit() only queues: it must not call
// back into whatever emitted.
class Output {
 public:
  virtual ~Output() = default;

  // `port` is the number of the guest's NIC.
  virtual void Emit(unsigned port, Side to, Frame frame) = 0;
  virtual FrameOptions OptionsFor(unsigned port, Side to) const = 0;
  // Whether whoever has many frames to send should go on. If not, it is told
  // once it can. A frame that cannot wait is emitted nevertheless.
  virtual bool HasRoom(unsigned port, Side to) const = 0;
};

enum class Verdict {
  kPass,   // let the frame go on unchanged
  kTaken,  // it must not go on
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_FRAME_H_
