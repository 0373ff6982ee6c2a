// For tests: a TCP connection whose two ends the test plays by hand.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TRACE_TALK_H_
#define STUBDOMAIN_TRACE_TALK_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "wire/packet.h"

namespace stubdomain {

Address Ip(std::string_view text);

inline constexpr MacAddress kGuestMac{{0x52, 0x54, 0, 0, 0, 1}};
inline constexpr MacAddress kPeerMac{{0x52, 0x55, 0, 0, 0, 2}};
// From the peers' network to the guest.
inline constexpr Link kLinkToGuest{kGuestMac, kPeerMac, {}};

// What each end has sent, and has received from the other. No timestamps, no
// SACK; windows of 64 KiB, not scaled.
class Talk {
 public:
  static constexpr uint16_t kWindow = 65535;
  static constexpr uint16_t kMss = 1460;

  Talk(unsigned port, Endpoint guest, Endpoint peer);
  // 10.0.2.15:`guest_port` - 192.0.2.1:80, on NIC 0.
  explicit Talk(uint16_t guest_port = 40000);

  unsigned port() const { return port_; }
  const FlowId& id() const { return id_; }
  // Payload bytes.
  uint32_t sent(Side side) const { return end(side).sent; }
  uint32_t received(Side side) const { return end(side).received; }

  // What the peer sends is this, from its first byte on; not ByteAt(). No more
  // is sent than it has.
  void set_reply(std::string text) { reply_ = std::move(text); }
  // The same of what the peer gets from the guest.
  void set_request(std::string text) { request_ = std::move(text); }

  // Frames of `from`; what they carry counts as sent.
  Frame Syn(Side from);
  Frame SynAck(Side from);
  Frame Ack(Side from, uint16_t window = kWindow);
  Frame Data(Side from, uint32_t length);
  Frame Fin(Side from);
  Frame Rst(Side from);
  // A keep-alive probe: an acknowledgement with an old sequence number.
  Frame Probe(Side from);
  // What it sent before, again.
  Frame Resend(Side from, uint32_t position, uint32_t length) const;

  // The frame, which `to` gets, is of this connection and direction.
  bool Concerns(Side to, const Packet& packet) const;
  // `to` gets it: what is new and in order counts as received.
  void Receive(Side to, const TcpSegment& segment);
  // Payload bytes that `of` knows to be received by the other side.
  uint32_t acknowledged(Side of) const { return end(of).acknowledged; }
  // The payload byte of `from` at a position.
  uint8_t Byte(Side from, uint32_t position) const;
  // Payload position of a segment that `from` sends.
  uint32_t Position(Side from, Seq seq) const;
  // The other side's window, as `of` was told last.
  uint32_t window(Side of) const { return end(of).window; }

 private:
  struct End {
    Seq isn;
    uint32_t sent = 0;
    uint32_t received = 0;
    uint32_t acknowledged = 0;
    uint32_t window = kWindow;
    bool fin_sent = false;
    bool fin_received = false;
  };

  const End& end(Side side) const {
    return side == Side::kGuest ? guest_ : peer_;
  }
  End& end(Side side) { return side == Side::kGuest ? guest_ : peer_; }
  Frame Build(Side from, Seq seq, uint8_t flags, uint32_t position,
              uint32_t length, uint16_t window = kWindow) const;
  Seq Next(Side from) const;

  unsigned port_;
  FlowId id_;
  std::string reply_;
  std::string request_;
  End guest_{.isn = Seq(0xffffff00)};  // wraps soon
  End peer_{.isn = Seq(5000)};
};

// The payload byte at each position of what an end sends.
constexpr uint8_t ByteAt(uint64_t position) {
  return static_cast<uint8_t>((position * 2654435761u) >> 13);
}

}  // namespace stubdomain

#endif  // STUBDOMAIN_TRACE_TALK_H_
