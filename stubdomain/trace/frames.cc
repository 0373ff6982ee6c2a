// For tests: frames of other protocols than TCP.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "trace/frames.h"

#include <gtest/gtest.h>

#include <utility>

#include "wire/checksum.h"
#include "wire/headers.h"
#include "wire/network_order.h"
#include "wire/protocol_numbers.h"

namespace stubdomain {
namespace {

// Fills in the checksum at `at` of the transport layer behind the headers.
Frame Finish(std::vector<uint8_t> bytes, size_t checksum_at) {
  Packet packet;
  EXPECT_EQ(Parse(bytes, {}, &packet), Malformed::kNo);
  const IpHeader& ip = *packet.ip;
  Checksum checksum;
  if (ip.protocol != kProtocolIcmp) {
    checksum.AddPseudoHeader(ip.source, ip.destination, ip.protocol,
                             ip.transport_length);
  }
  const auto transport = std::span(bytes).subspan(ip.transport_offset);
  Set16(transport, checksum_at, checksum.Add(transport).complement());
  return {std::move(bytes), {}};
}

std::vector<uint8_t> Headers(const Link& link, const Address& source,
                             const Address& destination, uint8_t protocol,
                             uint8_t ttl, size_t length) {
  HeaderBytes bytes;
  const bool ipv6 = source.family() == Family::kIpv6;
  AppendEthernet(link, ipv6 ? kEtherIpv6 : kEtherIpv4, &bytes);
  AppendIp(source, destination, protocol, ttl, length, &bytes);
  return {bytes.all().begin(), bytes.all().end()};
}

Link Broadcast() {
  Link link = kLinkToGuest;
  link.destination.bytes.fill(0xff);
  return link;
}

// Type and code of an error.
std::pair<uint8_t, uint8_t> TypeOf(IcmpWhy why, bool ipv6) {
  switch (why) {
    case IcmpWhy::kUnreachable:
      return {ipv6 ? kIcmpv6Unreachable : kIcmpUnreachable, 0};
    case IcmpWhy::kPortUnreachable:
      if (ipv6) return {kIcmpv6Unreachable, kIcmpv6PortUnreachable};
      return {kIcmpUnreachable, kIcmpPortUnreachable};
    case IcmpWhy::kTooBig:
      if (ipv6) return {kIcmpv6TooBig, 0};
      return {kIcmpUnreachable, kIcmpFragmentationNeeded};
    case IcmpWhy::kTimeExceeded:
      return {ipv6 ? kIcmpv6TimeExceeded : kIcmpTimeExceeded, 0};
    case IcmpWhy::kParameterProblem:
      break;
  }
  return {ipv6 ? kIcmpv6ParameterProblem : kIcmpParameterProblem, 0};
}

}  // namespace

Frame UdpTo(const Link& link, const Endpoint& source,
            const Endpoint& destination, std::string_view payload) {
  const auto length = static_cast<uint16_t>(8 + payload.size());
  std::vector<uint8_t> bytes = Headers(
      link, source.address, destination.address, kProtocolUdp, 64, length);
  Append16(&bytes, source.port);
  Append16(&bytes, destination.port);
  Append16(&bytes, length);
  Append16(&bytes, 0);
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return Finish(std::move(bytes), 6);
}

Frame PingTo(const Link& link, const Address& source,
             const Address& destination) {
  const bool ipv6 = source.family() == Family::kIpv6;
  std::vector<uint8_t> bytes =
      Headers(link, source, destination, ipv6 ? kProtocolIcmpv6 : kProtocolIcmp,
              64, 12);
  bytes.push_back(ipv6 ? kIcmpv6EchoRequest : kIcmpEchoRequest);
  bytes.push_back(0);
  Append16(&bytes, 0);
  Append32(&bytes, 0x12340001);
  Append32(&bytes, 0xfeedface);
  return Finish(std::move(bytes), 2);
}

Frame ErrorAbout(const Frame& quoted, const Address& router, uint16_t mtu,
                 IcmpWhy why) {
  const Packet packet = Parsed(quoted);
  const IpHeader& ip = *packet.ip;
  const bool ipv6 = ip.source.family() == Family::kIpv6;
  const size_t length = size_t{ip.transport_offset} - ip.offset + 8;
  const auto quote = std::span(quoted.bytes).subspan(ip.offset, length);
  std::vector<uint8_t> bytes =
      Headers(kLinkToGuest, router, ip.source,
              ipv6 ? kProtocolIcmpv6 : kProtocolIcmp, 64, 8 + length);
  const auto [type, code] =
      mtu != 0 ? TypeOf(IcmpWhy::kTooBig, ipv6) : TypeOf(why, ipv6);
  bytes.push_back(type);
  bytes.push_back(code);
  Append16(&bytes, 0);
  Append32(&bytes, mtu);
  bytes.insert(bytes.end(), quote.begin(), quote.end());
  return Finish(std::move(bytes), 2);
}

std::vector<Frame> Fragmented(const Frame& datagram, size_t first) {
  const Packet packet = Parsed(datagram);
  const IpHeader& ip = *packet.ip;
  const auto transport = std::span(datagram.bytes)
                             .subspan(ip.transport_offset, ip.transport_length);
  constexpr uint16_t kMore = 0x2000;
  const auto piece = [&](std::span<const uint8_t> part, uint16_t flags) {
    std::vector<uint8_t> bytes = Headers(packet.link, ip.source, ip.destination,
                                         ip.protocol, 64, part.size());
    const auto header = std::span(bytes).subspan(ip.offset, 20);
    Set16(header, 6, flags);
    Set16(header, 10, 0);
    Set16(header, 10, Checksum().Add(header).complement());
    bytes.insert(bytes.end(), part.begin(), part.end());
    return Frame{std::move(bytes), {}};
  };
  return {piece(transport.first(first), kMore),
          piece(transport.subspan(first), static_cast<uint16_t>(first / 8))};
}

Frame ArpFor(const Address& target) {
  HeaderBytes bytes;
  AppendEthernet(Broadcast(), kEtherArp, &bytes);
  bytes.Append16(1);
  bytes.Append16(kEtherIpv4);
  bytes.Append16(0x0604);
  bytes.Append16(kArpRequest);
  bytes.Append(kPeerMac.bytes);
  bytes.Append(Ip("10.0.2.2").bytes());
  bytes.Append(MacAddress().bytes);
  bytes.Append(target.bytes());
  return {{bytes.all().begin(), bytes.all().end()}, {}};
}

Frame NeighbourSolicitationFor(const Address& target) {
  std::vector<uint8_t> bytes = Headers(Broadcast(), Ip("fe80::2"),
                                       Ip("ff02::1"), kProtocolIcmpv6, 255, 24);
  bytes.push_back(kIcmpv6NeighbourSolicitation);
  bytes.push_back(0);
  Append16(&bytes, 0);
  Append32(&bytes, 0);
  const auto address = target.bytes();
  bytes.insert(bytes.end(), address.begin(), address.end());
  return Finish(std::move(bytes), 2);
}

Packet Parsed(const Frame& frame) {
  Packet packet;
  EXPECT_EQ(Parse(frame.bytes, frame.offload, &packet), Malformed::kNo);
  return packet;
}

}  // namespace stubdomain
