// Why a packet of the guest could not be delivered.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_ICMP_WHY_H_
#define STUBDOMAIN_WIRE_ICMP_WHY_H_

#include <cstdint>

namespace stubdomain {

// As far as somebody makes a difference between the errors of ICMP and ICMPv6.
enum class IcmpWhy : uint8_t {
  kUnreachable,      // the peer, for whatever reason
  kPortUnreachable,  // nobody is at the peer's port
  kTooBig,           // a smaller packet may arrive
  kTimeExceeded,
  kParameterProblem,
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_ICMP_WHY_H_
