// Traces: the guest runs again, and gets what was kept for it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "tcp/flow_trace.h"

namespace stubdomain {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint16_t kWide = 65535;

using Kept = KeptTrace;

TEST(Released, AFlowThatNothingHappenedOnIsFollowedAgainAtOnce) {
  Kept t("");
  t.Release();
  EXPECT_EQ(t.Sent(), "");
  ExpectLeft(t);
  EXPECT_EQ(t.Peer({.ack = 7, .data = "hello"}), Verdict::kPass);
  EXPECT_EQ(t.Guest({.seq = 7, .ack = 5}), Verdict::kPass);
  EXPECT_EQ(t.Sent(), "");
}

TEST(Released, KeepalivesAloneLeaveNothingBehind) {
  Kept t("", {.guest_window = kWide, .config = {.keepalive = seconds(10)}});
  t.Pass(seconds(25));
  EXPECT_EQ(t.Sent(),
            "peer: . 6:6 ack 0 win 65535\n"
            "peer: . 6:6 ack 0 win 65535");
  t.Peer({.ack = 7});
  t.Release();
  EXPECT_EQ(t.Sent(), "");
  ExpectLeft(t);
}

TEST(Released, NothingThatWasKeptGoesOutBeforeTheGuestIsReady) {
  Kept t("hello", {.guest_window = kWide});
  t.Release();
  EXPECT_EQ(t.flow->phase(), Phase::kReleased);
  t.Pass(seconds(10));
  EXPECT_EQ(t.Sent(), "");
  // It goes on as before towards the peer.
  t.Peer({.seq = 5, .ack = 7, .data = "world"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 10 win 65525");
  t.Replay();
  EXPECT_EQ(t.flow->phase(), Phase::kReplaying);
  EXPECT_EQ(t.Sent(), "guest: P. 0:10 ack 7 win 10000 'helloworld'");
}

TEST(Released, TheGuestIsAnsweredBeforeItIsReady) {
  Kept t("hello", {.guest_window = kWide});
  t.Release();
  // It sends the request again, and asks whether the peer is there.
  t.Guest({.flags = "P.", .data = "request", .window = kWide});
  EXPECT_EQ(t.Sent(), "guest: . 0:0 ack 7 win 10000");
  t.Guest({.seq = 6, .window = kWide});
  EXPECT_EQ(t.Sent(), "guest: . 0:0 ack 7 win 10000");
  // New data goes through, with what the stub has acknowledged.
  t.Guest({.seq = 7, .flags = "P.", .data = "more", .window = kWide});
  EXPECT_EQ(t.Sent(), "peer: P. 7:11 ack 5 win 65530 'more'");
  t.Peer({.seq = 5, .ack = 11});
  EXPECT_EQ(t.Sent(), "guest: . 0:0 ack 11 win 10000");
}

TEST(Replaying, OnceTheGuestHasAllTheStubLeaves) {
  Kept t("hello", {.guest_window = kWide});
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:5 ack 7 win 10000 'hello'");
  EXPECT_EQ(t.Guest({.seq = 7, .ack = 5, .window = kWide}), Verdict::kTaken);
  // The guest's window reaches further than what the peer knows of.
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 5 win 65535");
  ExpectLeft(t);
  EXPECT_EQ(t.flow->guest_acked_bytes(), 5u);
  EXPECT_EQ(t.Peer({.seq = 5, .ack = 7, .data = "more"}), Verdict::kPass);
  EXPECT_EQ(t.Guest({.seq = 7, .ack = 9}), Verdict::kPass);
  EXPECT_TRUE(t.flow->quiet());
  EXPECT_EQ(t.Sent(), "");
}

TEST(Replaying, TheLastTimestampsOfBothSidesAreUsed) {
  Kept t("hello", {.timestamps = true, .guest_window = kWide});
  t.Release();
  t.Guest({.seq = 7,
           .flags = "P.",
           .data = "more",
           .window = kWide,
           .ts = Timestamps{150, 210}});
  EXPECT_EQ(t.Sent(), "peer: P. 7:11 ack 5 win 65530 ts 150/300 'more'");
  t.Peer({.seq = 5, .ack = 11, .ts = Timestamps{400, 150}});
  EXPECT_EQ(t.Sent(), "guest: . 0:0 ack 11 win 10000 ts 400/150");
  // Not what the guest said last, but what the peer has echoed.
  t.Guest({.seq = 11, .window = kWide, .ts = Timestamps{160, 400}});
  t.Replay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:5 ack 11 win 10000 ts 400/150 'hello'");
}

TEST(Replaying, SegmentsAreAsLongAsBothSidesTake) {
  Kept t(std::string(2500, 'x'),
         {.guest_mss = 800, .peer_mss = 900, .guest_window = kWide});
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(),
            "guest: . 0:800 ack 7 win 10000\n"
            "guest: . 800:1600 ack 7 win 10000\n"
            "guest: . 1600:2400 ack 7 win 10000\n"
            "guest: P. 2400:2500 ack 7 win 10000");
}

TEST(Replaying, TimestampsTakeTheirRoom) {
  Kept t(std::string(1000, 'x'),
         {.timestamps = true, .guest_mss = 512, .guest_window = kWide});
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(),
            "guest: . 0:500 ack 7 win 10000 ts 300/110\n"
            "guest: P. 500:1000 ack 7 win 10000 ts 300/110");
}

TEST(Replaying, AGsoFrameTakesAllThatFits) {
  Kept t(std::string(60500, 'x'), {.guest_window = kWide, .gso = true});
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:60500 ack 7 win 10000 gso 1000");
  EXPECT_LE(t.frames()[0].bytes.size(), kMaxFrame);
}

TEST(Replaying, AShortGsoFrameIsAPlainOne) {
  Kept t("hello", {.guest_window = kWide, .gso = true});
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:5 ack 7 win 10000 'hello'");
  EXPECT_FALSE(t.frames()[0].offload.needs_csum);
}

TEST(Replaying, Ipv6GsoFrames) {
  Kept t(std::string(3000, 'x'),
         {.ipv6 = true, .vlan = 7, .guest_window = kWide, .gso = true});
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:3000 ack 7 win 10000 gso 1000");
  EXPECT_EQ(t.frames()[0].offload.gso, SD_GSO_TCPV6);
}

TEST(Replaying, TheGuestsWindowIsObeyed) {
  Kept t(std::string(6000, 'x'), {.guest_window = 2500});
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(),
            "guest: . 0:1000 ack 7 win 10000\n"
            "guest: . 1000:2000 ack 7 win 10000");
  // Taken, but not read: there is room for half a segment.
  t.Guest({.seq = 7, .ack = 2000, .window = 500});
  EXPECT_EQ(t.Sent(), "guest: . 2000:2500 ack 7 win 10000");
  t.Guest({.seq = 7, .ack = 2500, .window = 0});
  EXPECT_EQ(t.Sent(), "");
  t.Guest({.seq = 7, .ack = 2500, .window = 2000});
  EXPECT_EQ(t.Sent(),
            "guest: . 2500:3500 ack 7 win 10000\n"
            "guest: . 3500:4500 ack 7 win 10000");
}

TEST(Replaying, AClosedWindowIsProbed) {
  Kept t(std::string(3000, 'x'), {.guest_window = 1000});
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: . 0:1000 ack 7 win 10000");
  t.Guest({.seq = 7, .ack = 1000, .window = 0});
  t.Pass(milliseconds(199));
  EXPECT_EQ(t.Sent(), "");
  t.Pass(milliseconds(1));
  EXPECT_EQ(t.Sent(), "guest: . 999:999 ack 7 win 10000");
  // Ever more rarely, but never given up.
  t.Pass(milliseconds(399));
  EXPECT_EQ(t.Sent(), "");
  t.Pass(milliseconds(1));
  EXPECT_EQ(t.Sent(), "guest: . 999:999 ack 7 win 10000");
  t.Pass(seconds(100));
  t.Sent();
  t.Pass(RetransmissionTimeout::kToGuest.max);
  EXPECT_EQ(t.Sent(), "guest: . 999:999 ack 7 win 10000");
  t.Guest({.seq = 7, .ack = 1000, .window = 5000});
  EXPECT_EQ(t.Sent(),
            "guest: . 1000:2000 ack 7 win 10000\n"
            "guest: P. 2000:3000 ack 7 win 10000");
}

TEST(Replaying, ALostSegmentIsSentAgainAfterThreeDuplicates) {
  Kept t(std::string(5000, 'x'), {.guest_window = kWide});
  t.ReleaseAndReplay();
  t.Sent();
  t.Guest({.seq = 7, .ack = 1000, .window = kWide});
  EXPECT_EQ(t.Sent(), "");
  t.Guest({.seq = 7, .ack = 1000, .window = kWide});
  t.Guest({.seq = 7, .ack = 1000, .window = kWide});
  EXPECT_EQ(t.Sent(), "");
  t.Guest({.seq = 7, .ack = 1000, .window = kWide});
  EXPECT_EQ(t.Sent(), "guest: . 1000:2000 ack 7 win 10000");
  t.Guest({.seq = 7, .ack = 1000, .window = kWide});
  EXPECT_EQ(t.Sent(), "");
  // An acknowledgement of a part shows the next loss.
  t.Guest({.seq = 7, .ack = 3000, .window = kWide});
  EXPECT_EQ(t.Sent(),
            "guest: . 3000:4000 ack 7 win 10000\n"
            "peer: . 7:7 ack 5000 win 63535");
  t.Guest({.seq = 7, .ack = 5000, .window = kWide});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 5000 win 65535");
  ExpectLeft(t);
}

TEST(Replaying, WithoutAnswerOneSegmentIsSentAgainEverMoreRarely) {
  Kept t(std::string(3000, 'x'), {.guest_window = kWide});
  t.ReleaseAndReplay();
  t.Sent();
  t.Pass(milliseconds(199));
  EXPECT_EQ(t.Sent(), "");
  t.Pass(milliseconds(1));
  EXPECT_EQ(t.Sent(), "guest: . 0:1000 ack 7 win 10000");
  t.Pass(milliseconds(399));
  EXPECT_EQ(t.Sent(), "");
  t.Pass(milliseconds(1));
  EXPECT_EQ(t.Sent(), "guest: . 0:1000 ack 7 win 10000");
  // The rest follows on the acknowledgement, as it does after a loss.
  t.Guest({.seq = 7, .ack = 1000, .window = kWide});
  EXPECT_EQ(t.Sent(),
            "guest: . 1000:2000 ack 7 win 10000\n"
            "guest: P. 2000:3000 ack 7 win 10000");
  t.Guest({.seq = 7, .ack = 3000, .window = kWide});
  t.Sent();
  ExpectLeft(t);
}

TEST(Replaying, AnAcknowledgementOfAllEndsRepeating) {
  Kept t(std::string(3000, 'x'), {.guest_window = kWide});
  t.ReleaseAndReplay();
  t.Pass(milliseconds(200));
  t.Sent();
  t.Guest({.seq = 7, .ack = 3000, .window = kWide});
  t.Sent();
  ExpectLeft(t);
}

TEST(Replaying, WhatComesMeanwhileFollowsBehind) {
  Kept t(std::string(2000, 'x'), {.guest_window = kWide});
  t.ReleaseAndReplay();
  t.Sent();
  EXPECT_EQ(t.Peer({.seq = 2000, .ack = 7, .data = "tail"}), Verdict::kTaken);
  EXPECT_EQ(t.Sent(),
            "guest: P. 2000:2004 ack 7 win 10000 'tail'\n"
            "peer: . 7:7 ack 2004 win 63531");
  t.Guest({.seq = 7, .ack = 2004, .window = kWide});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 2004 win 65535");
  ExpectLeft(t);
}

TEST(Replaying, OnlyALimitedAmountIsUnderWay) {
  Kept t(std::string(1000000, 'x'),
         {.guest_shift = 8, .peer_shift = 0, .guest_window = 8192});
  t.ReleaseAndReplay();
  t.Sent();
  size_t payload = 0;
  for (const Frame& frame : t.frames()) {
    Packet packet;
    ASSERT_EQ(Parse(frame.bytes, frame.offload, &packet), Malformed::kNo);
    payload += packet.tcp()->payload.size();
  }
  EXPECT_GT(payload, Sender::kMaxInFlight - 1000);
  EXPECT_LE(payload, Sender::kMaxInFlight);
}

TEST(Replaying, ThePeerIsHeldBackToWhatTheGuestAllows) {
  Kept t(std::string(40000, 'x'), {.guest_window = 40000});
  const auto promised = static_cast<uint32_t>(t.budget.reserved());
  EXPECT_GT(promised, 60000u);
  t.ReleaseAndReplay();
  t.Sent();
  // The guest takes without reading: nothing more is promised to the peer.
  t.Guest({.seq = 7, .ack = 20000, .window = 20000});
  EXPECT_EQ(t.Sent(), "");
  EXPECT_EQ(t.budget.reserved(), promised - 20000);
  // It has read enough for the peer to go on.
  const auto window = static_cast<uint16_t>(promised - 30000 + 2000);
  t.Guest({.seq = 7, .ack = 30000, .window = window});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 40000 win " +
                          std::to_string(promised - 40000 + 2000));
  EXPECT_EQ(t.budget.reserved(), promised - 30000 + 2000);
}

TEST(Replaying, WhatTheGuestSendsIsForwardedWithTheStubsAcknowledgement) {
  Kept t(std::string(2000, 'x'), {.sack = true, .guest_window = kWide});
  t.Peer({.seq = 2500, .ack = 7, .data = "early"});
  t.Sent();
  t.ReleaseAndReplay();
  t.Sent();
  t.Guest({.seq = 7,
           .ack = 1000,
           .flags = "P.",
           .data = "upload",
           .window = 30000,
           .sack = {{1500, 2000}}});
  EXPECT_EQ(t.Sent(), "peer: P. 7:13 ack 2000 win 63535 'upload'");
  t.Peer({.seq = 2005, .ack = 13, .window = 9000});
  EXPECT_EQ(t.Sent(), "guest: . 2000:2000 ack 13 win 9994");
}

TEST(Replaying, GuestFramesWithOffloadsAreForwardedAsTheyAre) {
  Kept t("hello", {.timestamps = true, .guest_window = kWide});
  t.ReleaseAndReplay();
  t.Sent();
  t.Guest({.seq = 7,
           .flags = "P.",
           .data = std::string(5000, 'u'),
           .window = kWide,
           .ts = Timestamps{150, 210},
           .gso = 988});
  EXPECT_EQ(t.Sent(), "peer: P. 7:5007 ack 5 win 65530 ts 150/300 gso 988");
  EXPECT_TRUE(t.frames()[0].offload.needs_csum);
}

TEST(Replaying, PureAcknowledgementsOfTheGuestAreConsumed) {
  Kept t(std::string(2000, 'x'), {.guest_window = kWide});
  t.ReleaseAndReplay();
  t.Sent();
  EXPECT_EQ(t.Guest({.seq = 7, .ack = 1000, .window = kWide}), Verdict::kTaken);
  EXPECT_EQ(t.Sent(), "");
}

TEST(Replaying, DuplicatesOfThePeerReachAGuestThatWaitsForThem) {
  Kept t(std::string(2000, 'x'), {.sack = true, .guest_window = kWide});
  t.ReleaseAndReplay();
  t.Sent();
  t.Guest({.seq = 7, .ack = 0, .data = "lost", .window = kWide});
  t.Guest({.seq = 11, .ack = 0, .data = "came", .window = kWide});
  t.Sent();
  t.Peer({.seq = 2000, .ack = 7, .sack = {{11, 15}}});
  EXPECT_EQ(t.Sent(), "guest: . 2000:2000 ack 7 win 10000 sack 11-15");
}

TEST(Replaying, AClosedWindowOfThePeerIsProbedByTheGuest) {
  Kept t("hello", {.guest_window = kWide});
  t.Peer({.seq = 5, .ack = 7, .window = 0});
  t.ReleaseAndReplay();
  t.Sent();
  // The peer's window was 10000 before, and that is not taken back.
  t.Guest(
      {.seq = 7, .ack = 0, .data = std::string(10000, 'u'), .window = kWide});
  t.Sent();
  t.Peer({.seq = 5, .ack = 10007, .window = 0});
  EXPECT_EQ(t.Sent(), "guest: . 5:5 ack 10007 win 0");
  t.Guest({.seq = 10006, .ack = 0, .window = kWide});
  EXPECT_EQ(t.Sent(),
            "peer: . 10006:10006 ack 5 win 65530\n"
            "guest: . 5:5 ack 10007 win 0");
  t.Peer({.seq = 5, .ack = 10007, .window = 5000});
  EXPECT_EQ(t.Sent(), "guest: . 5:5 ack 10007 win 5000");
}

TEST(HeldUp, WithoutRoomNothingIsSentToTheGuest) {
  Kept t(std::string(3000, 'x'), {.guest_window = kWide});
  t.room = false;
  t.ReleaseAndReplay();
  EXPECT_EQ(t.flow->held_up(), Side::kGuest);
  t.Pass(seconds(20));
  EXPECT_EQ(t.Sent(), "");
  t.room = true;
  t.flow->GoOn(t.now, t);
  EXPECT_EQ(t.flow->held_up(), std::nullopt);
  t.Sent();
  EXPECT_EQ(t.frames().size(), 3u);
}

TEST(HeldUp, WhatMayNotHaveLeftYetIsNotSentAgain) {
  Kept t("hello", {.guest_window = kWide});
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:5 ack 7 win 10000 'hello'");
  t.room = false;
  t.Pass(seconds(20));
  EXPECT_EQ(t.Sent(), "");
  EXPECT_EQ(t.flow->held_up(), std::nullopt);
  t.room = true;
  t.Pass(milliseconds(200));
  EXPECT_EQ(t.Sent(), "guest: P. 0:5 ack 7 win 10000 'hello'");
}

TEST(HeldUp, AGuestThatIsStoppedIsNotWaitedFor) {
  Kept t("hello", {.guest_window = kWide});
  t.room = false;
  t.ReleaseAndReplay();
  EXPECT_EQ(t.flow->held_up(), Side::kGuest);
  t.Adopt();
  EXPECT_EQ(t.flow->held_up(), std::nullopt);
}

}  // namespace
}  // namespace stubdomain
