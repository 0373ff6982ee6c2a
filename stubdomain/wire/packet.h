// What a frame says: a strict, bounded parser that copies nothing.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_PACKET_H_
#define STUBDOMAIN_WIRE_PACKET_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <variant>

#include "wire/address.h"
#include "wire/frame.h"
#include "wire/icmp_why.h"
#include "wire/seq.h"
#include "wire/tcp_options.h"

namespace stubdomain {

// IPv6 extension headers that are skipped; a packet with more is not looked
// into.
inline constexpr int kMaxExtensionHeaders = 8;

// The Ethernet header. At most one 802.1Q tag is understood, and kept.
struct Link {
  MacAddress destination;
  MacAddress source;
  std::optional<uint16_t> vlan;  // the tag's control information

  friend bool operator==(const Link&, const Link&) = default;
};

// The header of an IPv4 or IPv6 packet that is not a fragment.
struct IpHeader {
  Address source;
  Address destination;
  uint8_t protocol = 0;  // of the transport layer, behind IPv6's extensions
  uint8_t ttl = 0;
  uint8_t ecn = 0;                // RFC 3168, 5
  uint16_t offset = 0;            // of the IP header in the frame
  uint16_t transport_offset = 0;  // of the transport header in the frame
  uint32_t transport_length = 0;  // of the transport header and payload
};

// IpHeader::ecn of a packet that met congestion.
inline constexpr uint8_t kCongestionExperienced = 3;

enum TcpFlag : uint8_t {
  kFin = 0x01,
  kSyn = 0x02,
  kRst = 0x04,
  kPsh = 0x08,
  kAck = 0x10,
  kUrg = 0x20,
  kEce = 0x40,
  kCwr = 0x80,
};

struct TcpSegment {
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  Seq seq;
  Seq ack;
  uint8_t flags = 0;
  uint16_t window = 0;  // as on the wire, not scaled
  uint16_t urgent = 0;  // with kUrg: from seq to the end of what is urgent
  TcpOptions options;
  std::span<const uint8_t> payload;  // of a GSO frame: all of it

  bool has(TcpFlag flag) const { return (flags & flag) != 0; }
  // Sequence numbers that it takes: payload, SYN and FIN.
  uint32_t length() const {
    return static_cast<uint32_t>(payload.size()) + (has(kSyn) ? 1 : 0) +
           (has(kFin) ? 1 : 0);
  }
  Seq end() const { return seq + length(); }
};

struct UdpDatagram {
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  std::span<const uint8_t> payload;
};

// An ICMP or ICMPv6 echo request.
struct EchoRequest {
  std::span<const uint8_t> body;  // identifier, sequence number and data
};

// An ARP request for an IPv4 address over Ethernet.
struct ArpRequest {
  MacAddress sender_mac;
  Address sender;
  Address target;
};

// An ICMPv6 neighbour solicitation (RFC 4861, 4.3), checked as 7.1.1 demands.
struct NeighbourSolicitation {
  Address target;
  std::optional<MacAddress> source_mac;  // absent: duplicate detection
};

// An ICMP or ICMPv6 message that a packet of the guest could not be delivered.
// It quotes the beginning of that packet, whose sender is the guest.
struct IcmpError {
  Address source;
  Address destination;
  IcmpWhy why = IcmpWhy::kUnreachable;
  uint8_t protocol = 0;  // TCP or UDP
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  Seq seq;  // of a TCP segment
  // The largest packet that can be; 0: it is not about that (RFC 1191, RFC
  // 8201).
  uint32_t mtu = 0;
  uint16_t quote_offset = 0;  // of the quoted TCP or UDP header in the frame
};

// A piece of an IP packet.
struct Fragment {
  Address source;
  Address destination;
  uint8_t protocol = 0;
  bool first = false;
  // Of the first one of a UDP datagram.
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
};

// A view of a frame: valid as long as the frame's bytes are.
struct Packet {
  std::span<const uint8_t> frame;
  Offload offload{};
  Link link;
  uint16_t ether_type = 0;     // behind the VLAN tag
  std::optional<IpHeader> ip;  // absent: not IP, or a fragment
  // monostate: something else, which the core has no business with.
  std::variant<std::monostate, TcpSegment, UdpDatagram, EchoRequest, ArpRequest,
               NeighbourSolicitation, IcmpError, Fragment>
      body;

  const TcpSegment* tcp() const { return std::get_if<TcpSegment>(&body); }
};

// Both ends of what goes to the guest, or of what it is about. `packet` has a
// TCP or UDP body, or is an ICMP error or the first fragment of a datagram.
FlowId FlowToGuest(const Packet& packet);

// Why a frame is not looked into.
enum class Malformed {
  kNo,
  kTooLong,    // longer than kMaxFrame
  kEthernet,   // shorter than its header
  kIp,         // lengths, version or header checksum contradict each other
  kTransport,  // the same of TCP, UDP, ICMP or ARP
};

// Reads a frame. `packet` is filled as far as the frame is well formed: a
// malformed transport header leaves `body` empty, and so on. TCP checksums are
// not verified here, since that reads the payload: see ChecksumOk().
Malformed Parse(std::span<const uint8_t> frame, const Offload& offload,
                Packet* packet);

// Whether the transport checksum is right: verified, or vouched for by the
// offload (partial, or verified before).
bool ChecksumOk(const Packet& packet);

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_PACKET_H_
