// Building frames of TCP, and changing some fields of one.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/tcp_frame.h"

#include <algorithm>

#include "wire/checksum.h"
#include "wire/headers.h"
#include "wire/network_order.h"
#include "wire/protocol_numbers.h"

namespace stubdomain {
namespace {

// The options were parsed before, so their lengths are right.
void RewriteOptions(std::span<uint8_t> options, uint32_t timestamp_echo) {
  size_t at = 0;
  while (at < options.size() && options[at] != kOptionEnd) {
    if (options[at] == kOptionNoOperation) {
      ++at;
      continue;
    }
    const size_t length = options[at + 1];
    if (options[at] == kOptionTimestamps && length == 10) {
      Set32(options, at + 6, timestamp_echo);
    } else if (options[at] == kOptionSack) {
      std::ranges::fill(options.subspan(at, length), kOptionNoOperation);
    }
    at += length;
  }
}

}  // namespace

TcpFrame::TcpFrame(const Route& route, const TcpFields& fields,
                   size_t payload_size)
    : ipv6_(route.source.address.family() == Family::kIpv6),
      payload_size_(payload_size) {
  const size_t header = kTcpHeader + TcpOptionsLength(fields.options);
  HeaderBytes bytes;
  AppendEthernet(route.link, ipv6_ ? kEtherIpv6 : kEtherIpv4, &bytes);
  AppendIp(route.source.address, route.destination.address, kProtocolTcp, kTtl,
           header + payload_size, &bytes);
  transport_offset_ = bytes.size();
  bytes.Append16(route.source.port);
  bytes.Append16(route.destination.port);
  bytes.Append32(fields.seq.value());
  bytes.Append32(fields.ack.value());
  bytes.Append8(static_cast<uint8_t>(header / 4 << 4));
  bytes.Append8(fields.flags);
  bytes.Append16(fields.window);
  // The checksum field holds the sum over the pseudo header: that is what a
  // partial checksum is, and it makes a full one the complement of all.
  bytes.Append16(
      Checksum()
          .AddPseudoHeader(route.source.address, route.destination.address,
                           kProtocolTcp,
                           static_cast<uint32_t>(header + payload_size))
          .sum());
  bytes.Append16(fields.urgent);
  WriteTcpOptions(fields.options, &bytes);
  frame_.bytes.reserve(bytes.size() + payload_size);
  frame_.bytes.assign(bytes.all().begin(), bytes.all().end());
  frame_.bytes.resize(bytes.size() + payload_size);
}

std::span<uint8_t> TcpFrame::payload() {
  return std::span(frame_.bytes).last(payload_size_);
}

Frame TcpFrame::Finish() && {
  const auto segment = std::span(frame_.bytes).subspan(transport_offset_);
  Set16(segment, kTcpChecksumAt, Checksum().Add(segment).complement());
  return std::move(frame_);
}

Frame TcpFrame::FinishGso(uint16_t gso_size) && {
  frame_.offload.needs_csum = true;
  frame_.offload.gso = ipv6_ ? SD_GSO_TCPV6 : SD_GSO_TCPV4;
  frame_.offload.gso_size = gso_size;
  frame_.offload.header_len = static_cast<uint16_t>(header_length());
  frame_.offload.csum_start = static_cast<uint16_t>(transport_offset_);
  frame_.offload.csum_offset = kTcpChecksumAt;
  return std::move(frame_);
}

Frame RewriteTcp(const Packet& packet, const TcpRewrite& rewrite) {
  Frame frame;
  frame.bytes.assign(packet.frame.begin(), packet.frame.end());
  frame.offload = packet.offload;
  const IpHeader& ip = *packet.ip;
  const auto segment =
      std::span(frame.bytes).subspan(ip.transport_offset, ip.transport_length);
  if ((segment[kTcpFlagsAt] & kAck) != 0)
    Set32(segment, 8, rewrite.ack.value());
  Set16(segment, 14, rewrite.window);
  const size_t header = size_t{segment[12]} >> 4 << 2;
  RewriteOptions(segment.subspan(kTcpHeader, header - kTcpHeader),
                 rewrite.timestamp_echo);
  // A partial checksum covers the pseudo header only, which is as it was.
  if (!frame.offload.needs_csum) {
    Set16(segment, kTcpChecksumAt, 0);
    Set16(segment, kTcpChecksumAt,
          Checksum()
              .AddPseudoHeader(ip.source, ip.destination, kProtocolTcp,
                               ip.transport_length)
              .Add(segment)
              .complement());
  }
  return frame;
}

}  // namespace stubdomain
