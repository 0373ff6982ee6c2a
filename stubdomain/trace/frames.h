// For tests: frames of other protocols than TCP.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TRACE_FRAMES_H_
#define STUBDOMAIN_TRACE_FRAMES_H_

#include <string_view>

#include "trace/talk.h"
#include "wire/packet.h"

namespace stubdomain {

// A datagram.
Frame UdpTo(const Link& link, const Endpoint& source,
            const Endpoint& destination, std::string_view payload = {});
// An echo request, ICMP or ICMPv6.
Frame PingTo(const Link& link, const Address& source,
             const Address& destination);
// An ICMP or ICMPv6 error of `router` that quotes the beginning of `quoted`,
// which the guest sent: for that reason, or with an `mtu`, too big.
Frame ErrorAbout(const Frame& quoted, const Address& router, uint16_t mtu = 0,
                 IcmpWhy why = IcmpWhy::kPortUnreachable);
// The pieces of a datagram like UdpTo()'s with a payload, of which the first
// has `first` bytes of transport header and payload; IPv4.
std::vector<Frame> Fragmented(const Frame& datagram, size_t first);
// From 10.0.2.2, to everyone.
Frame ArpFor(const Address& target);
// From fe80::2, to everyone.
Frame NeighbourSolicitationFor(const Address& target);

// The view of a frame; it is well formed.
Packet Parsed(const Frame& frame);

}  // namespace stubdomain

#endif  // STUBDOMAIN_TRACE_FRAMES_H_
