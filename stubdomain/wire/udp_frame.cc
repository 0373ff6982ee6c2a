// Building frames of UDP.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/udp_frame.h"

#include "wire/checksum.h"
#include "wire/headers.h"
#include "wire/network_order.h"
#include "wire/protocol_numbers.h"

namespace stubdomain {

Frame UdpFrame(const Route& route, std::span<const uint8_t> payload) {
  constexpr size_t kHeader = 8;
  const Address& source = route.source.address;
  const Address& destination = route.destination.address;
  const bool ipv6 = source.family() == Family::kIpv6;
  const size_t length = kHeader + payload.size();
  HeaderBytes bytes;
  AppendEthernet(route.link, ipv6 ? kEtherIpv6 : kEtherIpv4, &bytes);
  AppendIp(source, destination, kProtocolUdp, kTtl, length, &bytes);
  const size_t begin = bytes.size();
  bytes.Append16(route.source.port);
  bytes.Append16(route.destination.port);
  bytes.Append16(static_cast<uint16_t>(length));
  bytes.Append16(0);
  Frame frame;
  frame.bytes.assign(bytes.all().begin(), bytes.all().end());
  frame.bytes.insert(frame.bytes.end(), payload.begin(), payload.end());
  const auto datagram = std::span(frame.bytes).subspan(begin);
  Checksum checksum;
  checksum.AddPseudoHeader(source, destination, kProtocolUdp,
                           static_cast<uint32_t>(length));
  const uint16_t sum = checksum.Add(datagram).complement();
  // Zero would mean that there is none (RFC 768).
  Set16(datagram, 6, sum == 0 ? 0xffff : sum);
  return frame;
}

}  // namespace stubdomain
