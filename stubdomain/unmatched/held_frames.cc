// Frames to a stopped guest.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "unmatched/held_frames.h"

#include <algorithm>
#include <utility>

#include "wire/saved_offload.h"

namespace stubdomain {

bool HeldFrames::HasSegment(unsigned port, const Packet& packet) const {
  return std::ranges::any_of(frames_, [&](const Held& held) {
    Packet other;
    Parse(held.frame.bytes, held.frame.offload, &other);
    return held.port == port && other.tcp() != nullptr &&
           FlowToGuest(other) == FlowToGuest(packet) &&
           other.tcp()->seq == packet.tcp()->seq &&
           other.tcp()->flags == packet.tcp()->flags;
  });
}

void HeldFrames::Hold(unsigned port, const Packet& packet) {
  if (packet.tcp() != nullptr && HasSegment(port, packet)) return;
  bytes_ += packet.frame.size();
  frames_.push_back(
      {port, {{packet.frame.begin(), packet.frame.end()}, packet.offload}});
  while (frames_.size() > kMaxHeldFrames || bytes_ > kMaxHeldBytes) {
    DropOldest();
  }
}

void HeldFrames::DropOldest() {
  bytes_ -= frames_.front().frame.bytes.size();
  frames_.pop_front();
}

void HeldFrames::PassOn(Output& output, const Change& change) {
  for (Held& held : frames_) {
    if (change) change(held.port, &held.frame);
    output.Emit(held.port, Side::kGuest, std::move(held.frame));
  }
  Clear();
}

void HeldFrames::Clear() {
  frames_.clear();
  bytes_ = 0;
}

void HeldFrames::Save(Writer& writer) const {
  writer.U32(static_cast<uint32_t>(frames_.size()));
  for (const Held& held : frames_) {
    writer.U32(held.port);
    SaveOffload(held.frame.offload, writer);
    writer.Bytes(held.frame.bytes);
  }
}

bool HeldFrames::Load(Reader& reader) {
  Clear();
  const uint32_t count = reader.U32();
  if (count > kMaxHeldFrames) return reader.Fail();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    Held held;
    held.port = reader.GetNic();
    held.frame.offload = LoadOffload(reader);
    const std::span<const uint8_t> bytes = reader.Bytes();
    Packet packet;
    if (Parse(bytes, held.frame.offload, &packet) != Malformed::kNo) {
      return reader.Fail();
    }
    held.frame.bytes.assign(bytes.begin(), bytes.end());
    bytes_ += bytes.size();
    frames_.push_back(std::move(held));
  }
  if (bytes_ > kMaxHeldBytes) return reader.Fail();
  return reader.ok();
}

}  // namespace stubdomain
