// For tests: a TCP connection whose two ends the test plays by hand.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "trace/talk.h"

#include <arpa/inet.h>

#include <array>
#include <string>

#include "wire/tcp_frame.h"

namespace stubdomain {

Address Ip(std::string_view text) {
  const std::string terminated(text);
  std::array<uint8_t, 16> bytes{};
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) {
    return Address::Ipv6(bytes);
  }
  inet_pton(AF_INET, terminated.c_str(), bytes.data());
  return Address::Ipv4(bytes);
}

Talk::Talk(unsigned port, Endpoint guest, Endpoint peer)
    : port_(port), id_{guest, peer} {}

Talk::Talk(uint16_t guest_port)
    : Talk(0, {Ip("10.0.2.15"), guest_port}, {Ip("192.0.2.1"), 80}) {}

Seq Talk::Next(Side from) const {
  const End& sender = end(from);
  return sender.isn + 1 + sender.sent + (sender.fin_sent ? 1 : 0);
}

uint8_t Talk::Byte(Side from, uint32_t position) const {
  const std::string& text = from == Side::kGuest ? request_ : reply_;
  if (text.empty()) return ByteAt(position);
  return static_cast<uint8_t>(text.at(position));
}

Frame Talk::Build(Side from, Seq seq, uint8_t flags, uint32_t position,
                  uint32_t length, uint16_t window) const {
  const bool guest = from == Side::kGuest;
  const Link link{
      guest ? kPeerMac : kGuestMac, guest ? kGuestMac : kPeerMac, {}};
  const Route route{link, guest ? id_.guest : id_.peer,
                    guest ? id_.peer : id_.guest};
  TcpFields fields;
  fields.seq = seq;
  fields.flags = flags;
  fields.window = window;
  if ((flags & kSyn) != 0) fields.options.mss = kMss;
  if ((flags & kAck) != 0) {
    fields.ack = end(Other(from)).isn + 1 + end(from).received +
                 (end(from).fin_received ? 1 : 0);
  }
  TcpFrame frame(route, fields, length);
  for (uint32_t i = 0; i < length; ++i) {
    frame.payload()[i] = Byte(from, position + i);
  }
  return std::move(frame).Finish();
}

Frame Talk::Syn(Side from) { return Build(from, end(from).isn, kSyn, 0, 0); }

Frame Talk::SynAck(Side from) {
  return Build(from, end(from).isn, kSyn | kAck, 0, 0);
}

Frame Talk::Ack(Side from, uint16_t window) {
  return Build(from, Next(from), kAck, 0, 0, window);
}

Frame Talk::Data(Side from, uint32_t length) {
  Frame frame = Build(from, Next(from), kAck | kPsh, end(from).sent, length);
  end(from).sent += length;
  return frame;
}

Frame Talk::Resend(Side from, uint32_t position, uint32_t length) const {
  return Build(from, end(from).isn + 1 + position, kAck | kPsh, position,
               length);
}

Frame Talk::Fin(Side from) {
  Frame frame = Build(from, Next(from), kFin | kAck, 0, 0);
  end(from).fin_sent = true;
  return frame;
}

Frame Talk::Rst(Side from) {
  return Build(from, Next(from), kRst | kAck, 0, 0);
}

Frame Talk::Probe(Side from) { return Build(from, Next(from) - 1, kAck, 0, 0); }

bool Talk::Concerns(Side to, const Packet& packet) const {
  const TcpSegment* tcp = packet.tcp();
  if (tcp == nullptr) return false;
  const Endpoint source{packet.ip->source, tcp->source_port};
  const Endpoint destination{packet.ip->destination, tcp->destination_port};
  return to == Side::kGuest ? source == id_.peer && destination == id_.guest
                            : source == id_.guest && destination == id_.peer;
}

uint32_t Talk::Position(Side from, Seq seq) const {
  return static_cast<uint32_t>(seq - (end(from).isn + 1));
}

void Talk::Receive(Side to, const TcpSegment& segment) {
  End& receiver = end(to);
  if (segment.has(kSyn) || segment.has(kRst)) return;
  if (segment.has(kAck)) {
    receiver.acknowledged = Position(to, segment.ack);
    receiver.window = segment.window;
  }
  const Seq expected = end(Other(to)).isn + 1 + receiver.received;
  const Seq data_end =
      segment.seq + static_cast<uint32_t>(segment.payload.size());
  if (segment.seq > expected) return;
  if (data_end > expected) {
    receiver.received += static_cast<uint32_t>(data_end - expected);
  }
  if (segment.has(kFin)) receiver.fin_received = true;
}

}  // namespace stubdomain
