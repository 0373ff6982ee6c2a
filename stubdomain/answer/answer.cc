// Answering in the name of a stopped guest.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "answer/answer.h"

#include "wire/answers.h"

namespace stubdomain {

std::optional<Frame> AnswerFor(const OwnAddresses& own, unsigned port,
                               const Packet& packet) {
  if (const auto* arp = std::get_if<ArpRequest>(&packet.body)) {
    if (const MacAddress* mac = own.Find(port, packet.link, arp->target)) {
      return AnswerArp(packet, *mac);
    }
  } else if (const auto* neighbour =
                 std::get_if<NeighbourSolicitation>(&packet.body)) {
    const MacAddress* mac = own.Find(port, packet.link, neighbour->target);
    if (mac != nullptr && ChecksumOk(packet)) {
      return AnswerNeighbourSolicitation(packet, *mac);
    }
  } else if (std::holds_alternative<EchoRequest>(packet.body)) {
    const MacAddress* mac = own.Find(port, packet.link, packet.ip->destination);
    // A ping to a broadcast address gets no answer (RFC 1122, 3.2.2.6).
    if (mac != nullptr && *mac == packet.link.destination &&
        !packet.ip->source.is_multicast() && ChecksumOk(packet)) {
      return AnswerEcho(packet, *mac);
    }
  }
  return std::nullopt;
}

}  // namespace stubdomain
