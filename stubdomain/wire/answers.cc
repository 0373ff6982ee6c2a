// Answers that any host gives: ARP, neighbour solicitation, ping.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/answers.h"

#include "wire/checksum.h"
#include "wire/headers.h"
#include "wire/network_order.h"
#include "wire/protocol_numbers.h"

namespace stubdomain {
namespace {

void Append(std::span<const uint8_t> more, std::vector<uint8_t>* bytes) {
  bytes->insert(bytes->end(), more.begin(), more.end());
}

Link Back(const Link& link, const MacAddress& mac) {
  return {.destination = link.source, .source = mac, .vlan = link.vlan};
}

// Sets the checksum of the ICMP message that begins at `at`; ICMPv6's covers
// the pseudo header too.
void SetIcmpChecksum(const Address& source, const Address& destination,
                     size_t at, std::vector<uint8_t>* bytes) {
  const auto message = std::span(*bytes).subspan(at);
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
  Frame frame;
  auto* bytes = &frame.bytes;
  AppendEthernet(Back(packet.link, mac), kEtherArp, bytes);
  Append16(bytes, 1);
  Append16(bytes, kEtherIpv4);
  Append16(bytes, 0x0604);
  Append16(bytes, kArpReply);
  Append(mac.bytes, bytes);
  Append(request.target.bytes(), bytes);
  Append(request.sender_mac.bytes, bytes);
  Append(request.sender.bytes(), bytes);
  return frame;
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
  Frame frame;
  auto* bytes = &frame.bytes;
  AppendEthernet(link, kEtherIpv6, bytes);
  AppendIp(solicitation.target, destination, kProtocolIcmpv6, 255, kLength,
           bytes);
  const size_t message = bytes->size();
  bytes->push_back(kIcmpv6NeighbourAdvertisement);
  bytes->push_back(0);
  Append16(bytes, 0);
  Append32(bytes, (solicited ? kSolicited : 0) | kOverride);
  Append(solicitation.target.bytes(), bytes);
  bytes->push_back(kTargetLinkAddress);
  bytes->push_back(1);
  Append(mac.bytes, bytes);
  SetIcmpChecksum(solicitation.target, destination, message, bytes);
  return frame;
}

Frame AnswerEcho(const Packet& packet, const MacAddress& mac) {
  const auto& request = std::get<EchoRequest>(packet.body);
  const IpHeader& ip = *packet.ip;
  const bool ipv6 = ip.source.family() == Family::kIpv6;
  Frame frame;
  auto* bytes = &frame.bytes;
  AppendEthernet(Back(packet.link, mac), packet.ether_type, bytes);
  AppendIp(ip.destination, ip.source, ip.protocol, kTtl,
           4 + request.body.size(), bytes);
  const size_t message = bytes->size();
  bytes->push_back(ipv6 ? kIcmpv6EchoReply : kIcmpEchoReply);
  bytes->push_back(0);
  Append16(bytes, 0);
  Append(request.body, bytes);
  SetIcmpChecksum(ip.destination, ip.source, message, bytes);
  return frame;
}

}  // namespace stubdomain
