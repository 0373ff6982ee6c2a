// The headers below the transport layer, appended to a frame.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/headers.h"

#include "wire/checksum.h"
#include "wire/network_order.h"
#include "wire/protocol_numbers.h"

namespace stubdomain {
namespace {

void Append(std::span<const uint8_t> more, std::vector<uint8_t>* bytes) {
  bytes->insert(bytes->end(), more.begin(), more.end());
}

}  // namespace

void AppendEthernet(const Link& link, uint16_t ether_type,
                    std::vector<uint8_t>* bytes) {
  Append(link.destination.bytes, bytes);
  Append(link.source.bytes, bytes);
  if (link.vlan) {
    Append16(bytes, kEtherVlan);
    Append16(bytes, *link.vlan);
  }
  Append16(bytes, ether_type);
}

void AppendIp(const Address& source, const Address& destination,
              uint8_t protocol, uint8_t ttl, size_t transport_length,
              std::vector<uint8_t>* bytes) {
  if (source.family() == Family::kIpv6) {
    Append32(bytes, 6u << 28);
    Append16(bytes, static_cast<uint16_t>(transport_length));
    bytes->push_back(protocol);
    bytes->push_back(ttl);
    Append(source.bytes(), bytes);
    Append(destination.bytes(), bytes);
    return;
  }
  constexpr size_t kHeader = 20;
  constexpr uint16_t kDontFragment = 0x4000;
  const size_t begin = bytes->size();
  Append16(bytes, 0x4500);
  Append16(bytes, static_cast<uint16_t>(kHeader + transport_length));
  // The identification is 0: it means nothing in a packet that must not be
  // fragmented (RFC 6864, 4.1).
  Append16(bytes, 0);
  Append16(bytes, kDontFragment);
  bytes->push_back(ttl);
  bytes->push_back(protocol);
  Append16(bytes, 0);
  Append(source.bytes(), bytes);
  Append(destination.bytes(), bytes);
  const std::span<uint8_t> header(bytes->data() + begin, kHeader);
  Set16(header, 10, Checksum().Add(header).complement());
}

}  // namespace stubdomain
