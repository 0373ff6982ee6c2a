// Traces: a connection is taken from its socket, and given to another.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "tcp/flow_trace.h"

namespace stubdomain {
namespace {

constexpr uint32_t kBeforeFirst = static_cast<uint32_t>(-1);

class DetachedTrace : public FlowTrace {
 public:
  explicit DetachedTrace(const TraceSetup& setup = {}) : FlowTrace(setup) {
    Handshake();
    const auto ts = [&](uint32_t value, uint32_t echo) {
      return setup.timestamps ? std::optional(Timestamps{value, echo})
                              : std::nullopt;
    };
    Guest({.flags = "P.", .data = "request", .ts = ts(110, 200)});
    Peer({.ack = 7, .ts = ts(210, 110)});
    EXPECT_EQ(flow->Detach(now), DetachRefusal::kNone);
    EXPECT_EQ(Sent(), "");
  }
};

TEST(Detached, WhatTheGuestStillSendsGoesNowhere) {
  DetachedTrace t;
  EXPECT_EQ(t.Guest({.seq = 7, .flags = "F."}), Verdict::kTaken);
  EXPECT_EQ(t.Guest({.seq = 7, .flags = "R"}), Verdict::kTaken);
  EXPECT_EQ(t.Guest({.seq = 7, .data = "late"}), Verdict::kTaken);
  EXPECT_EQ(t.Sent(), "");
  EXPECT_TRUE(t.flow->established());
  t.Peer({.ack = 7, .data = "reply"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 5 win 65535");
}

TEST(Detached, ItStaysSoAcrossSuspendsAndHandOvers) {
  DetachedTrace t;
  t.Peer({.ack = 7, .data = "reply"});
  t.Sent();
  t.ReleaseAndReplay();
  t.Adopt();
  t.ReleaseAndReplay();
  t.SaveAndLoad();
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "");
  EXPECT_TRUE(t.flow->detached());
  EXPECT_EQ(t.flow->kept(), 5u);
}

TEST(Detached, AnotherSocketGoesOn) {
  DetachedTrace t;
  t.Peer({.ack = 7, .data = "reply"});
  t.Sent();
  SocketParameters socket;
  ASSERT_EQ(t.flow->Describe(&socket), DetachRefusal::kNone);
  EXPECT_EQ(socket.id, t.flow->guest_id());
  EXPECT_EQ(socket.send_next, t.First(Side::kGuest, Side::kGuest) + 7);
  EXPECT_EQ(socket.receive_next, t.First(Side::kPeer, Side::kGuest));
  EXPECT_EQ(socket.send_window, 10000u);
  EXPECT_EQ(socket.receive_window, 10000u);
  EXPECT_EQ(socket.mss, 1000);
  EXPECT_FALSE(socket.send_shift || socket.sack || socket.timestamps);
  EXPECT_EQ(t.flow->Reattach(), DetachRefusal::kNone);
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:5 ack 7 win 10000 'reply'");
  t.Guest({.seq = 7, .ack = 5});
  ExpectLeft(t);
  EXPECT_EQ(t.Guest({.seq = 7, .ack = 5, .data = "more"}), Verdict::kPass);
}

TEST(Detached, TheOtherSocketIsToldOfOptionsThatWereAgreedOn) {
  DetachedTrace t(
      {.timestamps = true, .sack = true, .guest_shift = 3, .peer_shift = 5});
  SocketParameters socket;
  ASSERT_EQ(t.flow->Describe(&socket), DetachRefusal::kNone);
  EXPECT_EQ(socket.send_shift, 5);
  EXPECT_EQ(socket.receive_shift, 3);
  EXPECT_EQ(socket.send_window, 10000u << 5);
  EXPECT_EQ(socket.receive_window, 10000u << 3);
  EXPECT_TRUE(socket.sack);
  EXPECT_TRUE(socket.timestamps);
  EXPECT_EQ(socket.last,
            (Timestamps{110 - TestTranslation().guest_clock, 210}));
}

TEST(Detached, WhatIsUnderWayHasToArriveFirst) {
  FlowTrace t;
  t.Handshake();
  t.Guest({.flags = "P.", .data = "request"});
  SocketParameters socket;
  EXPECT_EQ(t.flow->Describe(&socket), DetachRefusal::kNotDetached);
  EXPECT_EQ(t.flow->Reattach(), DetachRefusal::kNotDetached);
  EXPECT_EQ(t.flow->ConnectGuest(80), DetachRefusal::kNotDetached);
  EXPECT_EQ(t.flow->Detach(t.now), DetachRefusal::kNone);
  EXPECT_EQ(t.flow->Describe(&socket), DetachRefusal::kBusy);
  EXPECT_EQ(t.flow->Reattach(), DetachRefusal::kBusy);
  EXPECT_EQ(t.flow->ConnectGuest(80), DetachRefusal::kBusy);
  t.Peer({.ack = 7});
  EXPECT_EQ(t.flow->Reattach(), DetachRefusal::kNone);
}

TEST(Detached, OneThatIsNotEstablishedOrClosesIsRefused) {
  FlowTrace opening;
  opening.Guest({.seq = kBeforeFirst, .flags = "S"});
  EXPECT_EQ(opening.flow->Detach(opening.now), DetachRefusal::kNotEstablished);
  FlowTrace closing;
  closing.Handshake();
  closing.Guest({.flags = "F."});
  EXPECT_EQ(closing.flow->Detach(closing.now), DetachRefusal::kNotEstablished);
  FlowTrace late;
  late.Guest({.data = "late"});
  EXPECT_NE(late.flow->Detach(late.now), DetachRefusal::kNone);
}

TEST(Detached, AGuestThatConnectsAnewHasForgottenIt) {
  DetachedTrace t({.translation = {}});
  EXPECT_EQ(t.Guest({.seq = 100000, .flags = "S"}), Verdict::kPass);
  EXPECT_FALSE(t.flow->detached());
  EXPECT_EQ(t.flow->phase(), Phase::kFollowing);
}

// The guest chooses its numbers anew: they are translated from then on.
TEST(Detached, ThePeerConnectsToTheGuest) {
  DetachedTrace t({.timestamps = true, .translation = {}});
  t.Peer({.ack = 7, .data = "reply", .ts = Timestamps{220, 110}});
  t.Sent();
  ASSERT_EQ(t.flow->ConnectGuest(40000), DetachRefusal::kNone);
  EXPECT_TRUE(t.flow->unknown_to_guest());
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: S -1:0 win 10000 ts 220/0");
  // Sent again as long as nothing comes.
  t.Pass(std::chrono::milliseconds(200));
  EXPECT_EQ(t.Sent(), "guest: S -1:0 win 10000 ts 220/0");
  t.Guest({.seq = 777777,
           .ack = 0,
           .flags = "S.",
           .window = 3,
           .ts = Timestamps{9000, 220}});
  EXPECT_EQ(t.Sent(), "guest: . 0:3 ack 777778 win 10000 ts 220/9000 'rep'");
  t.Guest({.seq = 777778,
           .ack = 3,
           .data = "hello",
           .window = 100,
           .ts = Timestamps{9010, 220}});
  EXPECT_EQ(t.Sent(),
            "peer: . 7:12 ack 5 win 65535 ts 120/220 'hello'\n"
            "guest: P. 3:5 ack 777778 win 10000 ts 220/9000 'ly'");
  t.Peer({.seq = 5, .ack = 12, .ts = Timestamps{230, 120}});
  t.Guest({.seq = 777783, .ack = 5, .ts = Timestamps{9020, 230}});
  t.Sent();
  EXPECT_EQ(t.flow->phase(), Phase::kFollowing);
  t.Guest(
      {.seq = 777783, .ack = 5, .flags = "F.", .ts = Timestamps{9030, 230}});
  EXPECT_EQ(t.Sent(), "peer: F. 12:13 ack 5 win 10000 ts 140/230");
}

TEST(Detached, WhereNobodyListensThePeerIsReset) {
  DetachedTrace t({.translation = {}});
  t.flow->ConnectGuest(8080);
  t.ReleaseAndReplay();
  t.Sent();
  t.Guest({.seq = 0, .ack = 0, .flags = "R."});
  EXPECT_EQ(t.Sent(), "peer: R. 7:7 ack 0 win 10000");
  EXPECT_TRUE(t.flow->closed());
  EXPECT_EQ(t.budget.reserved(), 0u);
}

TEST(Detached, AGuestThatDoesNotAnswerIsGivenUp) {
  DetachedTrace t({.translation = {}});
  t.flow->ConnectGuest(8080);
  t.ReleaseAndReplay();
  t.Sent();
  t.Pass(std::chrono::seconds(60));
  EXPECT_EQ(t.frames().size(), 1u);
  t.Sent();
  EXPECT_EQ(t.frames().size(), GuestHandshake::kMaxSyns + 0u);
  EXPECT_TRUE(t.flow->closed());
}

TEST(Detached, AGuestWithoutTimestampsCannotTakeAConnectionThatHasThem) {
  DetachedTrace t({.timestamps = true, .translation = {}});
  t.flow->ConnectGuest(8080);
  t.ReleaseAndReplay();
  t.Sent();
  t.Guest({.seq = 777777, .ack = 0, .flags = "S."});
  EXPECT_EQ(t.Sent(), "peer: R. 7:7 ack 0 win 10000 ts 110/210");
  EXPECT_TRUE(t.flow->closed());
}

}  // namespace
}  // namespace stubdomain
