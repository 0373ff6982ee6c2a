// What came for a stopped guest, in words.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "unmatched/description.h"

#include <arpa/inet.h>

namespace stubdomain {
namespace {

std::string Text(const Address& address) {
  const bool ipv6 = address.family() == Family::kIpv6;
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(ipv6 ? AF_INET6 : AF_INET, address.bytes().data(), text,
            sizeof(text));
  return ipv6 ? "[" + std::string(text) + "]" : text;
}

std::string Text(const Address& address, uint16_t port) {
  return Text(address) + ":" + std::to_string(port);
}

std::string Kind(const TcpSegment& segment) {
  if (segment.has(kSyn)) {
    return segment.has(kAck) ? "TCP connection answer"
                             : "TCP connection attempt";
  }
  if (segment.has(kRst)) return "TCP reset";
  if (!segment.payload.empty()) return "TCP data";
  return segment.has(kFin) ? "TCP close" : "TCP segment";
}

}  // namespace

std::string Describe(const Packet& packet) {
  if (const auto* fragment = std::get_if<Fragment>(&packet.body)) {
    return "IP fragment from " + Text(fragment->source) + " to " +
           Text(fragment->destination);
  }
  std::string kind = "UDP datagram";
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  if (const TcpSegment* tcp = packet.tcp()) {
    kind = Kind(*tcp);
    source_port = tcp->source_port;
    destination_port = tcp->destination_port;
  } else if (const auto* udp = std::get_if<UdpDatagram>(&packet.body)) {
    source_port = udp->source_port;
    destination_port = udp->destination_port;
  }
  return kind + " from " + Text(packet.ip->source, source_port) + " to " +
         Text(packet.ip->destination, destination_port);
}

}  // namespace stubdomain
