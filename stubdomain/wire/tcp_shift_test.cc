// Shifted segments: every field, and checksums that stay as right as they were.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/tcp_shift.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "wire/golden_frames.h"
#include "wire/tcp_frame.h"

namespace stubdomain {
namespace {

Frame Build(const TcpFields& fields, size_t payload = 3) {
  const Route route{
      {},
      {Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, 15}), 40000},
      {Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, 2}), 80}};
  return TcpFrame(route, fields, payload).Finish();
}

Packet View(const Frame& frame) {
  Packet packet;
  EXPECT_EQ(Parse(frame.bytes, frame.offload, &packet), Malformed::kNo);
  return packet;
}

TcpFields Rich() {
  TcpFields fields{
      .seq = Seq(0xfffffff0), .ack = Seq(5), .flags = kAck, .window = 1000};
  fields.options.timestamps = Timestamps{0xffffffff, 7};
  fields.options.sack.Add({Seq(10), Seq(20)});
  fields.options.sack.Add({Seq(0xfffffffe), Seq(1)});
  return fields;
}

TEST(ShiftTcp, AddsToEveryFieldItNames) {
  Frame frame = Build(Rich());
  ShiftTcp(View(frame),
           {.seq = 0x20,
            .ack = 0 - 6u,
            .timestamp = 2,
            .echo = 0 - 8u,
            .source_port = 1,
            .destination_port = static_cast<uint16_t>(8080 - 80),
            .window = 2},
           &frame);
  const Packet packet = View(frame);
  EXPECT_TRUE(ChecksumOk(packet));
  const TcpSegment& tcp = *packet.tcp();
  EXPECT_EQ(tcp.seq, Seq(0x10));
  EXPECT_EQ(tcp.ack, Seq(0xffffffff));
  EXPECT_EQ(tcp.options.timestamps, (Timestamps{1, 0xffffffff}));
  EXPECT_EQ(tcp.options.sack.blocks[0], (SeqRange{Seq(4), Seq(14)}));
  EXPECT_EQ(tcp.options.sack.blocks[1],
            (SeqRange{Seq(0xfffffff8), Seq(0xfffffffb)}));
  EXPECT_EQ(tcp.source_port, 40001);
  EXPECT_EQ(tcp.destination_port, 8080);
  EXPECT_EQ(tcp.window, 4000);
}

TEST(ShiftTcp, WithoutAckWhatIsAcknowledgedMeansNothing) {
  TcpFields fields = Rich();
  fields.flags = kSyn;
  Frame frame = Build(fields, 0);
  const Frame before = frame;
  ShiftTcp(View(frame), {.ack = 9, .echo = 9, .window = 2}, &frame);
  EXPECT_EQ(frame.bytes, before.bytes);
}

TEST(ShiftTcp, AWindowStaysWithinItsField) {
  Frame frame = Build(Rich());
  ShiftTcp(View(frame), {.window = 7}, &frame);
  EXPECT_EQ(View(frame).tcp()->window, 65535);
  ShiftTcp(View(frame), {.window = -14}, &frame);
  EXPECT_EQ(View(frame).tcp()->window, 3);
  EXPECT_TRUE(ChecksumOk(View(frame)));
}

TEST(ShiftTcp, AWrongChecksumStaysWrong) {
  Frame frame = Build(Rich());
  frame.bytes.back() ^= 1;
  ShiftTcp(View(frame), {.seq = 12345, .ack = 54321}, &frame);
  EXPECT_FALSE(ChecksumOk(View(frame)));
  frame.bytes.back() ^= 1;
  EXPECT_TRUE(ChecksumOk(View(frame)));
}

TEST(ShiftTcp, APartialChecksumStaysAsItIs) {
  Frame frame{golden::FromHex(golden::kIpv6Data),
              {.needs_csum = true, .csum_start = 54, .csum_offset = 16}};
  const auto before = frame.bytes;
  ShiftTcp(View(frame), {.seq = 1, .ack = 2}, &frame);
  EXPECT_NE(frame.bytes, before);
  EXPECT_EQ(frame.bytes[54 + 16], before[54 + 16]);
  EXPECT_EQ(frame.bytes[54 + 17], before[54 + 17]);
}

// Options may begin anywhere, so that a number begins at an odd byte.
TEST(ShiftTcp, OptionsAtOddOffsetsAreShiftedToo) {
  std::mt19937 random(1);
  for (int run = 0; run < 1000; ++run) {
    Frame frame = Build(Rich());
    // no-operation, no-operation, kind... becomes no-operation, kind...
    const size_t options = 14 + 20 + 20;
    auto* bytes = &frame.bytes;
    ASSERT_EQ((*bytes)[options], 1);
    std::rotate(bytes->begin() + options, bytes->begin() + options + 1,
                bytes->begin() + options + 12);
    // Sums of 16-bit words change when bytes move: mend it from scratch.
    const Packet packet = View(frame);
    frame = RewriteTcp(packet, {.ack = Seq(5), .timestamp_echo = 7});
    const TcpShift shift{.seq = static_cast<uint32_t>(random()),
                         .ack = static_cast<uint32_t>(random()),
                         .timestamp = static_cast<uint32_t>(random()),
                         .echo = static_cast<uint32_t>(random())};
    ShiftTcp(View(frame), shift, &frame);
    const Packet shifted = View(frame);
    ASSERT_TRUE(ChecksumOk(shifted));
    ASSERT_EQ(shifted.tcp()->options.timestamps->echo, 7 + shift.echo);
  }
}

}  // namespace
}  // namespace stubdomain
