// Traces: how a replay ends, and what may come between.
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

TEST(Replaying, AFinFollowsTheLastByte) {
  Kept t(std::string(1500, 'x'), {.guest_window = kWide});
  t.Peer({.seq = 1500, .ack = 7, .flags = "F."});
  t.Sent();
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(),
            "guest: . 0:1000 ack 7 win 10000\n"
            "guest: FP. 1000:1501 ack 7 win 10000");
  t.Guest({.seq = 7, .ack = 1500, .window = kWide});
  EXPECT_EQ(t.Sent(), "");
  EXPECT_FALSE(t.flow->level());
  // The FIN was lost.
  t.Pass(milliseconds(200));
  EXPECT_EQ(t.Sent(), "guest: F. 1500:1501 ack 7 win 10000");
  t.Guest({.seq = 7, .ack = 1501, .window = kWide});
  EXPECT_EQ(t.Sent(), "");
  ExpectLeft(t);
  EXPECT_TRUE(t.flow->peer_closed());
}

TEST(Replaying, AFinAloneNeedsNoWindow) {
  Kept t("", {.guest_window = 0});
  t.Peer({.seq = 0, .ack = 7, .flags = "F."});
  t.Sent();
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: F. 0:1 ack 7 win 10000");
}

TEST(Replaying, TheGuestMayCloseMeanwhile) {
  Kept t("hello", {.guest_window = kWide});
  t.Peer({.seq = 5, .ack = 7, .flags = "F."});
  t.Sent();
  t.ReleaseAndReplay();
  t.Sent();
  t.Guest({.seq = 7, .ack = 6, .flags = "F.", .window = kWide});
  EXPECT_EQ(t.Sent(), "peer: F. 7:8 ack 6 win 65529");
  ExpectLeft(t);
  EXPECT_FALSE(t.flow->closed());
  EXPECT_EQ(t.Peer({.seq = 6, .ack = 8}), Verdict::kPass);
  EXPECT_TRUE(t.flow->closed());
}

TEST(Replaying, AResetFollowsTheLastByte) {
  Kept t("hello", {.guest_window = kWide});
  t.Peer({.seq = 5, .flags = "R"});
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:5 ack 7 win 10000 'hello'");
  // What the guest says meanwhile, nobody would understand.
  t.Guest({.seq = 7, .ack = 0, .data = "more", .window = kWide});
  EXPECT_EQ(t.Sent(), "");
  t.Guest({.seq = 11, .ack = 5, .window = kWide});
  EXPECT_EQ(t.Sent(), "guest: R. 5:5 ack 7 win 10000");
  EXPECT_TRUE(t.flow->closed());
  EXPECT_TRUE(t.flow->peer_reset());
  ExpectLeft(t);
}

TEST(Replaying, AResetWithoutBytesWaitsForTheGuestToBeReady) {
  Kept t("");
  t.Peer({.seq = 0, .flags = "R"});
  t.Release();
  EXPECT_EQ(t.Sent(), "");
  EXPECT_EQ(t.flow->phase(), Phase::kReleased);
  t.Replay();
  EXPECT_EQ(t.Sent(), "guest: R. 0:0 ack 7 win 10000");
  ExpectLeft(t);
}

TEST(Replaying, AResetOfTheGuestGoesToThePeer) {
  Kept t("hello", {.guest_window = kWide});
  t.ReleaseAndReplay();
  t.Sent();
  t.Guest({.seq = 7, .ack = 0, .flags = "R.", .window = 0});
  EXPECT_EQ(t.Sent(), "peer: R. 7:7 ack 5 win 65530");
  EXPECT_TRUE(t.flow->closed());
  EXPECT_FALSE(t.flow->peer_reset());
  ExpectLeft(t);
}

TEST(Replaying, AGuestThatBeginsAnewHasForgotten) {
  Kept t("hello", {.guest_window = kWide});
  t.ReleaseAndReplay();
  t.Sent();
  EXPECT_EQ(t.Guest({.seq = 900000, .flags = "S"}), Verdict::kPass);
  EXPECT_FALSE(t.flow->established());
  EXPECT_FALSE(t.flow->closed());
  ExpectLeft(t);
  EXPECT_EQ(t.Sent(), "");
}

TEST(Replaying, SuspendedAgainItGoesOnWhereTheGuestWas) {
  Kept t(std::string(3000, 'x'), {.guest_window = kWide});
  t.ReleaseAndReplay();
  t.Sent();
  t.Guest({.seq = 7, .ack = 1000, .window = kWide});
  EXPECT_EQ(t.Adopt(), AdoptRefusal::kNone);
  EXPECT_EQ(t.flow->phase(), Phase::kAdopted);
  EXPECT_EQ(t.flow->kept(), 2000u);
  t.Pass(seconds(100));
  EXPECT_EQ(t.Sent(), "");
  t.Peer({.seq = 3000, .ack = 7, .data = "more"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 3004 win 62531");
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(),
            "guest: . 1000:2000 ack 7 win 10000\n"
            "guest: . 2000:3000 ack 7 win 10000\n"
            "guest: P. 3000:3004 ack 7 win 10000 'more'");
  t.Guest({.seq = 7, .ack = 3004, .window = kWide});
  t.Sent();
  ExpectLeft(t);
}

TEST(Replaying, AnAcknowledgementOfWhatWasNeverSentIsAnswered) {
  Kept t("hello", {.guest_window = kWide});
  t.ReleaseAndReplay();
  t.Sent();
  t.Guest({.seq = 7, .ack = 6, .window = kWide});
  EXPECT_EQ(t.Sent(), "guest: . 5:5 ack 7 win 10000");
  EXPECT_EQ(t.flow->kept(), 5u);
}

TEST(Replaying, NonsenseFromTheGuestIsAnsweredWithinLimits) {
  Kept t("hello", {.guest_window = kWide});
  t.ReleaseAndReplay();
  t.Sent();
  int answers = 0;
  for (int i = 0; i < 50; ++i) {
    t.Guest({.seq = 1 << 25, .ack = 0, .data = "?", .window = kWide});
    if (!t.Sent().empty()) ++answers;
  }
  EXPECT_EQ(answers, Adoption::kMaxChallenges);
}

TEST(Replaying, BytesThatTheGuestGotAnotherWayAreSkipped) {
  FlowTrace t({.guest_window = kWide});
  t.Handshake();
  // It passed, but the guest was stopped before it could acknowledge it.
  EXPECT_EQ(t.Peer({.data = "hello"}), Verdict::kPass);
  EXPECT_EQ(t.Adopt(), AdoptRefusal::kNone);
  t.Peer({.seq = 5, .data = "world"});
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 0 win 65535");
  EXPECT_EQ(t.flow->peer_bytes(), 5u);
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "");
  t.Guest({.ack = 5, .window = kWide});
  EXPECT_EQ(t.Sent(),
            "guest: P. 5:10 ack 0 win 10000 'world'\n"
            "peer: . 0:0 ack 10 win 65530");
  t.Guest({.ack = 10, .window = kWide});
  t.Sent();
  ExpectLeft(t);
}

TEST(Replaying, ThePeersOwnWindowIsKnownToTheGuest) {
  Kept t("hello", {.guest_window = kWide});
  t.Peer({.seq = 5, .ack = 7, .window = 20000});
  t.Release();
  EXPECT_EQ(t.Sent(), "guest: . 0:0 ack 7 win 20000");
}

// The stub had promised the peer more than the guest takes at once.
class Overrun : public FlowTrace {
 public:
  Overrun() : FlowTrace({.guest_window = 4000}) {
    Handshake();
    Adopt();
    Peer({.data = std::string(4000, 'x')});
    EXPECT_EQ(Sent(), "peer: . 0:0 ack 4000 win 65535");
    ReleaseAndReplay();
    Sent();
    Guest({.ack = 4000, .window = 4000});
    EXPECT_EQ(Sent(), "");
    ExpectLeft(*this);
  }
};

TEST(AfterLeaving, WhatTheGuestTakesPasses) {
  Overrun t;
  EXPECT_EQ(t.Peer({.seq = 4000, .data = std::string(4000, 'y')}),
            Verdict::kPass);
  EXPECT_EQ(t.Sent(), "");
}

TEST(AfterLeaving, WhatIsTooMuchForTheGuestIsKept) {
  Overrun t;
  EXPECT_EQ(t.Peer({.seq = 4000, .data = std::string(3000, 'y')}),
            Verdict::kPass);
  EXPECT_EQ(t.Peer({.seq = 7000, .data = std::string(3000, 'z')}),
            Verdict::kTaken);
  EXPECT_EQ(t.flow->phase(), Phase::kReplaying);
  EXPECT_EQ(t.flow->kept(), 3000u);
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 4000 win 65535");
  t.Guest({.ack = 7000, .window = 4000});
  EXPECT_EQ(t.Sent(),
            "guest: . 7000:8000 ack 0 win 10000\n"
            "guest: . 8000:9000 ack 0 win 10000\n"
            "guest: P. 9000:10000 ack 0 win 10000\n"
            "peer: . 0:0 ack 10000 win 59535");
  t.Guest({.ack = 10000, .window = 4000});
  t.Sent();
  ExpectLeft(t);
}

TEST(AfterLeaving, ThePromiseStandsWhenAdoptedAgain) {
  Overrun t;
  EXPECT_EQ(t.Adopt(), AdoptRefusal::kNone);
  EXPECT_EQ(t.budget.reserved(), 65535u);
}

}  // namespace
}  // namespace stubdomain
