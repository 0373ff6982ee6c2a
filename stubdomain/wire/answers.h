// Answers that any host gives: ARP, neighbour solicitation, ping, and that a
// port is not there.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_ANSWERS_H_
#define STUBDOMAIN_WIRE_ANSWERS_H_

#include "wire/packet.h"

namespace stubdomain {

// Each answers in the name of the machine with address `mac`; the caller has
// checked that the question is for it. `packet` has the matching body.

Frame AnswerArp(const Packet& packet, const MacAddress& mac);
Frame AnswerNeighbourSolicitation(const Packet& packet, const MacAddress& mac);
Frame AnswerEcho(const Packet& packet, const MacAddress& mac);
// To a datagram: nobody is at its port.
Frame AnswerUnreachable(const Packet& packet, const MacAddress& mac);

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_ANSWERS_H_
