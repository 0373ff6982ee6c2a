// Building TCP frames, and changing some of their fields.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/tcp_frame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "wire/checksum.h"
#include "wire/golden_frames.h"

namespace stubdomain {
namespace {

using golden::FromHex;

// Builds what a frame says once more.
Frame Rebuild(std::string_view hex) {
  const auto bytes = FromHex(hex);
  Packet packet;
  EXPECT_EQ(Parse(bytes, {}, &packet), Malformed::kNo);
  const TcpSegment& tcp = *packet.tcp();
  const Route route{packet.link,
                    {packet.ip->source, tcp.source_port},
                    {packet.ip->destination, tcp.destination_port}};
  TcpFrame frame(route, {tcp.seq, tcp.ack, tcp.flags, tcp.window, tcp.options},
                 tcp.payload.size());
  std::ranges::copy(tcp.payload, frame.payload().begin());
  return std::move(frame).Finish();
}

TEST(TcpFrame, IsBuiltAsItWasRead) {
  EXPECT_EQ(Rebuild(golden::kVlanData).bytes, FromHex(golden::kVlanData));
  EXPECT_EQ(Rebuild(golden::kIpv6Data).bytes, FromHex(golden::kIpv6Data));
}

TEST(TcpFrame, AGsoFrameHasAPartialChecksum) {
  const Route route{{},
                    {Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, 2}), 80},
                    {Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, 15}), 9}};
  TcpFrame builder(route, {.flags = kAck}, 5000);
  std::ranges::fill(builder.payload(), 'x');
  const Frame frame = std::move(builder).FinishGso(1000);
  EXPECT_TRUE(frame.offload.needs_csum);
  EXPECT_EQ(frame.offload.gso, SD_GSO_TCPV4);
  EXPECT_EQ(frame.offload.gso_size, 1000);
  EXPECT_EQ(frame.offload.header_len, 14 + 20 + 20);
  EXPECT_EQ(frame.offload.csum_start, 14 + 20);
  EXPECT_EQ(frame.offload.csum_offset, 16);
  // Whoever finishes it adds up everything from csum_start on.
  auto bytes = frame.bytes;
  const uint16_t sum =
      Checksum().Add(std::span(bytes).subspan(34)).complement();
  bytes[34 + 16] = static_cast<uint8_t>(sum >> 8);
  bytes[34 + 17] = static_cast<uint8_t>(sum);
  Packet packet;
  ASSERT_EQ(Parse(bytes, {}, &packet), Malformed::kNo);
  EXPECT_TRUE(ChecksumOk(packet));
}

TEST(RewriteTcp, ChangesWhatItIsToldAndNothingElse) {
  const auto bytes = FromHex(golden::kVlanData);
  Packet packet;
  ASSERT_EQ(Parse(bytes, {}, &packet), Malformed::kNo);
  const Frame frame =
      RewriteTcp(packet, {.ack = Seq(777), .window = 88, .timestamp_echo = 99});
  Packet rewritten;
  ASSERT_EQ(Parse(frame.bytes, frame.offload, &rewritten), Malformed::kNo);
  EXPECT_TRUE(ChecksumOk(rewritten));
  const TcpSegment& tcp = *rewritten.tcp();
  EXPECT_EQ(tcp.ack, Seq(777));
  EXPECT_EQ(tcp.window, 88);
  EXPECT_EQ(tcp.options.timestamps, (Timestamps{200, 99}));
  EXPECT_EQ(tcp.options.sack.count, 0);
  EXPECT_EQ(tcp.seq, packet.tcp()->seq);
  EXPECT_EQ(tcp.flags, packet.tcp()->flags);
  EXPECT_TRUE(std::ranges::equal(tcp.payload, packet.tcp()->payload));
  EXPECT_EQ(rewritten.link, packet.link);
  EXPECT_EQ(frame.bytes.size(), bytes.size());
}

TEST(RewriteTcp, APartialChecksumStaysAsItIs) {
  const auto bytes = FromHex(golden::kIpv6Data);
  const Offload offload{
      .needs_csum = true, .csum_start = 54, .csum_offset = 16};
  Packet packet;
  ASSERT_EQ(Parse(bytes, offload, &packet), Malformed::kNo);
  const Frame frame = RewriteTcp(packet, {.ack = Seq(777)});
  EXPECT_TRUE(frame.offload.needs_csum);
  EXPECT_EQ(frame.bytes[54 + 16], bytes[54 + 16]);
  EXPECT_EQ(frame.bytes[54 + 17], bytes[54 + 17]);
}

TEST(RewriteTcp, WithoutAckFlagTheFieldMeansNothing) {
  const auto bytes = FromHex(golden::kSyn);
  Packet packet;
  ASSERT_EQ(Parse(bytes, {}, &packet), Malformed::kNo);
  const Frame frame = RewriteTcp(packet, {.ack = Seq(777), .window = 64240});
  EXPECT_EQ(frame.bytes, bytes);
}

}  // namespace
}  // namespace stubdomain
