// How the numbers of one connection differ between its two sides.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/translation.h"

#include <cstdlib>
#include <utility>

#include "wire/tcp_options.h"

namespace stubdomain {
namespace {

uint16_t PortShift(uint16_t from, uint16_t to) {
  return static_cast<uint16_t>(to - from);
}

}  // namespace

TcpShift Translation::In(Side from, uint16_t seen_port) const {
  if (from == Side::kPeer) return {.seq = peer_seq};
  const uint16_t own_port = guest_port != 0 ? guest_port : seen_port;
  return {.seq = guest_seq,
          .timestamp = guest_clock,
          .source_port = PortShift(own_port, seen_port),
          .window = guest_window};
}

TcpShift Translation::Out(Side to, uint16_t seen_port) const {
  if (to == Side::kPeer) return {.ack = 0 - peer_seq};
  const uint16_t own_port = guest_port != 0 ? guest_port : seen_port;
  return {.ack = 0 - guest_seq,
          .echo = 0 - guest_clock,
          .destination_port = PortShift(seen_port, own_port),
          .window = peer_window};
}

void Translation::Save(Writer& writer) const {
  writer.U32(peer_seq);
  writer.U32(guest_seq);
  writer.U32(guest_clock);
  writer.U16(guest_port);
  writer.U8(static_cast<uint8_t>(guest_window));
  writer.U8(static_cast<uint8_t>(peer_window));
}

bool Translation::Load(Reader& reader) {
  peer_seq = reader.U32();
  guest_seq = reader.U32();
  guest_clock = reader.U32();
  guest_port = reader.U16();
  guest_window = static_cast<int8_t>(reader.U8());
  peer_window = static_cast<int8_t>(reader.U8());
  if (std::abs(guest_window) > kMaxWindowShift ||
      std::abs(peer_window) > kMaxWindowShift) {
    return reader.Fail();
  }
  return reader.ok();
}

void TranslatedOutput::Emit(unsigned port, Side to, Frame frame) {
  Packet packet;
  // What the flow emits is well formed.
  Parse(frame.bytes, frame.offload, &packet);
  ShiftTcp(packet, translation_.Out(to, seen_port_), &frame);
  output_.Emit(port, to, std::move(frame));
}

}  // namespace stubdomain
