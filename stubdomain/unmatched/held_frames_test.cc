// Held frames, at their bounds and in their serial form.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "unmatched/held_frames.h"

#include <gtest/gtest.h>

#include "effect/outbound_queue.h"
#include "trace/frames.h"
#include "unmatched/description.h"

namespace stubdomain {
namespace {

Frame Datagram(uint16_t port, size_t padding = 0) {
  Frame frame =
      UdpTo(kLinkToGuest, {Ip("192.0.2.1"), port}, {Ip("10.0.2.15"), 123});
  frame.bytes.resize(frame.bytes.size() + padding);
  return frame;
}

void Hold(HeldFrames& held, const Frame& frame) { held.Hold(0, Parsed(frame)); }

std::string Description(const Frame& frame) { return Describe(Parsed(frame)); }

// Source ports of what goes to the guest.
std::vector<int> PassedOn(HeldFrames& held) {
  OutboundQueue queue;
  held.PassOn(queue);
  std::vector<int> ports;
  while (auto item = queue.Next(false)) {
    EXPECT_EQ(item->lane.to, Side::kGuest);
    const Packet packet = Parsed(item->frame);
    ports.push_back(std::get<UdpDatagram>(packet.body).source_port);
  }
  return ports;
}

TEST(HeldFramesTest, ArePassedOnOnceAndInOrder) {
  HeldFrames held;
  for (const uint16_t port : {3, 1, 2}) Hold(held, Datagram(port));
  EXPECT_EQ(PassedOn(held), (std::vector{3, 1, 2}));
  EXPECT_EQ(held.size(), 0u);
  EXPECT_EQ(PassedOn(held), std::vector<int>());
}

TEST(HeldFramesTest, BeyondTheBoundOfFramesTheOldestIsDropped) {
  HeldFrames held;
  for (size_t i = 0; i <= kMaxHeldFrames; ++i) {
    Hold(held, Datagram(static_cast<uint16_t>(i)));
  }
  EXPECT_EQ(held.size(), kMaxHeldFrames);
  EXPECT_EQ(PassedOn(held).front(), 1);
}

TEST(HeldFramesTest, BeyondTheBoundOfBytesTheOldestAreDropped) {
  HeldFrames held;
  const size_t header = Datagram(0).bytes.size();
  constexpr size_t kQuarter = kMaxHeldBytes / 4;
  for (const uint16_t port : {1, 2, 3, 4}) {
    Hold(held, Datagram(port, kQuarter - header));
  }
  EXPECT_EQ(held.size(), 4u);
  Hold(held, Datagram(5));
  EXPECT_EQ(PassedOn(held), (std::vector{2, 3, 4, 5}));
}

TEST(HeldFramesTest, AreSavedAndLoadedWithTheirOffload) {
  HeldFrames held;
  Frame frame = Datagram(7);
  frame.offload = {.needs_csum = true,
                   .data_valid = false,
                   .ecn = true,
                   .gso = SD_GSO_UDP_L4,
                   .gso_size = 1000,
                   .header_len = 42,
                   .csum_start = 34,
                   .csum_offset = 6};
  held.Hold(3, Parsed(frame));
  Writer writer;
  held.Save(writer);

  HeldFrames loaded;
  Reader reader(writer.data());
  ASSERT_TRUE(loaded.Load(reader));
  OutboundQueue queue;
  loaded.PassOn(queue);
  const auto item = queue.Next(false);
  ASSERT_TRUE(item.has_value());
  EXPECT_EQ(item->lane.port, 3u);
  EXPECT_EQ(item->frame.bytes, frame.bytes);
  EXPECT_TRUE(item->frame.offload.needs_csum);
  EXPECT_FALSE(item->frame.offload.data_valid);
  EXPECT_TRUE(item->frame.offload.ecn);
  EXPECT_EQ(item->frame.offload.gso, SD_GSO_UDP_L4);
  EXPECT_EQ(item->frame.offload.gso_size, 1000);
  EXPECT_EQ(item->frame.offload.header_len, 42);
  EXPECT_EQ(item->frame.offload.csum_start, 34);
  EXPECT_EQ(item->frame.offload.csum_offset, 6);
}

TEST(HeldFramesTest, MoreThanTheBoundIsNotLoaded) {
  Writer writer;
  writer.U32(kMaxHeldFrames + 1);
  Reader reader(writer.data());
  HeldFrames held;
  EXPECT_FALSE(held.Load(reader));
}

TEST(DescriptionTest, NamesKindAndEnds) {
  Talk talk(0, {Ip("fd00::15"), 22}, {Ip("2001:db8::1"), 50000});
  EXPECT_EQ(Description(talk.Syn(Side::kPeer)),
            "TCP connection attempt from [2001:db8::1]:50000 to [fd00::15]:22");
  EXPECT_EQ(Description(talk.SynAck(Side::kPeer)),
            "TCP connection answer from [2001:db8::1]:50000 to [fd00::15]:22");
  EXPECT_EQ(Description(talk.Rst(Side::kPeer)),
            "TCP reset from [2001:db8::1]:50000 to [fd00::15]:22");
  EXPECT_EQ(Description(talk.Fin(Side::kPeer)),
            "TCP close from [2001:db8::1]:50000 to [fd00::15]:22");
  EXPECT_EQ(Description(talk.Data(Side::kPeer, 3)),
            "TCP data from [2001:db8::1]:50000 to [fd00::15]:22");
  EXPECT_EQ(Description(Datagram(53)),
            "UDP datagram from 192.0.2.1:53 to 10.0.2.15:123");
}

}  // namespace
}  // namespace stubdomain
