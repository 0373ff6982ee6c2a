// Building frames of TCP, and changing some fields of one.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_TCP_FRAME_H_
#define STUBDOMAIN_WIRE_TCP_FRAME_H_

#include <cstdint>
#include <span>

#include "wire/packet.h"

namespace stubdomain {

// Where a frame goes.
struct Route {
  Link link;
  Endpoint source;
  Endpoint destination;
};

// A segment to be built. With `gso_size` the frame is a GSO frame: `payload`
// may be longer than that, and the checksum is partial.
struct TcpFields {
  Seq seq;
  Seq ack;
  uint8_t flags = 0;
  uint16_t window = 0;  // as on the wire
  TcpOptions options;
  uint16_t urgent = 0;  // with kUrg
};

// Builds a frame whose payload of `payload_size` bytes is to be filled in
// through TcpFrame::payload() before TcpFrame::Finish(), so that a payload is
// copied once.
class TcpFrame {
 public:
  TcpFrame(const Route& route, const TcpFields& fields, size_t payload_size);

  std::span<uint8_t> payload();
  // A frame of at most the MTU, with its checksum in place.
  Frame Finish() &&;
  // A GSO frame of segments of `gso_size` bytes, with a partial checksum.
  Frame FinishGso(uint16_t gso_size) &&;

 private:
  size_t header_length() const { return frame_.bytes.size() - payload_size_; }

  Frame frame_;
  bool ipv6_;
  size_t payload_size_;
  size_t transport_offset_;
};

// What a forwarded segment is given in place of what it says.
struct TcpRewrite {
  Seq ack;
  uint16_t window = 0;
  uint32_t timestamp_echo = 0;  // written if it has timestamps
};

// A copy of the frame with these fields, without SACK blocks, with the right
// checksum. `packet` has a TCP body. A segment without the ACK flag keeps its
// acknowledgement field.
Frame RewriteTcp(const Packet& packet, const TcpRewrite& rewrite);

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_TCP_FRAME_H_
