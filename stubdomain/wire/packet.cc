// What a frame says: a strict, bounded parser that copies nothing.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/packet.h"

#include <algorithm>

#include "wire/checksum.h"
#include "wire/network_order.h"
#include "wire/protocol_numbers.h"

namespace stubdomain {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr size_t kEthernetHeader = 14;
constexpr size_t kVlanTag = 4;
constexpr size_t kIpv4Header = 20;
constexpr size_t kIpv6Header = 40;
constexpr size_t kUdpHeader = 8;
constexpr size_t kIcmpHeader = 4;
constexpr size_t kArpLength = 28;
constexpr size_t kNeighbourSolicitationLength = 24;
constexpr uint8_t kSourceLinkAddress = 1;

MacAddress MacAt(Bytes bytes, size_t at) {
  MacAddress mac;
  std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(at), 6, mac.bytes.begin());
  return mac;
}

Bytes TransportOf(const Packet& packet) {
  return packet.frame.subspan(packet.ip->transport_offset,
                              packet.ip->transport_length);
}

Malformed ParseTcp(Packet* packet) {
  const Bytes bytes = TransportOf(*packet);
  if (bytes.size() < kTcpHeader) return Malformed::kTransport;
  const size_t header = size_t{bytes[12]} >> 4 << 2;
  if (header < kTcpHeader || header > bytes.size()) {
    return Malformed::kTransport;
  }
  // In its place, so that it is not copied.
  TcpSegment& segment = packet->body.emplace<TcpSegment>();
  segment.source_port = Get16(bytes, 0);
  segment.destination_port = Get16(bytes, 2);
  segment.seq = Seq(Get32(bytes, 4));
  segment.ack = Seq(Get32(bytes, 8));
  segment.flags = bytes[13];
  segment.window = Get16(bytes, 14);
  segment.urgent = Get16(bytes, 18);
  if (!ParseTcpOptions(bytes.subspan(kTcpHeader, header - kTcpHeader),
                       &segment.options)) {
    packet->body.emplace<std::monostate>();
    return Malformed::kTransport;
  }
  segment.payload = bytes.subspan(header);
  return Malformed::kNo;
}

Malformed ParseUdp(Packet* packet) {
  const Bytes bytes = TransportOf(*packet);
  if (bytes.size() < kUdpHeader) return Malformed::kTransport;
  const size_t length = Get16(bytes, 4);
  if (length < kUdpHeader || length > bytes.size()) {
    return Malformed::kTransport;
  }
  packet->body = UdpDatagram{Get16(bytes, 0), Get16(bytes, 2),
                             bytes.subspan(kUdpHeader, length - kUdpHeader)};
  return Malformed::kNo;
}

// What an error quotes: an IP header and at least eight bytes behind it. An
// error about anything else than TCP and UDP is not looked into.
void ParseQuote(Bytes quote, size_t offset, IcmpWhy why, uint32_t mtu,
                Packet* packet) {
  const bool ipv6 = packet->ip->source.family() == Family::kIpv6;
  if (quote.size() < (ipv6 ? kIpv6Header : kIpv4Header) ||
      quote[0] >> 4 != (ipv6 ? 6 : 4)) {
    return;
  }
  IcmpError error{.why = why};
  const size_t header = ipv6 ? kIpv6Header : size_t{quote[0]} % 16 * 4;
  constexpr size_t kQuoted = 8;
  if (header < kIpv4Header || quote.size() < header + kQuoted) return;
  error.protocol = quote[ipv6 ? 6 : 9];
  if (error.protocol != kProtocolTcp && error.protocol != kProtocolUdp) return;
  error.source =
      ipv6 ? Address::Ipv6(quote.subspan(8)) : Address::Ipv4(quote.subspan(12));
  error.destination = ipv6 ? Address::Ipv6(quote.subspan(24))
                           : Address::Ipv4(quote.subspan(16));
  const Bytes transport = quote.subspan(header);
  error.source_port = Get16(transport, 0);
  error.destination_port = Get16(transport, 2);
  if (error.protocol == kProtocolTcp) error.seq = Seq(Get32(transport, 4));
  error.mtu = mtu;
  error.quote_offset = static_cast<uint16_t>(offset + header);
  packet->body = error;
}

IcmpWhy WhyOf(uint8_t type, uint8_t code) {
  if (type == kIcmpTimeExceeded) return IcmpWhy::kTimeExceeded;
  if (type == kIcmpParameterProblem) return IcmpWhy::kParameterProblem;
  if (code == kIcmpPortUnreachable) return IcmpWhy::kPortUnreachable;
  return code == kIcmpFragmentationNeeded ? IcmpWhy::kTooBig
                                          : IcmpWhy::kUnreachable;
}

IcmpWhy WhyOfIpv6(uint8_t type, uint8_t code) {
  if (type == kIcmpv6TimeExceeded) return IcmpWhy::kTimeExceeded;
  if (type == kIcmpv6ParameterProblem) return IcmpWhy::kParameterProblem;
  if (type == kIcmpv6TooBig) return IcmpWhy::kTooBig;
  return code == kIcmpv6PortUnreachable ? IcmpWhy::kPortUnreachable
                                        : IcmpWhy::kUnreachable;
}

Malformed ParseIcmp(Packet* packet) {
  const Bytes bytes = TransportOf(*packet);
  if (bytes.size() < kIcmpHeader + 4) return Malformed::kTransport;
  if (bytes[0] == kIcmpEchoRequest && bytes[1] == 0) {
    packet->body = EchoRequest{bytes.subspan(kIcmpHeader)};
  } else if (bytes[0] == kIcmpUnreachable || bytes[0] == kIcmpTimeExceeded ||
             bytes[0] == kIcmpParameterProblem) {
    const IcmpWhy why = WhyOf(bytes[0], bytes[1]);
    ParseQuote(bytes.subspan(kIcmpHeader + 4),
               packet->ip->transport_offset + kIcmpHeader + 4, why,
               why == IcmpWhy::kTooBig ? Get16(bytes, 6) : 0, packet);
  }
  return Malformed::kNo;
}

Malformed ParseNeighbourSolicitation(Packet* packet) {
  const Bytes bytes = TransportOf(*packet);
  if (bytes.size() < kNeighbourSolicitationLength || bytes[1] != 0 ||
      packet->ip->ttl != 255) {
    return Malformed::kTransport;
  }
  NeighbourSolicitation solicitation;
  solicitation.target = Address::Ipv6(bytes.subspan(8));
  if (solicitation.target.is_multicast()) return Malformed::kTransport;
  Bytes options = bytes.subspan(kNeighbourSolicitationLength);
  while (!options.empty()) {
    if (options.size() < 8) return Malformed::kTransport;
    const size_t length = size_t{options[1]} * 8;
    if (length == 0 || length > options.size()) return Malformed::kTransport;
    if (options[0] == kSourceLinkAddress && length == 8) {
      solicitation.source_mac = MacAt(options, 2);
    }
    options = options.subspan(length);
  }
  packet->body = solicitation;
  return Malformed::kNo;
}

Malformed ParseIcmpv6(Packet* packet) {
  const Bytes bytes = TransportOf(*packet);
  if (bytes.size() < kIcmpHeader + 4) return Malformed::kTransport;
  if (bytes[0] == kIcmpv6EchoRequest && bytes[1] == 0) {
    packet->body = EchoRequest{bytes.subspan(kIcmpHeader)};
  } else if (bytes[0] == kIcmpv6NeighbourSolicitation) {
    return ParseNeighbourSolicitation(packet);
  } else if (bytes[0] >= kIcmpv6Unreachable &&
             bytes[0] <= kIcmpv6ParameterProblem) {
    const IcmpWhy why = WhyOfIpv6(bytes[0], bytes[1]);
    ParseQuote(bytes.subspan(kIcmpHeader + 4),
               packet->ip->transport_offset + kIcmpHeader + 4, why,
               why == IcmpWhy::kTooBig ? Get32(bytes, 4) : 0, packet);
  }
  return Malformed::kNo;
}

Malformed ParseTransport(Packet* packet) {
  const bool ipv6 = packet->ip->source.family() == Family::kIpv6;
  switch (packet->ip->protocol) {
    case kProtocolTcp:
      return ParseTcp(packet);
    case kProtocolUdp:
      return ParseUdp(packet);
    case kProtocolIcmp:
      return ipv6 ? Malformed::kNo : ParseIcmp(packet);
    case kProtocolIcmpv6:
      return ipv6 ? ParseIcmpv6(packet) : Malformed::kNo;
    default:
      return Malformed::kNo;
  }
}

void ParseFragment(Fragment fragment, Bytes transport, Packet* packet) {
  if (fragment.first && fragment.protocol == kProtocolUdp &&
      transport.size() >= kUdpHeader) {
    fragment.source_port = Get16(transport, 0);
    fragment.destination_port = Get16(transport, 2);
  }
  packet->body = fragment;
}

Malformed ParseIpv4(size_t offset, Packet* packet) {
  const Bytes bytes = packet->frame.subspan(offset);
  if (bytes.size() < kIpv4Header || bytes[0] >> 4 != 4) return Malformed::kIp;
  const size_t header = size_t{bytes[0]} % 16 * 4;
  const size_t total = Get16(bytes, 2);
  if (header < kIpv4Header || total < header || total > bytes.size() ||
      Checksum().Add(bytes.first(header)).sum() != 0xffff) {
    return Malformed::kIp;
  }
  const uint16_t fragment = Get16(bytes, 6);
  constexpr uint16_t kMoreFragmentsOrOffset = 0x3fff;
  constexpr uint16_t kOffset = 0x1fff;
  if ((fragment & kMoreFragmentsOrOffset) != 0) {
    ParseFragment({.source = Address::Ipv4(bytes.subspan(12)),
                   .destination = Address::Ipv4(bytes.subspan(16)),
                   .protocol = bytes[9],
                   .first = (fragment & kOffset) == 0},
                  bytes.subspan(header, total - header), packet);
    return Malformed::kNo;
  }
  IpHeader& ip = packet->ip.emplace();
  ip.source = Address::Ipv4(bytes.subspan(12));
  ip.destination = Address::Ipv4(bytes.subspan(16));
  ip.protocol = bytes[9];
  ip.ttl = bytes[8];
  ip.ecn = bytes[1] & 3;
  ip.offset = static_cast<uint16_t>(offset);
  ip.transport_offset = static_cast<uint16_t>(offset + header);
  ip.transport_length = static_cast<uint32_t>(total - header);
  return ParseTransport(packet);
}

Malformed ParseIpv6(size_t offset, Packet* packet) {
  const Bytes frame = packet->frame.subspan(offset);
  if (frame.size() < kIpv6Header || frame[0] >> 4 != 6) return Malformed::kIp;
  const size_t total = kIpv6Header + Get16(frame, 4);
  if (total > frame.size()) return Malformed::kIp;
  const Bytes bytes = frame.first(total);
  uint8_t next = bytes[6];
  size_t at = kIpv6Header;
  for (int i = 0;; ++i) {
    if (next == kExtensionFragment) {
      constexpr size_t kFragmentHeader = 8;
      if (bytes.size() - at < kFragmentHeader) return Malformed::kIp;
      ParseFragment({.source = Address::Ipv6(bytes.subspan(8)),
                     .destination = Address::Ipv6(bytes.subspan(24)),
                     .protocol = bytes[at],
                     .first = Get16(bytes, at + 2) >> 3 == 0},
                    bytes.subspan(at + kFragmentHeader), packet);
      return Malformed::kNo;
    }
    const bool authentication = next == kExtensionAuthentication;
    if (!authentication && next != kExtensionHopByHop &&
        next != kExtensionRouting && next != kExtensionDestination) {
      break;
    }
    if (i == kMaxExtensionHeaders || bytes.size() - at < 8) {
      return Malformed::kIp;
    }
    // The authentication header counts in other units (RFC 4302, 2.2).
    const size_t length = authentication ? (size_t{bytes[at + 1]} + 2) * 4
                                         : (size_t{bytes[at + 1]} + 1) * 8;
    if (length > bytes.size() - at) return Malformed::kIp;
    next = bytes[at];
    at += length;
  }
  IpHeader& ip = packet->ip.emplace();
  ip.source = Address::Ipv6(bytes.subspan(8));
  ip.destination = Address::Ipv6(bytes.subspan(24));
  ip.protocol = next;
  ip.ttl = bytes[7];
  ip.ecn = bytes[1] >> 4 & 3;
  ip.offset = static_cast<uint16_t>(offset);
  ip.transport_offset = static_cast<uint16_t>(offset + at);
  ip.transport_length = static_cast<uint32_t>(total - at);
  return ParseTransport(packet);
}

Malformed ParseArp(size_t offset, Packet* packet) {
  const Bytes bytes = packet->frame.subspan(offset);
  if (bytes.size() < kArpLength) return Malformed::kTransport;
  constexpr uint16_t kEthernet = 1;
  if (Get16(bytes, 0) != kEthernet || Get16(bytes, 2) != kEtherIpv4 ||
      bytes[4] != 6 || bytes[5] != 4) {
    return Malformed::kTransport;
  }
  if (Get16(bytes, 6) == kArpRequest) {
    packet->body = ArpRequest{MacAt(bytes, 8), Address::Ipv4(bytes.subspan(14)),
                              Address::Ipv4(bytes.subspan(24))};
  }
  return Malformed::kNo;
}

}  // namespace

FlowId FlowToGuest(const Packet& packet) {
  if (const auto* error = std::get_if<IcmpError>(&packet.body)) {
    return {.guest = {error->source, error->source_port},
            .peer = {error->destination, error->destination_port}};
  }
  const auto ends = [](const auto& addresses, const auto& ports) {
    return FlowId{.guest = {addresses.destination, ports.destination_port},
                  .peer = {addresses.source, ports.source_port}};
  };
  if (const auto* fragment = std::get_if<Fragment>(&packet.body)) {
    return ends(*fragment, *fragment);
  }
  const TcpSegment* segment = packet.tcp();
  return segment != nullptr
             ? ends(*packet.ip, *segment)
             : ends(*packet.ip, std::get<UdpDatagram>(packet.body));
}

Malformed Parse(std::span<const uint8_t> frame, const Offload& offload,
                Packet* packet) {
  // Not all of it: every frame comes through here.
  packet->link.vlan.reset();
  packet->ether_type = 0;
  packet->ip.reset();
  packet->body.emplace<std::monostate>();
  packet->frame = frame;
  packet->offload = offload;
  if (frame.size() > kMaxFrame) return Malformed::kTooLong;
  if (frame.size() < kEthernetHeader) return Malformed::kEthernet;
  packet->link.destination = MacAt(frame, 0);
  packet->link.source = MacAt(frame, 6);
  packet->ether_type = Get16(frame, 12);
  size_t offset = kEthernetHeader;
  if (packet->ether_type == kEtherVlan) {
    if (frame.size() < kEthernetHeader + kVlanTag) return Malformed::kEthernet;
    packet->link.vlan = Get16(frame, 14);
    packet->ether_type = Get16(frame, 16);
    offset += kVlanTag;
  }
  switch (packet->ether_type) {
    case kEtherIpv4:
      return ParseIpv4(offset, packet);
    case kEtherIpv6:
      return ParseIpv6(offset, packet);
    case kEtherArp:
      return ParseArp(offset, packet);
    default:
      return Malformed::kNo;
  }
}

bool ChecksumOk(const Packet& packet) {
  if (!packet.ip || packet.offload.needs_csum || packet.offload.data_valid) {
    return true;
  }
  const Bytes bytes = TransportOf(packet);
  const IpHeader& ip = *packet.ip;
  Checksum checksum;
  switch (ip.protocol) {
    case kProtocolUdp:
      // RFC 768: not computed; only IPv4 allows that.
      if (bytes.size() >= kUdpHeader && Get16(bytes, 6) == 0) {
        return ip.source.family() == Family::kIpv4;
      }
      [[fallthrough]];
    case kProtocolTcp:
    case kProtocolIcmpv6:
      checksum.AddPseudoHeader(ip.source, ip.destination, ip.protocol,
                               ip.transport_length);
      [[fallthrough]];
    case kProtocolIcmp:
      return checksum.Add(bytes).sum() == 0xffff;
    default:
      return true;
  }
}

}  // namespace stubdomain
