// Traces: an adopted connection, the guest being stopped.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "tcp/flow_trace.h"

namespace stubdomain {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// With the guest stopped, and nothing kept yet.
class Adopted : public KeptTrace {
 public:
  explicit Adopted(const TraceSetup& setup = {}) : KeptTrace("", setup) {}
};

constexpr uint16_t kWide = 65535;

TEST(Adopted, NothingIsSentUnasked) {
  Adopted t;
  t.Pass(std::chrono::hours(1));
  EXPECT_EQ(t.Sent(), "");
  EXPECT_EQ(t.flow->Deadline(), kNever);
}

TEST(Adopted, AReplyIsAcknowledgedAndKept) {
  Adopted t({.guest_window = kWide});
  EXPECT_EQ(t.Peer({.ack = 7, .data = "hello"}), Verdict::kTaken);
  EXPECT_EQ(t.flow->kept(), 5u);
  EXPECT_EQ(t.flow->peer_bytes(), 5u);
  EXPECT_EQ(t.flow->guest_acked_bytes(), 0u);
  EXPECT_FALSE(t.flow->level());
  EXPECT_TRUE(t.flow->needs_flush());
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 5 win 65530");
  EXPECT_FALSE(t.flow->needs_flush());
  EXPECT_EQ(t.Sent(), "");
}

TEST(Adopted, EverySecondFullSegmentIsAcknowledgedAtOnce) {
  Adopted t({.guest_window = kWide});
  const std::string full(1000, 'x');
  t.Peer({.seq = 0, .ack = 7, .data = full});
  t.Peer({.seq = 1000, .ack = 7, .data = full});
  EXPECT_FALSE(t.flow->needs_flush());
  t.Peer({.seq = 2000, .ack = 7, .data = full});
  EXPECT_TRUE(t.flow->needs_flush());
  EXPECT_EQ(t.Sent(),
            "peer: . 7:7 ack 2000 win 63535\n"
            "peer: . 7:7 ack 3000 win 62535");
}

TEST(Adopted, AGsoFrameIsOneLongSegment) {
  Adopted t({.guest_window = kWide});
  t.Peer({.ack = 7, .data = std::string(40000, 'x'), .gso = 1000});
  EXPECT_FALSE(t.flow->needs_flush());
  // More than half of the window is used up, so it grows.
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 40000 win 65535");
  EXPECT_EQ(t.flow->kept(), 40000u);
}

TEST(Adopted, ARepeatedSegmentIsAcknowledgedAgain) {
  Adopted t({.guest_window = kWide});
  t.Peer({.ack = 7, .data = "hello"});
  t.Sent();
  t.Peer({.ack = 7, .data = "hello"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 5 win 65530");
  EXPECT_EQ(t.flow->kept(), 5u);
}

TEST(Adopted, WhatOverlapsIsKeptOnce) {
  Adopted t({.guest_window = kWide});
  t.Peer({.ack = 7, .data = "hello"});
  t.Peer({.seq = 3, .ack = 7, .data = "LOworld"});
  EXPECT_EQ(t.flow->kept(), 10u);
  t.Sent();
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:10 ack 7 win 10000 'helloworld'");
}

TEST(Adopted, AGapIsReportedAtOnce) {
  Adopted t({.sack = true, .guest_window = kWide});
  t.Peer({.seq = 10, .ack = 7, .data = "later"});
  EXPECT_FALSE(t.flow->needs_flush());
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 0 win 65535 sack 10-15");
  EXPECT_EQ(t.flow->peer_bytes(), 0u);
  EXPECT_EQ(t.flow->kept(), 5u);
  // The block that changed last comes first.
  t.Peer({.seq = 20, .ack = 7, .data = "last"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 0 win 65535 sack 20-24 10-15");
  t.Peer({.seq = 15, .ack = 7, .data = "."});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 0 win 65535 sack 10-16 20-24");
  t.Peer({.seq = 0, .ack = 7, .data = "0123456789"});
  EXPECT_FALSE(t.flow->needs_flush());
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 16 win 65519 sack 20-24");
  EXPECT_EQ(t.flow->peer_bytes(), 16u);
}

TEST(Adopted, OnlySoManyRangesBehindGapsAreKept) {
  Adopted t({.sack = true, .guest_window = kWide, .config = {.max_ranges = 1}});
  t.Peer({.seq = 10, .ack = 7, .data = "later"});
  t.Peer({.seq = 20, .ack = 7, .data = "last"});
  EXPECT_EQ(t.flow->kept(), 5u);
  EXPECT_EQ(t.Sent(),
            "peer: . 7:7 ack 0 win 65535 sack 10-15\n"
            "peer: . 7:7 ack 0 win 65535 sack 10-15");
  t.Peer({.seq = 15, .ack = 7, .data = "more"});
  EXPECT_EQ(t.flow->kept(), 9u);
}

TEST(Adopted, WithoutSackAGapIsReportedByRepetition) {
  Adopted t({.guest_window = kWide});
  t.Peer({.seq = 10, .ack = 7, .data = "later"});
  t.Peer({.seq = 15, .ack = 7, .data = "later"});
  EXPECT_EQ(t.Sent(),
            "peer: . 7:7 ack 0 win 65535\n"
            "peer: . 7:7 ack 0 win 65535");
}

TEST(Adopted, ATimestampIsEchoedAndTheOwnStandsStill) {
  Adopted t({.timestamps = true, .guest_window = kWide});
  t.Peer({.ack = 7, .data = "hello", .ts = Timestamps{300, 110}});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 5 win 65530 ts 110/300");
  t.Pass(seconds(5));
  t.Peer({.seq = 5, .ack = 7, .data = "world", .ts = Timestamps{5300, 110}});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 10 win 65525 ts 110/5300");
}

TEST(Adopted, ASegmentBehindAGapDoesNotMoveTheEcho) {
  Adopted t({.timestamps = true, .guest_window = kWide});
  t.Peer({.seq = 5, .ack = 7, .data = "world", .ts = Timestamps{300, 110}});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 0 win 65535 ts 110/210");
}

TEST(Adopted, AnOldTimestampIsRejected) {
  Adopted t({.timestamps = true, .guest_window = kWide});
  t.Peer({.ack = 7, .data = "hello", .ts = Timestamps{300, 110}});
  t.Sent();
  t.Peer({.seq = 5, .ack = 7, .data = "older", .ts = Timestamps{299, 110}});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 5 win 65530 ts 110/300");
  EXPECT_EQ(t.flow->kept(), 5u);
}

TEST(Adopted, AfterALongSilenceAnOldTimestampMayBeANewOne) {
  Adopted t({.timestamps = true, .guest_window = kWide});
  t.Pass(kTimestampsExpire);
  const uint32_t wrapped = 210 + (uint32_t{3} << 30);
  t.Peer({.ack = 7, .data = "hello", .ts = Timestamps{wrapped, 110}});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 5 win 65530 ts 110/3221225682");
}

TEST(Adopted, WithoutABufferTheWindowCloses) {
  Adopted t({.guest_window = 4000, .config = {.buffer = 4000}});
  const std::string full(1000, 'x');
  for (uint32_t i = 0; i < 4; ++i) {
    t.Peer({.seq = i * 1000, .ack = 7, .data = full});
  }
  EXPECT_EQ(t.Sent(),
            "peer: . 7:7 ack 2000 win 2000\n"
            "peer: . 7:7 ack 4000 win 0");
  EXPECT_TRUE(t.flow->full());
  // The peer looks whether it is still closed.
  t.Peer({.seq = 4000, .ack = 7, .data = "y"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 4000 win 0");
  EXPECT_EQ(t.flow->kept(), 4000u);
  t.Peer({.seq = 3999, .ack = 7});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 4000 win 0");
}

TEST(Adopted, TheWindowGrowsUpToTheBufferAsLongAsThePeerUsesIt) {
  Adopted t({.guest_shift = 4,
             .peer_shift = 4,
             .guest_window = 4096,
             .config = {.buffer = 300000, .keepalive = {}}});
  EXPECT_FALSE(t.flow->full());
  uint32_t edge = 65536;
  uint32_t sent = 0;
  std::vector<uint32_t> windows;
  while (!t.flow->full()) {
    const uint32_t size = std::min(edge - sent, 60000u);
    t.Peer({.seq = sent, .ack = 7, .data = std::string(size, 'x')});
    sent += size;
    t.Sent();
    Packet packet;
    ASSERT_EQ(Parse(t.frames().back().bytes, {}, &packet), Malformed::kNo);
    const uint32_t now_edge = sent + (uint32_t{packet.tcp()->window} << 4);
    // Never back, but for what the scale rounds away.
    EXPECT_GT(now_edge + 16, edge);
    edge = std::max(edge, now_edge);
    ASSERT_LE(windows.size(), 20u);
    windows.push_back(packet.tcp()->window);
  }
  EXPECT_EQ(sent, 300000u);
  EXPECT_EQ(t.flow->kept(), 300000u);
  EXPECT_EQ(t.budget.reserved(), 300000u);
  EXPECT_EQ(windows.back(), 0u);
}

TEST(Adopted, WhatTheGuestHadPromisedIsKeptEvenBeyondTheBuffer) {
  Adopted t({.guest_window = 4000, .config = {.buffer = 1000}});
  EXPECT_EQ(t.budget.reserved(), 4000u);
  t.Peer({.ack = 7, .data = std::string(4000, 'x')});
  EXPECT_EQ(t.flow->kept(), 4000u);
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 4000 win 0");
}

TEST(Adopted, WhatTheBudgetLacksIsNotAcknowledged) {
  Adopted t({.guest_window = 4000, .budget = 1500});
  EXPECT_EQ(t.budget.reserved(), 1500u);
  t.Peer({.ack = 7, .data = std::string(4000, 'x')});
  EXPECT_EQ(t.flow->kept(), 1500u);
  EXPECT_TRUE(t.flow->full());
  // What the guest had promised is not taken back.
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 1500 win 2500");
  t.budget.set_limit(10000);
  t.Peer({.seq = 1500, .ack = 7, .data = std::string(2500, 'x')});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 1500 win 8500");
  t.Peer({.seq = 1500, .ack = 7, .data = std::string(2500, 'x')});
  EXPECT_EQ(t.flow->kept(), 4000u);
}

TEST(Adopted, AClosedWindowIsOpenedWhenThereIsRoom) {
  FlowTrace t({.guest_window = 0});
  t.Handshake();
  t.Adopt();
  t.Peer({.seq = static_cast<uint32_t>(-1), .ack = 0});
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 0 win 65535");
}

TEST(Adopted, AKeepaliveIsAnswered) {
  Adopted t({.guest_window = kWide});
  t.Peer({.seq = static_cast<uint32_t>(-1), .ack = 7});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 0 win 65535");
  t.Peer({.seq = static_cast<uint32_t>(-1), .ack = 7, .data = "?"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 0 win 65535");
  EXPECT_EQ(t.flow->kept(), 0u);
}

TEST(Adopted, KeepalivesAreSent) {
  Adopted t({.guest_window = kWide,
             .config = {.buffer = 1 << 20, .keepalive = seconds(45)}});
  t.Pass(seconds(44));
  EXPECT_EQ(t.Sent(), "");
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: . 6:6 ack 0 win 65535");
  // What the peer sends puts it off.
  t.Pass(seconds(30));
  t.Peer({.ack = 7});
  t.Pass(seconds(44));
  EXPECT_EQ(t.Sent(), "");
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: . 6:6 ack 0 win 65535");
}

TEST(Adopted, AFinIsAcknowledgedAndKept) {
  Adopted t({.guest_window = kWide});
  t.Peer({.ack = 7, .flags = "FP.", .data = "bye"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 4 win 65531");
  EXPECT_TRUE(t.flow->peer_closed());
  EXPECT_EQ(t.flow->peer_bytes(), 3u);
  // Only the bytes that are there take room.
  EXPECT_EQ(t.budget.reserved(), 3u);
  t.Peer({.ack = 7, .flags = "FP.", .data = "bye"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 4 win 65531");
}

TEST(Adopted, AFinBehindAGapWaits) {
  Adopted t({.guest_window = kWide});
  t.Peer({.seq = 3, .ack = 7, .flags = "F."});
  EXPECT_FALSE(t.flow->peer_closed());
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 0 win 65535");
  t.Peer({.ack = 7, .data = "byebye"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 4 win 65531");
  EXPECT_TRUE(t.flow->peer_closed());
  EXPECT_EQ(t.flow->peer_bytes(), 3u);
}

TEST(Adopted, AFinBeforeWhatHasComeIsNone) {
  Adopted t({.guest_window = kWide});
  t.Peer({.seq = 10, .ack = 7, .data = "later"});
  t.Peer({.seq = 3, .ack = 7, .flags = "F."});
  t.Peer({.seq = 0, .ack = 7, .data = "0123456789"});
  t.Sent();
  EXPECT_FALSE(t.flow->peer_closed());
  EXPECT_EQ(t.flow->peer_bytes(), 15u);
}

// Nobody could tell what was sent, neither the guest nor whoever loads it.
TEST(Adopted, AFinBeforeWhatWasSentToTheGuestIsNone) {
  FlowTrace t({.guest_window = kWide});
  t.Handshake();
  t.Peer({.seq = 10, .data = "later"});
  EXPECT_EQ(t.Adopt(), AdoptRefusal::kNone);
  t.Peer({.seq = 0, .flags = "F."});
  EXPECT_FALSE(t.flow->peer_closed());
  t.SaveAndLoad();
  t.Peer({.seq = 0, .data = "0123456789later"});
  t.Peer({.seq = 15, .flags = "F."});
  EXPECT_TRUE(t.flow->peer_closed());
  EXPECT_EQ(t.flow->peer_bytes(), 15u);
}

TEST(Adopted, NothingComesBehindAFin) {
  Adopted t({.guest_window = kWide});
  t.Peer({.ack = 7, .flags = "FP.", .data = "bye"});
  t.Sent();
  t.Peer({.seq = 3, .ack = 7, .data = "more"});
  t.Peer({.seq = 4, .ack = 7, .data = "more"});
  t.Peer({.seq = 9, .ack = 7, .flags = "F."});
  EXPECT_EQ(t.flow->kept(), 3u);
  t.Sent();
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: FP. 0:4 ack 7 win 10000 'bye'");
}

TEST(Adopted, AnExactResetIsNoted) {
  Adopted t({.guest_window = kWide});
  t.Peer({.ack = 7, .data = "hello"});
  t.Sent();
  t.Peer({.seq = 5, .flags = "R"});
  EXPECT_TRUE(t.flow->peer_reset());
  // The guest does not know yet.
  EXPECT_FALSE(t.flow->closed());
  EXPECT_FALSE(t.flow->level());
  // Whoever has reset wants nothing more.
  t.Peer({.seq = 5, .ack = 7, .data = "more"});
  t.Pass(std::chrono::hours(1));
  EXPECT_EQ(t.Sent(), "");
}

TEST(Adopted, AResetElsewhereInTheWindowIsChallenged) {
  Adopted t({.guest_window = kWide});
  t.Peer({.seq = 1, .flags = "R"});
  EXPECT_FALSE(t.flow->peer_reset());
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 0 win 65535");
  t.Peer({.seq = 100000, .flags = "R"});
  t.Peer({.seq = static_cast<uint32_t>(-1), .flags = "R"});
  EXPECT_FALSE(t.flow->peer_reset());
  EXPECT_EQ(t.Sent(), "");
}

TEST(Adopted, ASynIsChallenged) {
  Adopted t({.guest_window = kWide});
  t.Peer({.seq = 0, .flags = "S"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 0 win 65535");
  t.Peer({.seq = 123456, .flags = "S"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 0 win 65535");
  EXPECT_TRUE(t.flow->established());
}

TEST(Adopted, ChallengesAreLimited) {
  Adopted t({.guest_window = kWide});
  int answers = 0;
  for (int i = 0; i < 50; ++i) {
    t.Peer({.seq = 0, .flags = "S"});
    if (!t.Sent().empty()) ++answers;
  }
  EXPECT_EQ(answers, Adoption::kMaxChallenges);
  t.Pass(seconds(1));
  t.Peer({.seq = 0, .flags = "S"});
  EXPECT_NE(t.Sent(), "");
}

TEST(Adopted, WhatWasNeverSentIsNotAcknowledged) {
  Adopted t({.guest_window = kWide});
  t.Peer({.ack = 8, .data = "hello"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 0 win 65535");
  EXPECT_EQ(t.flow->kept(), 0u);
}

TEST(Adopted, ASegmentWithoutAckIsDropped) {
  Adopted t({.guest_window = kWide});
  t.Peer({.flags = "P", .data = "hello"});
  EXPECT_EQ(t.Sent(), "");
  EXPECT_EQ(t.flow->kept(), 0u);
}

TEST(Adopted, AWrongChecksumIsDropped) {
  Adopted t({.guest_window = kWide});
  EXPECT_EQ(t.Peer({.ack = 7, .data = "hello", .bad_checksum = true}),
            Verdict::kTaken);
  EXPECT_EQ(t.Peer({.flags = "R", .bad_checksum = true}), Verdict::kTaken);
  EXPECT_EQ(t.Sent(), "");
  EXPECT_EQ(t.flow->kept(), 0u);
  EXPECT_FALSE(t.flow->peer_reset());
}

TEST(Adopted, ALateAcknowledgementIsNoted) {
  FlowTrace t({.guest_window = kWide});
  t.Handshake();
  t.Guest({.flags = "P.", .data = "request", .window = kWide});
  EXPECT_EQ(t.Adopt(), AdoptRefusal::kNone);
  EXPECT_FALSE(t.flow->quiet());
  t.Peer({.ack = 7});
  EXPECT_TRUE(t.flow->quiet());
  EXPECT_EQ(t.Sent(), "");
  // The guest is told, since the peer will not say it again.
  t.Release();
  EXPECT_EQ(t.Sent(), "guest: . 0:0 ack 7 win 10000");
  EXPECT_EQ(t.flow->phase(), Phase::kFollowing);
}

TEST(Adopted, AProbeBeyondThePeersWindowDoesNotCount) {
  FlowTrace t({.guest_window = kWide});
  t.Handshake();
  t.Guest({.data = std::string(10000, 'x'), .window = kWide});
  t.Peer({.ack = 10000, .window = 0});
  t.Guest({.seq = 10000, .data = "?", .window = kWide});
  EXPECT_EQ(t.Adopt(), AdoptRefusal::kNone);
  t.Peer({.ack = 10000, .data = "hello", .window = 0});
  EXPECT_EQ(t.Sent(), "peer: . 10000:10000 ack 5 win 65530");
}

TEST(Adopted, FramesOfTheGuestThatWereUnderWayGoOut) {
  Adopted t({.guest_window = kWide});
  t.Peer({.ack = 7, .data = "hello"});
  t.Sent();
  EXPECT_EQ(t.Guest({.seq = 7, .flags = "P.", .data = "more", .window = 1}),
            Verdict::kTaken);
  EXPECT_EQ(t.Sent(), "peer: P. 7:11 ack 5 win 65530 'more'");
  EXPECT_FALSE(t.flow->quiet());
}

TEST(Adopted, NumbersMayWrap) {
  Adopted t({.guest_isn = Seq(0xfffffffa),
             .peer_isn = Seq(0xfffffffc),
             .sack = true,
             .guest_window = kWide});
  t.Peer({.seq = 8, .ack = 7, .data = "wrap"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 0 win 65535 sack 8-12");
  t.Peer({.seq = 0, .ack = 7, .data = "numbers "});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 12 win 65523");
  EXPECT_EQ(t.flow->peer_bytes(), 12u);
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:12 ack 7 win 10000 'numbers wrap'");
}

TEST(Adopted, Ipv6AndVlanAreKept) {
  Adopted t({.ipv6 = true, .vlan = 0x2064, .guest_window = kWide});
  t.Peer({.ack = 7, .data = "hello"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 5 win 65530");
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:5 ack 7 win 10000 'hello'");
}

}  // namespace
}  // namespace stubdomain
