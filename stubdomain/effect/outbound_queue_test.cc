// The queue of frames that go out, at its bounds.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "effect/outbound_queue.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

constexpr OutboundQueue::Lane kGuest0{0, Side::kGuest};
constexpr OutboundQueue::Lane kPeer0{0, Side::kPeer};
constexpr OutboundQueue::Lane kPeer1{1, Side::kPeer};

void Emit(OutboundQueue& queue, OutboundQueue::Lane lane, uint8_t mark,
          size_t length = 60) {
  queue.Emit(lane.port, lane.to, {std::vector<uint8_t>(length, mark), {}});
}

// The mark of the next frame; -1: there is none.
int Next(OutboundQueue& queue, bool guest_stopped = false) {
  const auto item = queue.Next(guest_stopped);
  return item ? item->frame.bytes[0] : -1;
}

TEST(OutboundQueueTest, TakesTurnsAndKeepsTheOrderWithinALane) {
  OutboundQueue queue;
  for (const uint8_t mark : {1, 2, 3}) Emit(queue, kPeer0, mark);
  for (const uint8_t mark : {11, 12}) Emit(queue, kPeer1, mark);
  std::vector<int> marks;
  for (int mark; (mark = Next(queue)) >= 0;) marks.push_back(mark);
  EXPECT_EQ(marks, (std::vector{1, 11, 2, 12, 3}));
  EXPECT_FALSE(queue.deliverable(false));
}

TEST(OutboundQueueTest, ARefusedFrameBlocksItsLaneOnly) {
  OutboundQueue queue;
  Emit(queue, kPeer0, 1);
  Emit(queue, kPeer0, 2);
  queue.Refused(*queue.Next(false));
  EXPECT_FALSE(queue.deliverable(false));
  Emit(queue, kPeer1, 11);
  EXPECT_EQ(Next(queue), 11);
  EXPECT_EQ(Next(queue), -1);
  queue.Unblock(kPeer1);
  EXPECT_EQ(Next(queue), -1);
  queue.Unblock(kPeer0);
  EXPECT_EQ(Next(queue), 1);
  EXPECT_EQ(Next(queue), 2);
}

TEST(OutboundQueueTest, FramesToAStoppedGuestWait) {
  OutboundQueue queue;
  Emit(queue, kGuest0, 1);
  EXPECT_FALSE(queue.deliverable(true));
  EXPECT_EQ(Next(queue, true), -1);
  Emit(queue, kPeer0, 2);
  EXPECT_TRUE(queue.deliverable(true));
  EXPECT_EQ(Next(queue, true), 2);
  EXPECT_EQ(Next(queue, false), 1);
}

TEST(OutboundQueueTest, IsBusyFromManyFramesOn) {
  OutboundQueue queue;
  for (size_t i = 1; i < kBusyFrames; ++i) Emit(queue, kPeer0, 1);
  EXPECT_FALSE(queue.busy(kPeer0));
  Emit(queue, kPeer0, 1);
  EXPECT_TRUE(queue.busy(kPeer0));
  EXPECT_FALSE(queue.busy(kPeer1));
  Next(queue);
  EXPECT_FALSE(queue.busy(kPeer0));
}

TEST(OutboundQueueTest, IsBusyFromManyBytesOn) {
  OutboundQueue queue;
  Emit(queue, kPeer0, 1, kBusyBytes - 1);
  EXPECT_FALSE(queue.busy(kPeer0));
  Emit(queue, kPeer0, 1, 1);
  EXPECT_TRUE(queue.busy(kPeer0));
}

TEST(OutboundQueueTest, WhatWasBusyHasRoomOnceItIsHalfDrained) {
  OutboundQueue queue;
  for (size_t i = 1; i < kBusyFrames; ++i) Emit(queue, kPeer0, 1);
  EXPECT_TRUE(queue.HasRoom(0, Side::kPeer));
  Emit(queue, kPeer0, 1);
  EXPECT_FALSE(queue.HasRoom(0, Side::kPeer));
  EXPECT_TRUE(queue.HasRoom(1, Side::kPeer));
  EXPECT_TRUE(queue.HasRoom(0, Side::kGuest));
  for (size_t i = 1; i < kBusyFrames / 2; ++i) Next(queue);
  EXPECT_FALSE(queue.reopenable());
  EXPECT_FALSE(queue.Reopen());
  Next(queue);
  EXPECT_TRUE(queue.reopenable());
  EXPECT_FALSE(queue.HasRoom(0, Side::kPeer));
  const auto lane = queue.Reopen();
  ASSERT_TRUE(lane);
  EXPECT_EQ(lane->port, 0u);
  EXPECT_EQ(lane->to, Side::kPeer);
  EXPECT_TRUE(queue.HasRoom(0, Side::kPeer));
  EXPECT_FALSE(queue.reopenable());
}

TEST(OutboundQueueTest, ManyBytesHaveToDrainToo) {
  OutboundQueue queue;
  for (int i = 0; i < 4; ++i) Emit(queue, kPeer0, 1, kBusyBytes / 4);
  EXPECT_FALSE(queue.HasRoom(0, Side::kPeer));
  Next(queue);
  EXPECT_FALSE(queue.reopenable());
  Next(queue);
  EXPECT_TRUE(queue.reopenable());
}

TEST(OutboundQueueTest, DropsWhatIsBeyondTheBoundOfFrames) {
  OutboundQueue queue;
  for (size_t i = 0; i < kMaxFrames; ++i) Emit(queue, kPeer0, 1);
  Emit(queue, kPeer0, 2);
  size_t count = 0;
  for (int mark; (mark = Next(queue)) >= 0; ++count) EXPECT_EQ(mark, 1);
  EXPECT_EQ(count, kMaxFrames);
}

TEST(OutboundQueueTest, DropsWhatIsBeyondTheBoundOfBytes) {
  OutboundQueue queue;
  Emit(queue, kPeer0, 1, kMaxBytes - 10);
  Emit(queue, kPeer0, 2, 11);
  Emit(queue, kPeer0, 3, 10);
  EXPECT_EQ(Next(queue), 1);
  EXPECT_EQ(Next(queue), 3);
  EXPECT_EQ(Next(queue), -1);
}

TEST(OutboundQueueTest, GsoIsForWhoWasSeenToTakeIt) {
  OutboundQueue queue;
  Offload offload{};
  offload.needs_csum = true;
  queue.Observe(kGuest0, offload);
  offload.gso = SD_GSO_UDP_L4;
  queue.Observe(kGuest0, offload);
  EXPECT_FALSE(queue.OptionsFor(0, Side::kGuest).gso);
  offload.gso = SD_GSO_TCPV4;
  queue.Observe(kGuest0, offload);
  EXPECT_TRUE(queue.OptionsFor(0, Side::kGuest).gso);
  EXPECT_FALSE(queue.OptionsFor(0, Side::kPeer).gso);
  EXPECT_FALSE(queue.OptionsFor(1, Side::kGuest).gso);
}

TEST(OutboundQueueTest, AGuestThatWasResetStartsAnew) {
  OutboundQueue queue;
  Offload offload{};
  offload.gso = SD_GSO_TCPV6;
  queue.Observe(kGuest0, offload);
  Emit(queue, kGuest0, 1, kBusyBytes);
  Emit(queue, kPeer0, 2);
  queue.ClearGuest();
  EXPECT_TRUE(queue.HasRoom(0, Side::kGuest));
  EXPECT_FALSE(queue.OptionsFor(0, Side::kGuest).gso);
  EXPECT_EQ(Next(queue), 2);
  EXPECT_EQ(Next(queue), -1);
}

}  // namespace
}  // namespace stubdomain
