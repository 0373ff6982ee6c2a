// Frames of which only the head is at hand, as traces.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <algorithm>

#include "tcp/kept_request.h"
#include "trace/frames.h"
#include "trace/trace.h"

namespace stubdomain {
namespace {

constexpr size_t kHead = 256;

class HeadTest : public testing::Test {
 protected:
  HeadTest() {
    trace_.Connect(&talk_);
    // So long a request is not kept.
    trace_.Request(talk_, kMaxRequest + 1);
  }

  // Whether the guest's frame passes by its first `head` bytes. The others are
  // not what was sent.
  bool PassesBy(size_t head, Frame frame) {
    const Frame whole = frame;
    if (head < frame.bytes.size()) {
      std::fill(frame.bytes.begin() + static_cast<ptrdiff_t>(head),
                frame.bytes.end(), uint8_t{0xee});
    }
    if (!trace_.PassHead(talk_.port(), frame, head)) return false;
    Packet packet;
    Parse(whole.bytes, whole.offload, &packet);
    talk_.Receive(Side::kPeer, *packet.tcp());
    return true;
  }

  Frame Data() { return talk_.Data(Side::kGuest, 1000); }

  Trace trace_;
  Talk talk_;
};

TEST_F(HeadTest, DataPassesAndIsNoted) {
  EXPECT_TRUE(PassesBy(kHead, Data()));
  // Noted as sent, so a wait has to be patient until the peer has it.
  trace_.Wait(Trace::WaitOn(talk_));
  trace_.Pass(500);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  EXPECT_EQ(trace_.Send(talk_, Side::kPeer, talk_.Ack(Side::kPeer)), SD_PASS);
  trace_.Pass(0);
  EXPECT_EQ(trace_.Take(), Lines({"suspend"}));
}

TEST_F(HeadTest, AHeadThatEndsBeforeThePayloadIsNotEnough) {
  // Ethernet, IPv4 and TCP without options.
  const Frame data = Data();
  EXPECT_FALSE(PassesBy(14 + 20 + 19, data));
  EXPECT_TRUE(PassesBy(14 + 20 + 20, data));
}

TEST_F(HeadTest, WhatEndsAConnectionIsNeededWhole) {
  EXPECT_FALSE(PassesBy(kHead, talk_.Fin(Side::kGuest)));
  EXPECT_FALSE(PassesBy(kHead, talk_.Rst(Side::kGuest)));
}

TEST_F(HeadTest, AConnectionThatIsNotFollowedIsNeededWhole) {
  Talk other(40001);
  EXPECT_FALSE(PassesBy(kHead, other.Data(Side::kGuest, 1000)));
}

TEST_F(HeadTest, WhatIsNotTcpIsNeededWhole) {
  EXPECT_FALSE(
      PassesBy(40, PingTo(kLinkToGuest, Ip("192.0.2.1"), Ip("10.0.2.15"))));
}

TEST_F(HeadTest, ARequestThatIsKeptIsNeededWhole) {
  trace_.PeerSends(talk_, 10);
  trace_.GuestAcks(talk_);
  EXPECT_FALSE(PassesBy(kHead, Data()));
}

TEST_F(HeadTest, WhatIsRecordedIsNeededWhole) {
  trace_.Wait(Trace::WaitOn(talk_));
  EXPECT_FALSE(PassesBy(kHead, Data()));
}

TEST_F(HeadTest, AStoppedGuestsFramesAreNeededWhole) {
  trace_.Wait(Trace::WaitOn(talk_));
  trace_.SuspendNow();
  EXPECT_FALSE(PassesBy(kHead, Data()));
}

TEST_F(HeadTest, WhatIsSentBehindKeptBytesIsNeededWhole) {
  trace_.Agent(true);
  trace_.Wait(Trace::WaitOn(talk_));
  trace_.SuspendNow();
  trace_.PeerSends(talk_, 1000);
  trace_.Running();
  const Frame data = Data();
  EXPECT_FALSE(PassesBy(kHead, data));
  trace_.Ready();
  trace_.GuestAcks(talk_);
  trace_.Send(talk_, Side::kGuest, data);
  trace_.Request(talk_, kMaxRequest + 1);
  EXPECT_TRUE(PassesBy(kHead, Data()));
}

}  // namespace
}  // namespace stubdomain
