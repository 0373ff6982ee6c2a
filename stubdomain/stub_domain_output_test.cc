// The effects' way out, as traces: re-entry, backpressure, batches, offloads.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "stub_domain.h"
#include "trace/frames.h"
#include "trace/trace.h"

namespace stubdomain {
namespace {

class OutputTest : public testing::Test {
 protected:
  OutputTest() { trace_.Connect(&talk_); }

  void SuspendWith(const sd_wait& wait) {
    trace_.Wait(wait);
    trace_.SuspendNow();
    trace_.Take();
  }

  // `count` questions, each of which the stub answers to the peer.
  void Ping(size_t count) {
    const Frame ping = PingTo(kLinkToGuest, Ip("192.0.2.1"), Ip("10.0.2.15"));
    for (size_t i = 0; i < count; ++i) trace_.Send(0, Side::kPeer, ping);
  }

  Trace trace_;
  Talk talk_;
};

TEST_F(OutputTest, APeerMayAnswerFromInsideSend) {
  sd_wait wait = Trace::WaitOn(talk_);
  wait.bytes = 30000;
  SuspendWith(wait);
  trace_.on_send = [this](unsigned, Side to, const sd_frame&) {
    if (to == Side::kPeer && talk_.sent(Side::kPeer) < 30000) {
      EXPECT_EQ(trace_.PeerSends(talk_, 1000), SD_TAKEN);
    }
    return true;
  };
  trace_.PeerSends(talk_, 1000);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 30000", "restore reply"}));
  EXPECT_EQ(trace_.info().kept, 30000u);
}

TEST_F(OutputTest, AGuestMayAnswerFromInsideSend) {
  SuspendWith(Trace::WaitOn(talk_));
  for (int i = 0; i < 30; ++i) trace_.PeerSends(talk_, 1000);
  trace_.on_send = [this](unsigned, Side to, const sd_frame& frame) {
    if (to != Side::kGuest) return true;
    Packet packet;
    Parse({frame.data, frame.length}, frame.offload, &packet);
    talk_.Receive(to, *packet.tcp());
    trace_.GuestAcks(talk_);
    return true;
  };
  trace_.Running();
  EXPECT_EQ(talk_.received(Side::kGuest), 30000u);
  EXPECT_EQ(trace_.info().kept, 0u);
}

TEST_F(OutputTest, TheGlueMayActFromInsideACallback) {
  trace_.on_effect = [this](const std::string& line) {
    if (line == "suspend") {
      trace_.Stopped();
      trace_.Suspended();
    } else if (line.starts_with("restore")) {
      trace_.Running();
    } else if (line.starts_with("ended 1")) {
      trace_.Wait(Trace::WaitOn(talk_));
    }
  };
  trace_.Wait(Trace::WaitOn(talk_));
  trace_.Pass(50);
  EXPECT_EQ(trace_.info().state, SD_SUSPENDED);
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"waiting 1", "suspend", "ended 1 replied 5", "waiting 2",
                   "ended 2 replied 5", "restore reply"}));
  EXPECT_EQ(trace_.info().state, SD_RUNNING);
  EXPECT_EQ(talk_.received(Side::kGuest), 5u);
}

TEST_F(OutputTest, AResetFromInsideSendLeavesNothingBehind) {
  SuspendWith(Trace::WaitOn(talk_));
  for (int i = 0; i < 30; ++i) trace_.PeerSends(talk_, 1000);
  trace_.Take();
  trace_.on_send = [this](unsigned, Side to, const sd_frame&) {
    if (to == Side::kGuest) trace_.Reset();
    return true;
  };
  trace_.Running();
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+1460 (40000)"}));
}

TEST_F(OutputTest, ARefusedFrameWaitsUntilTheSideIsWritable) {
  sd_wait wait = Trace::WaitOn(talk_);
  wait.bytes = 100;
  SuspendWith(wait);
  bool writable = false;
  int refused = 0;
  trace_.on_send = [&](unsigned, Side, const sd_frame&) {
    if (!writable) ++refused;
    return writable;
  };
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(refused, 1);
  EXPECT_FALSE(sd_pending(trace_.stub()));
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(trace_.Take(), Lines());

  writable = true;
  sd_on_writable(trace_.stub(), 0, SD_GUEST);
  EXPECT_FALSE(sd_pending(trace_.stub()));
  sd_on_writable(trace_.stub(), 0, SD_PEER);
  EXPECT_TRUE(sd_pending(trace_.stub()));
  trace_.Dispatch();
  EXPECT_EQ(trace_.Take().back(), "peer: ack 10 (40000)");
}

TEST_F(OutputTest, ASideWithManyRepliesPendingIsHeldBack) {
  SuspendWith(Trace::WaitOn(talk_));
  trace_.set_dispatches(false);
  Ping(kBusyFrames - 1);
  EXPECT_TRUE(sd_can_take(trace_.stub(), 0, SD_PEER));
  Ping(1);
  EXPECT_FALSE(sd_can_take(trace_.stub(), 0, SD_PEER));
  EXPECT_TRUE(sd_can_take(trace_.stub(), 0, SD_GUEST));
  EXPECT_TRUE(sd_can_take(trace_.stub(), 1, SD_PEER));
  trace_.Dispatch();
  EXPECT_TRUE(sd_can_take(trace_.stub(), 0, SD_PEER));
  EXPECT_EQ(trace_.Take().size(), kBusyFrames);
}

TEST_F(OutputTest, RepliesBeyondTheBoundAreDropped) {
  SuspendWith(Trace::WaitOn(talk_));
  trace_.set_dispatches(false);
  Ping(kMaxFrames + 10);
  trace_.Dispatch();
  EXPECT_EQ(trace_.Take().size(), kMaxFrames);
}

TEST_F(OutputTest, ADispatchIsBounded) {
  SuspendWith(Trace::WaitOn(talk_));
  trace_.set_dispatches(false);
  Ping(kDispatchBatch + 10);
  sd_dispatch(trace_.stub(), trace_.now());
  EXPECT_EQ(trace_.Take().size(), static_cast<size_t>(kDispatchBatch));
  EXPECT_TRUE(sd_pending(trace_.stub()));
  sd_dispatch(trace_.stub(), trace_.now());
  EXPECT_EQ(trace_.Take().size(), 10u);
  EXPECT_FALSE(sd_pending(trace_.stub()));
}

TEST_F(OutputTest, WithoutOffloadsFramesAreNotLongerThanTheMtu) {
  SuspendWith(Trace::WaitOn(talk_));
  for (int i = 0; i < 10; ++i) trace_.PeerSends(talk_, 1460);
  size_t longest = 0;
  trace_.on_send = [&](unsigned, Side, const sd_frame& frame) {
    longest = std::max(longest, frame.length);
    EXPECT_EQ(frame.offload.gso, SD_GSO_NONE);
    EXPECT_FALSE(frame.offload.needs_csum);
    return true;
  };
  trace_.Running();
  EXPECT_EQ(talk_.received(Side::kGuest), 14600u);
  EXPECT_EQ(longest, 14u + 40u + Talk::kMss);
}

TEST_F(OutputTest, AGuestThatWasSentGsoFramesGetsThem) {
  Frame gso = talk_.Data(Side::kPeer, 5000);
  gso.offload = {.needs_csum = true,
                 .data_valid = false,
                 .ecn = false,
                 .gso = SD_GSO_TCPV4,
                 .gso_size = Talk::kMss,
                 .header_len = 54,
                 .csum_start = 34,
                 .csum_offset = 16};
  EXPECT_EQ(trace_.Send(talk_, Side::kPeer, gso), SD_PASS);
  trace_.GuestAcks(talk_);
  SuspendWith(Trace::WaitOn(talk_));
  for (int i = 0; i < 10; ++i) trace_.PeerSends(talk_, 1460);
  size_t frames = 0;
  trace_.on_send = [&](unsigned, Side to, const sd_frame& frame) {
    if (to == Side::kGuest) {
      ++frames;
      EXPECT_EQ(frame.offload.gso, SD_GSO_TCPV4);
      EXPECT_EQ(frame.offload.gso_size, Talk::kMss);
    }
    return true;
  };
  trace_.Running();
  EXPECT_EQ(talk_.received(Side::kGuest), 5000u + 14600u);
  EXPECT_EQ(frames, 1u);
}

// Each of many connections has many frames kept, together more than would be
// queued.
TEST(ManyTalks, NothingOfAReplayIsDroppedOrSentTwice) {
  constexpr int kTalks = 400;
  constexpr uint32_t kFrames = 44;
  static_assert(kTalks * kFrames > kMaxFrames);
  Trace trace;
  std::vector<Talk> talks;
  for (int i = 0; i < kTalks; ++i) {
    talks.emplace_back(static_cast<uint16_t>(40000 + i));
  }
  for (Talk& talk : talks) trace.Connect(&talk);
  trace.Suspend();
  trace.SuspendNow();
  for (Talk& talk : talks) {
    for (uint32_t i = 0; i < kFrames; ++i) {
      trace.PeerSends(talk, Talk::kMss);
    }
  }
  int frames = 0;
  trace.on_send = [&](unsigned, Side to, const sd_frame& frame) {
    if (to != Side::kGuest) return true;
    ++frames;
    Packet packet;
    Parse({frame.data, frame.length}, frame.offload, &packet);
    Talk& talk = talks[packet.tcp()->destination_port - 40000];
    talk.Receive(to, *packet.tcp());
    trace.GuestAcks(talk);
    return true;
  };
  trace.Running();
  EXPECT_EQ(frames, kTalks * static_cast<int>(kFrames));
  for (const Talk& talk : talks) {
    EXPECT_EQ(talk.received(Side::kGuest), kFrames * Talk::kMss);
  }
  EXPECT_EQ(trace.info().kept, 0u);
}

}  // namespace
}  // namespace stubdomain
