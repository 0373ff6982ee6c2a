// Traces: a connection that is followed while the guest runs.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "tcp/flow_trace.h"

namespace stubdomain {
namespace {

constexpr uint32_t kBeforeFirst = static_cast<uint32_t>(-1);

TEST(Following, AHandshakeOfTheGuestEstablishes) {
  FlowTrace t;
  EXPECT_EQ(t.Guest({.seq = kBeforeFirst, .flags = "S"}), Verdict::kPass);
  EXPECT_TRUE(t.flow->tracked());
  EXPECT_FALSE(t.flow->established());
  EXPECT_EQ(t.Peer({.seq = kBeforeFirst, .flags = "S."}), Verdict::kPass);
  EXPECT_FALSE(t.flow->established());
  EXPECT_EQ(t.Guest({}), Verdict::kPass);
  EXPECT_TRUE(t.flow->established());
  EXPECT_TRUE(t.flow->quiet());
  EXPECT_EQ(t.flow->peer_bytes(), 0u);
  EXPECT_EQ(t.flow->guest_acked_bytes(), 0u);
  EXPECT_EQ(t.Sent(), "");
}

TEST(Following, AHandshakeOfThePeerEstablishes) {
  FlowTrace t;
  t.Peer({.seq = kBeforeFirst, .flags = "S"});
  t.Guest({.seq = kBeforeFirst, .flags = "S."});
  t.Peer({});
  EXPECT_TRUE(t.flow->tracked());
  EXPECT_TRUE(t.flow->established());
}

TEST(Following, BothSidesMayBeginAtOnce) {
  FlowTrace t;
  t.Guest({.seq = kBeforeFirst, .flags = "S"});
  t.Peer({.seq = kBeforeFirst, .flags = "S"});
  t.Guest({.seq = kBeforeFirst, .flags = "S."});
  t.Peer({.seq = kBeforeFirst, .flags = "S."});
  EXPECT_TRUE(t.flow->established());
}

TEST(Following, WithoutAFirstSynItIsNotTracked) {
  FlowTrace t;
  EXPECT_EQ(t.Guest({.data = "late"}), Verdict::kPass);
  EXPECT_EQ(t.Peer({.ack = 4, .data = "too"}), Verdict::kPass);
  EXPECT_FALSE(t.flow->tracked());
  EXPECT_EQ(t.Adopt(), AdoptRefusal::kNoSyn);
}

TEST(Following, AConnectionThatTheGuestHasNotAnsweredIsNotAdopted) {
  FlowTrace t;
  t.Peer({.seq = kBeforeFirst, .flags = "S"});
  EXPECT_EQ(t.Adopt(), AdoptRefusal::kUnanswered);
  EXPECT_EQ(t.Peer({.seq = kBeforeFirst, .flags = "S"}), Verdict::kPass);
  EXPECT_EQ(t.Sent(), "");
}

TEST(Following, EveryFramePassesAndIsCounted) {
  FlowTrace t;
  t.Handshake();
  EXPECT_EQ(t.Guest({.flags = "P.", .data = "request"}), Verdict::kPass);
  EXPECT_FALSE(t.flow->quiet());
  EXPECT_EQ(t.Peer({.ack = 7}), Verdict::kPass);
  EXPECT_TRUE(t.flow->quiet());
  EXPECT_EQ(t.Peer({.ack = 7, .data = "reply"}), Verdict::kPass);
  EXPECT_FALSE(t.flow->quiet());
  EXPECT_EQ(t.flow->peer_bytes(), 5u);
  EXPECT_EQ(t.flow->guest_acked_bytes(), 0u);
  EXPECT_EQ(t.Guest({.seq = 7, .ack = 5}), Verdict::kPass);
  EXPECT_TRUE(t.flow->quiet());
  EXPECT_EQ(t.flow->guest_acked_bytes(), 5u);
  EXPECT_EQ(t.flow->phase(), Phase::kFollowing);
  EXPECT_EQ(t.flow->Deadline(), kNever);
  EXPECT_EQ(t.Sent(), "");
}

TEST(Following, BytesBehindAGapDoNotCountUntilTheGuestHasThem) {
  FlowTrace t;
  t.Handshake();
  t.Peer({.seq = 5, .data = "later"});
  EXPECT_EQ(t.flow->peer_bytes(), 0u);
  t.Peer({.seq = 0, .data = "first"});
  EXPECT_EQ(t.flow->peer_bytes(), 5u);
  t.Guest({.ack = 10});
  EXPECT_EQ(t.flow->peer_bytes(), 10u);
}

TEST(Following, WhatDoesNotFitIsNotNoted) {
  FlowTrace t;
  t.Handshake();
  t.Peer({.seq = 1 << 22, .data = "far ahead"});
  t.Peer({.seq = static_cast<uint32_t>(-(1 << 22)), .data = "far behind"});
  t.Guest({.ack = 1});
  t.Peer({.ack = 1});
  EXPECT_TRUE(t.flow->quiet());
  EXPECT_EQ(t.flow->peer_bytes(), 0u);
  EXPECT_EQ(t.flow->guest_acked_bytes(), 0u);
}

TEST(Following, AFinIsNotAByte) {
  FlowTrace t;
  t.Handshake();
  t.Peer({.flags = "FP.", .data = "bye"});
  EXPECT_TRUE(t.flow->peer_closed());
  EXPECT_EQ(t.flow->peer_bytes(), 3u);
  EXPECT_FALSE(t.flow->quiet());
  t.Guest({.ack = 4});
  EXPECT_TRUE(t.flow->quiet());
  EXPECT_EQ(t.flow->guest_acked_bytes(), 3u);
  EXPECT_FALSE(t.flow->closed());
  t.Guest({.ack = 4, .flags = "F."});
  EXPECT_FALSE(t.flow->closed());
  t.Peer({.seq = 4, .ack = 1});
  EXPECT_TRUE(t.flow->closed());
  EXPECT_TRUE(t.flow->established());
}

TEST(Following, AFinBehindAGapDoesNotCloseYet) {
  FlowTrace t;
  t.Handshake();
  t.Peer({.seq = 5, .flags = "F."});
  EXPECT_FALSE(t.flow->peer_closed());
  t.Peer({.seq = 0, .data = "first"});
  t.Guest({.ack = 6});
  EXPECT_TRUE(t.flow->peer_closed());
}

TEST(Following, AResetInTheWindowEndsIt) {
  FlowTrace t;
  t.Handshake();
  EXPECT_EQ(t.Peer({.seq = 20000, .flags = "R"}), Verdict::kPass);
  EXPECT_FALSE(t.flow->closed());
  EXPECT_EQ(t.Peer({.seq = 0, .flags = "R."}), Verdict::kPass);
  EXPECT_TRUE(t.flow->peer_reset());
  EXPECT_TRUE(t.flow->closed());
  EXPECT_FALSE(t.flow->established());
  EXPECT_EQ(t.Adopt(), AdoptRefusal::kReset);
}

TEST(Following, AResetOfTheGuestEndsIt) {
  FlowTrace t;
  t.Handshake();
  t.Guest({.seq = 0, .flags = "R"});
  EXPECT_TRUE(t.flow->closed());
  EXPECT_FALSE(t.flow->peer_reset());
}

TEST(Following, AConnectionThatIsRefusedEnds) {
  FlowTrace t;
  t.Guest({.seq = kBeforeFirst, .flags = "S"});
  t.Peer({.ack = 5, .flags = "R."});
  EXPECT_FALSE(t.flow->closed());
  t.Peer({.ack = 0, .flags = "R."});
  EXPECT_TRUE(t.flow->closed());
}

TEST(Following, AFinOrResetWithAWrongChecksumMeansNothing) {
  FlowTrace t;
  t.Handshake();
  EXPECT_EQ(t.Peer({.flags = "R.", .bad_checksum = true}), Verdict::kPass);
  EXPECT_EQ(t.Peer({.flags = "F.", .data = "x", .bad_checksum = true}),
            Verdict::kPass);
  EXPECT_FALSE(t.flow->closed());
  t.Peer({.data = "hello"});
  EXPECT_EQ(t.flow->peer_bytes(), 5u);
}

TEST(Following, WhatHasAWrongChecksumAcknowledgesNothing) {
  FlowTrace t;
  t.Handshake();
  t.Guest({.data = "request"});
  t.Guest({.seq = 7, .data = "more"});
  EXPECT_EQ(t.Peer({.ack = 11, .bad_checksum = true}), Verdict::kPass);
  EXPECT_EQ(t.Peer({.ack = 11, .data = "x", .bad_checksum = true}),
            Verdict::kPass);
  EXPECT_FALSE(t.flow->quiet());
  EXPECT_EQ(t.flow->peer_bytes(), 0u);
}

// The network may change the order of segments that were sent a tick apart.
TEST(Following, TheClockOfASideDoesNotGoBack) {
  FlowTrace t({.timestamps = true, .guest_window = 65535});
  t.Handshake();
  t.Peer({.ts = Timestamps{301, 100}});
  t.Peer({.data = "hello", .ts = Timestamps{300, 100}});
  t.Adopt();
  t.Peer({.data = "hello", .ts = Timestamps{301, 100}});
  t.Sent();
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:5 ack 0 win 10000 ts 301/100 'hello'");
}

TEST(Following, ANewSynAfterTheEndBeginsAnew) {
  FlowTrace t;
  t.Handshake();
  t.Peer({.data = "hello"});
  t.Guest({.ack = 5, .flags = "R."});
  ASSERT_TRUE(t.flow->closed());
  t.Guest({.seq = 70000, .flags = "S"});
  EXPECT_FALSE(t.flow->closed());
  EXPECT_FALSE(t.flow->established());
  EXPECT_EQ(t.flow->peer_bytes(), 0u);
  t.Peer({.seq = 90000, .ack = 70001, .flags = "S."});
  t.Guest({.seq = 70001, .ack = 90001});
  EXPECT_TRUE(t.flow->established());
  EXPECT_TRUE(t.flow->tracked());
}

TEST(Following, ASynInTheMiddleChangesNothing) {
  FlowTrace t;
  t.Handshake();
  t.Peer({.data = "hello"});
  EXPECT_EQ(t.Guest({.seq = 70000, .flags = "S"}), Verdict::kPass);
  EXPECT_EQ(t.Peer({.seq = 70000, .flags = "S"}), Verdict::kPass);
  EXPECT_TRUE(t.flow->established());
  EXPECT_EQ(t.flow->peer_bytes(), 5u);
}

TEST(Following, BytesAreCountedOnWhenNumbersWrap) {
  FlowTrace t({.guest_isn = Seq(0xfffffff0), .peer_isn = Seq(0xffffff00)});
  t.Handshake();
  const std::string data(1000, 'x');
  for (uint32_t bytes = 0; bytes < 5000; bytes += 1000) {
    t.Peer({.seq = bytes, .data = data});
    t.Guest({.ack = bytes + 1000});
    EXPECT_EQ(t.flow->peer_bytes(), bytes + 1000);
    EXPECT_EQ(t.flow->guest_acked_bytes(), bytes + 1000);
  }
  EXPECT_TRUE(t.flow->quiet());
}

// What the three segments of a handshake with these options lead to.
bool Tracked(const TcpOptions& of_guest, const TcpOptions& of_peer) {
  Connection connection;
  connection.Observe(Side::kGuest, {}, {.flags = kSyn, .options = of_guest});
  connection.Observe(Side::kPeer, {},
                     {.ack = Seq(1), .flags = kSyn | kAck, .options = of_peer});
  connection.Observe(Side::kGuest, {},
                     {.seq = Seq(1), .ack = Seq(1), .flags = kAck});
  EXPECT_TRUE(connection.established());
  return connection.tracked();
}

TEST(Connection, IsNotTrackedIfTheBytesMeanMoreThanTheySay) {
  const TcpOptions plain;
  const TcpOptions multipath{.multipath = true};
  const TcpOptions authenticated{.authenticated = true};
  EXPECT_TRUE(Tracked(plain, plain));
  EXPECT_TRUE(Tracked(multipath, plain));
  EXPECT_FALSE(Tracked(multipath, multipath));
  EXPECT_FALSE(Tracked(authenticated, plain));
  EXPECT_FALSE(Tracked(plain, authenticated));
}

TEST(Stream, PositionsGoOnBeyondFourGigabytes) {
  Stream stream;
  stream.isn = Seq(0xfffffff0);
  stream.acked = (uint64_t{5} << 32) + 7;
  EXPECT_EQ(stream.acked_seq(), Seq(0xfffffff7));
  EXPECT_EQ(stream.PositionOf(Seq(0x00000007)), (uint64_t{5} << 32) + 0x17);
  EXPECT_EQ(stream.PositionOf(Seq(0xfffffff6)), (uint64_t{5} << 32) + 6);
  EXPECT_EQ(stream.acked_bytes(), (uint64_t{5} << 32) + 6);
}

}  // namespace
}  // namespace stubdomain
