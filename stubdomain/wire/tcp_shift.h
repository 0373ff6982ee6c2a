// Changing the numbers of a TCP segment where it lies.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_TCP_SHIFT_H_
#define STUBDOMAIN_WIRE_TCP_SHIFT_H_

#include <cstdint>

#include "wire/packet.h"

namespace stubdomain {

// What is added to the fields of a segment, modulo their width. All zero
// leaves it as it is.
struct TcpShift {
  uint32_t seq = 0;
  uint32_t ack = 0;          // of a segment with ACK; SACK blocks too
  uint32_t timestamp = 0;    // if it has timestamps
  uint32_t echo = 0;         // the same, of a segment with ACK
  uint16_t source_port = 0;  // modulo 2^16
  uint16_t destination_port = 0;
  // Bits by which the window is made larger (negative: smaller), to the width
  // of its field. Never of a SYN, whose window is not scaled.
  int window = 0;
};

// Changes `frame`, of which `packet` is the view and has a TCP body. The
// checksum is brought along by what changes (RFC 1624), so that it costs the
// same for any payload and a wrong one stays wrong; a partial one covers none
// of this. `packet` is of no use afterwards.
void ShiftTcp(const Packet& packet, const TcpShift& shift, Frame* frame);

// The same for the segment of the guest that an ICMP error quotes.
void ShiftQuote(const Packet& packet, uint32_t seq, uint16_t source_port,
                Frame* frame);

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_TCP_SHIFT_H_
