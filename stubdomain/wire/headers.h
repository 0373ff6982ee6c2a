// The headers below the transport layer.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_HEADERS_H_
#define STUBDOMAIN_WIRE_HEADERS_H_

#include <cstdint>

#include "wire/header_bytes.h"
#include "wire/packet.h"

namespace stubdomain {

// Of the packets that the core makes.
inline constexpr uint8_t kTtl = 64;

void AppendEthernet(const Link& link, uint16_t ether_type, HeaderBytes* bytes);

// An IPv4 or IPv6 header, as the addresses say, of a packet with
// `transport_length` bytes behind it.
void AppendIp(const Address& source, const Address& destination,
              uint8_t protocol, uint8_t ttl, size_t transport_length,
              HeaderBytes* bytes);

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_HEADERS_H_
