// Answers that any host gives: ARP, neighbour solicitation, ping, and that a
// port is not there.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/answers.h"

#include <algorithm>

#include "wire/checksum.h"
#include "wire/headers.h"
#include "wire/network_order.h"
#include "wire/protocol_numbers.h"

namespace stubdomain {
namespace {

std::vector<uint8_t> Copy(std::span<const uint8_t> bytes) {
  return {bytes.begin(), bytes.end()};
}

Link Back(const Link& link, const MacAddress& mac) {
  return {.destination = link.source, .source = mac, .vlan = link.vlan};
}

// Sets the checksum of an ICMP message; ICMPv6's covers the pseudo header too.
void SetIcmpChecksum(const Address& source, const Address& destination,
                     std::span<uint8_t> message) {
  Checksum checksum;
  if (source.family() == Family::kIpv6) {
    checksum.AddPseudoHeader(source, destination, kProtocolIcmpv6,
                             static_cast<uint32_t>(message.size()));
  }
  Set16(message, 2, checksum.Add(message).complement());
}

}  // namespace

Frame AnswerArp(const Packet& packet, const MacAddress& mac) {
  const auto& request = std::get<ArpRequest>(packet.body);
  HeaderBytes bytes;
  AppendEthernet(Back(packet.link, mac), kEtherArp, &bytes);
  bytes.Append16(1);
  bytes.Append16(kEtherIpv4);
  bytes.Append16(0x0604);
  bytes.Append16(kArpReply);
  bytes.Append(mac.bytes);
  bytes.Append(request.target.bytes());
  bytes.Append(request.sender_mac.bytes);
  bytes.Append(request.sender.bytes());
  return {Copy(bytes.all())};
}

Frame AnswerNeighbourSolicitation(const Packet& packet, const MacAddress& mac) {
  const auto& solicitation = std::get<NeighbourSolicitation>(packet.body);
  // Whoever asks without an address of its own is checking for duplicates; the
  // answer goes to all nodes then (RFC 4861, 7.2.4).
  static constexpr uint8_t kAllNodes[16] = {0xff, 0x02, 0, 0, 0, 0, 0, 0,
                                            0,    0,    0, 0, 0, 0, 0, 1};
  static constexpr MacAddress kAllNodesMac{{0x33, 0x33, 0, 0, 0, 1}};
  const bool solicited =
      packet.ip->source != Address::Ipv6(std::array<uint8_t, 16>{});
  const Address destination =
      solicited ? packet.ip->source : Address::Ipv6(kAllNodes);
  Link link = Back(packet.link, mac);
  if (!solicited) {
    link.destination = kAllNodesMac;
  } else if (solicitation.source_mac) {
    link.destination = *solicitation.source_mac;
  }

  constexpr size_t kLength = 32;
  constexpr uint32_t kSolicited = 0x40000000;
  constexpr uint32_t kOverride = 0x20000000;
  constexpr uint8_t kTargetLinkAddress = 2;
  HeaderBytes bytes;
  AppendEthernet(link, kEtherIpv6, &bytes);
  AppendIp(solicitation.target, destination, kProtocolIcmpv6, 255, kLength,
           &bytes);
  const size_t message = bytes.size();
  bytes.Append8(kIcmpv6NeighbourAdvertisement);
  bytes.Append8(0);
  bytes.Append16(0);
  bytes.Append32((solicited ? kSolicited : 0) | kOverride);
  bytes.Append(solicitation.target.bytes());
  bytes.Append8(kTargetLinkAddress);
  bytes.Append8(1);
  bytes.Append(mac.bytes);
  SetIcmpChecksum(solicitation.target, destination,
                  bytes.all().subspan(message));
  return {Copy(bytes.all())};
}

Frame AnswerEcho(const Packet& packet, const MacAddress& mac) {
  const auto& request = std::get<EchoRequest>(packet.body);
  const IpHeader& ip = *packet.ip;
  const bool ipv6 = ip.source.family() == Family::kIpv6;
  HeaderBytes bytes;
  AppendEthernet(Back(packet.link, mac), packet.ether_type, &bytes);
  AppendIp(ip.destination, ip.source, ip.protocol, kTtl,
           4 + request.body.size(), &bytes);
  const size_t message = bytes.size();
  bytes.Append8(ipv6 ? kIcmpv6EchoReply : kIcmpEchoReply);
  bytes.Append8(0);
  bytes.Append16(0);
  Frame frame{Copy(bytes.all())};
  frame.bytes.insert(frame.bytes.end(), request.body.begin(),
                     request.body.end());
  SetIcmpChecksum(ip.destination, ip.source,
                  std::span(frame.bytes).subspan(message));
  return frame;
}

Frame AnswerUnreachable(const Packet& packet, const MacAddress& mac) {
  // Enough for any host to find out what it is about, and no more than fits
  // into the smallest packet that must get through (RFC 1122, 3.2.2).
  constexpr size_t kQuoted = 512;
  constexpr size_t kHeader = 8;
  const IpHeader& ip = *packet.ip;
  const bool ipv6 = ip.source.family() == Family::kIpv6;
  const size_t end = ip.transport_offset + ip.transport_length;
  const auto quote = packet.frame.subspan(
      ip.offset, std::min<size_t>(end - ip.offset, kQuoted));
  HeaderBytes bytes;
  AppendEthernet(Back(packet.link, mac), packet.ether_type, &bytes);
  AppendIp(ip.destination, ip.source, ipv6 ? kProtocolIcmpv6 : kProtocolIcmp,
           kTtl, kHeader + quote.size(), &bytes);
  const size_t message = bytes.size();
  bytes.Append8(ipv6 ? kIcmpv6Unreachable : kIcmpUnreachable);
  bytes.Append8(ipv6 ? kIcmpv6PortUnreachable : kIcmpPortUnreachable);
  bytes.Append16(0);
  bytes.Append32(0);
  Frame frame{Copy(bytes.all())};
  frame.bytes.insert(frame.bytes.end(), quote.begin(), quote.end());
  SetIcmpChecksum(ip.destination, ip.source,
                  std::span(frame.bytes).subspan(message));
  return frame;
}

}  // namespace stubdomain
