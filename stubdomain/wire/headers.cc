// The headers below the transport layer.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/headers.h"

#include "wire/checksum.h"
#include "wire/network_order.h"
#include "wire/protocol_numbers.h"

namespace stubdomain {
void AppendEthernet(const Link& link, uint16_t ether_type, HeaderBytes* bytes) {
  bytes->Append(link.destination.bytes);
  bytes->Append(link.source.bytes);
  if (link.vlan) {
    bytes->Append16(kEtherVlan);
    bytes->Append16(*link.vlan);
  }
  bytes->Append16(ether_type);
}

void AppendIp(const Address& source, const Address& destination,
              uint8_t protocol, uint8_t ttl, size_t transport_length,
              HeaderBytes* bytes) {
  if (source.family() == Family::kIpv6) {
    bytes->Append32(6u << 28);
    bytes->Append16(static_cast<uint16_t>(transport_length));
    bytes->Append8(protocol);
    bytes->Append8(ttl);
    bytes->Append(source.bytes());
    bytes->Append(destination.bytes());
    return;
  }
  constexpr size_t kHeader = 20;
  constexpr uint16_t kDontFragment = 0x4000;
  const size_t begin = bytes->size();
  bytes->Append16(0x4500);
  bytes->Append16(static_cast<uint16_t>(kHeader + transport_length));
  // The identification is 0: it means nothing in a packet that must not be
  // fragmented (RFC 6864, 4.1).
  bytes->Append16(0);
  bytes->Append16(kDontFragment);
  bytes->Append8(ttl);
  bytes->Append8(protocol);
  bytes->Append16(0);
  bytes->Append(source.bytes());
  bytes->Append(destination.bytes());
  const auto header = bytes->all().subspan(begin);
  Set16(header, 10, Checksum().Add(header).complement());
}

}  // namespace stubdomain
