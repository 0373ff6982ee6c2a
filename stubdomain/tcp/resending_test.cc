// Traces: the guest was stopped with something unacknowledged.
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

// With 3000 bytes of the guest recorded and under way; it may be stopped then.
class Recorded : public FlowTrace {
 public:
  explicit Recorded(const TraceSetup& setup = {.guest_window = kWide})
      : FlowTrace(setup) {
    Handshake();
    resend.recording = true;
    for (uint32_t at = 0; at < 3000; at += 1000) {
      Guest({.seq = at, .data = std::string(1000, 'x'), .window = kWide});
    }
  }
};

TEST(Resending, NothingIsRecordedUnlessASuspendIsNear) {
  FlowTrace t;
  t.Handshake();
  EXPECT_TRUE(t.flow->covered());
  t.Guest({.data = "request"});
  EXPECT_FALSE(t.flow->covered());
  EXPECT_EQ(t.resend.budget.reserved(), 0u);
  t.resend.recording = true;
  t.Guest({.seq = 7, .data = "more"});
  EXPECT_FALSE(t.flow->covered());
  EXPECT_EQ(t.resend.budget.reserved(), 4u);
  // What was sent before is acknowledged, or was sent again.
  t.Peer({.ack = 7});
  EXPECT_TRUE(t.flow->covered());
  t.Guest({.seq = 11, .flags = "F."});
  EXPECT_TRUE(t.flow->covered());
  t.flow->DropRecord();
  EXPECT_FALSE(t.flow->covered());
  EXPECT_EQ(t.resend.budget.reserved(), 0u);
}

TEST(Resending, AnotherSynForgetsWhatFollowedTheFormer) {
  FlowTrace t;
  t.resend.recording = true;
  t.Guest({.seq = static_cast<uint32_t>(-1), .flags = "S"});
  t.Guest({.data = "early"});
  EXPECT_EQ(t.resend.budget.reserved(), 5u);
  t.Guest({.seq = 70000, .flags = "S."});
  EXPECT_EQ(t.resend.budget.reserved(), 0u);
}

TEST(Resending, WhatTheGuestSendsAgainCloses) {
  FlowTrace t;
  t.Handshake();
  t.Guest({.data = "request"});
  t.resend.recording = true;
  t.Guest({.data = "request"});
  EXPECT_TRUE(t.flow->covered());
}

TEST(Resending, AWrongChecksumIsNotRecorded) {
  FlowTrace t;
  t.Handshake();
  t.resend.recording = true;
  t.Guest({.data = "request", .bad_checksum = true});
  EXPECT_EQ(t.resend.budget.reserved(), 0u);
}

TEST(Resending, MoreThanTheBoundIsNotCovered) {
  FlowTrace t({.peer_shift = 14});
  t.Handshake();
  t.Peer({.window = kWide});
  t.resend.recording = true;
  uint32_t at = 0;
  for (; at < t.resend.per_flow; at += 1 << 14) {
    EXPECT_TRUE(t.flow->covered());
    t.Guest({.seq = at, .data = std::string(1 << 14, 'x'), .gso = 1000});
  }
  EXPECT_TRUE(t.flow->covered());
  t.Guest({.seq = at, .data = "x"});
  EXPECT_FALSE(t.flow->covered());
  EXPECT_EQ(t.resend.budget.reserved(), t.resend.per_flow);
}

TEST(Resending, WhatIsNotAcknowledgedIsSentAgainAfterTheTimeout) {
  Recorded t;
  EXPECT_EQ(t.Adopt(), AdoptRefusal::kNone);
  t.Pass(milliseconds(999));
  EXPECT_EQ(t.Sent(), "");
  t.Pass(milliseconds(1));
  EXPECT_EQ(t.Sent(), "peer: . 0:1000 ack 0 win 65535");
  // RFC 6298, 5.5.
  t.Pass(milliseconds(1999));
  EXPECT_EQ(t.Sent(), "");
  t.Pass(milliseconds(1));
  EXPECT_EQ(t.Sent(), "peer: . 0:1000 ack 0 win 65535");
  t.Peer({.ack = 1000});
  EXPECT_EQ(t.Sent(),
            "peer: . 1000:2000 ack 0 win 65535\n"
            "peer: P. 2000:3000 ack 0 win 65535");
  t.Peer({.ack = 3000});
  EXPECT_EQ(t.flow->Deadline(), kNever);
  EXPECT_EQ(t.resend.budget.reserved(), 0u);
  // The guest is told, since the peer will not say it again.
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: . 0:0 ack 3000 win 10000");
  ExpectLeft(t);
}

TEST(Resending, TheTimeoutIsAtMostAMinute) {
  Recorded t;
  t.Adopt();
  t.Pass(seconds(1 + 2 + 4 + 8 + 16 + 32));
  t.Sent();
  t.Pass(seconds(59));
  EXPECT_EQ(t.Sent(), "");
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: . 0:1000 ack 0 win 65535");
}

TEST(Resending, AfterALossItBeginsSlowly) {
  FlowTrace t;
  t.Handshake();
  t.resend.recording = true;
  for (uint32_t at = 0; at < 10000; at += 1000) {
    t.Guest({.seq = at, .data = std::string(1000, 'x'), .window = kWide});
  }
  t.Adopt();
  t.Pass(seconds(1));
  t.Sent();
  const auto pieces = [&] {
    t.Sent();
    return t.frames().size();
  };
  t.Peer({.ack = 1000, .window = 65000});
  EXPECT_EQ(pieces(), 2u);
  t.Peer({.ack = 3000, .window = 65000});
  EXPECT_EQ(pieces(), 4u);
  t.Peer({.ack = 7000, .window = 65000});
  EXPECT_EQ(pieces(), 3u);
}

TEST(Resending, ThreeDuplicatesMeanALoss) {
  Recorded t;
  t.Adopt();
  t.Peer({.ack = 1000});
  t.Peer({.ack = 1000});
  t.Peer({.ack = 1000});
  EXPECT_EQ(t.Sent(), "");
  t.Peer({.ack = 1000});
  EXPECT_EQ(t.Sent(), "peer: . 1000:2000 ack 0 win 65535");
  t.Peer({.ack = 1000});
  EXPECT_EQ(t.Sent(), "");
  // RFC 6582: the next loss.
  t.Peer({.ack = 2000});
  EXPECT_EQ(t.Sent(), "peer: P. 2000:3000 ack 0 win 65535");
}

TEST(Resending, ThePeersWindowIsObeyed) {
  Recorded t;
  t.Peer({.ack = 1000, .window = 9000});
  t.Adopt();
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: . 1000:2000 ack 0 win 65535");
}

TEST(Resending, AClosedWindowIsProbed) {
  FlowTrace t({.guest_window = kWide});
  t.Handshake();
  t.resend.recording = true;
  t.Guest({.data = std::string(10000, 'x'), .window = kWide});
  t.Peer({.ack = 10000, .window = 0});
  t.Guest({.seq = 10000, .data = "?", .window = kWide});
  t.Adopt();
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "");
  // Nothing fits: it asks from here on, less and less often.
  t.Pass(seconds(2));
  EXPECT_EQ(t.Sent(), "peer: . 9999:9999 ack 0 win 65535");
  t.Pass(seconds(4));
  EXPECT_EQ(t.Sent(), "peer: . 9999:9999 ack 0 win 65535");
  t.Peer({.ack = 10000, .window = 1000});
  EXPECT_EQ(t.Sent(), "peer: P. 10000:10001 ack 0 win 65535 '?'");
  t.Peer({.ack = 10001, .window = 1000});
  EXPECT_EQ(t.flow->Deadline(), kNever);
}

// RFC 1191, 6.4: as much as the path takes.
TEST(Resending, SegmentsAreAsLongAsThePathTakes) {
  Recorded t;
  t.Adopt();
  t.flow->OnError({.seq = Seq(1001), .mtu = 640});
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: . 0:600 ack 0 win 65535");
  t.Peer({.ack = 600});
  EXPECT_EQ(t.Sent(),
            "peer: . 600:1200 ack 0 win 65535\n"
            "peer: . 1200:1800 ack 0 win 65535");
}

TEST(Resending, AFinIsSentAgain) {
  Recorded t;
  t.Guest({.seq = 3000, .flags = "F.", .window = kWide});
  t.Adopt();
  t.Peer({.ack = 2000});
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: . 2000:3000 ack 0 win 65535");
  t.Peer({.ack = 3000});
  EXPECT_EQ(t.Sent(), "peer: F. 3000:3001 ack 0 win 65535");
  t.Peer({.ack = 3001});
  EXPECT_EQ(t.flow->Deadline(), kNever);
}

TEST(Resending, WhatWasNotRecordedIsLeftToTheGuest) {
  FlowTrace t({.guest_window = kWide});
  t.Handshake();
  t.Guest({.data = "request", .window = kWide});
  t.Adopt();
  t.Pass(std::chrono::hours(1));
  EXPECT_EQ(t.Sent(), "");
  t.Release();
  EXPECT_EQ(t.Guest({.data = "request", .window = kWide}), Verdict::kPass);
}

TEST(Resending, AGuestThatRunsDoesItItself) {
  Recorded t;
  t.Peer({.data = "early", .window = 10000});
  t.Adopt();
  t.Peer({.data = "early"});
  t.Release();
  t.Sent();
  t.Pass(seconds(10));
  EXPECT_EQ(t.Sent(), "");
  EXPECT_EQ(t.Guest({.data = std::string(1000, 'x'), .window = kWide}),
            Verdict::kTaken);
  EXPECT_EQ(t.Sent(), "peer: . 0:1000 ack 5 win 65530");
  // Stopped again, the stub goes on.
  t.Adopt();
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: . 0:1000 ack 5 win 65530");
}

TEST(Resending, WhatComesWhileTheGuestIsStoppedIsRecordedToo) {
  Recorded t;
  t.Adopt();
  EXPECT_EQ(t.Guest({.seq = 3000, .data = "last", .window = kWide}),
            Verdict::kTaken);
  EXPECT_EQ(t.Sent(), "peer: . 3000:3004 ack 0 win 65535 'last'");
  EXPECT_TRUE(t.flow->covered());
  t.Peer({.ack = 3000});
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: P. 3000:3004 ack 0 win 65535 'last'");
}

TEST(Resending, TheFrozenTimestampsAreUsed) {
  FlowTrace t({.timestamps = true, .guest_window = kWide});
  t.Handshake();
  t.resend.recording = true;
  t.Guest({.data = "hello", .window = kWide, .ts = Timestamps{150, 200}});
  t.Adopt();
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: P. 0:5 ack 0 win 65535 ts 150/200 'hello'");
}

TEST(Resending, AGapIsReportedByAcknowledgementsAlone) {
  Recorded t({.sack = true, .guest_window = kWide});
  t.Adopt();
  t.Peer({.seq = 10, .data = "later"});
  EXPECT_EQ(t.Sent(), "peer: . 3000:3000 ack 0 win 65535 sack 10-15");
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: . 0:1000 ack 0 win 65535");
}

TEST(Resending, AResetEndsIt) {
  Recorded t;
  t.Adopt();
  t.Peer({.flags = "R"});
  t.Pass(seconds(100));
  EXPECT_EQ(t.Sent(), "");
}

TEST(Resending, ItIsSavedAndLoaded) {
  Recorded t;
  t.Adopt();
  t.Peer({.ack = 1000});
  t.SaveAndLoad();
  EXPECT_TRUE(t.flow->covered());
  EXPECT_EQ(t.resend.budget.reserved(), 2000u);
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: . 1000:2000 ack 0 win 65535");
}

TEST(Resending, WithoutRoomNothingIsSentToThePeer) {
  Recorded t;
  t.Adopt();
  t.Sent();
  t.room = false;
  t.Pass(seconds(20));
  EXPECT_EQ(t.Sent(), "");
  t.room = true;
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: . 0:1000 ack 0 win 65535");
  // The acknowledgement lets more go, but not now.
  t.room = false;
  t.Peer({.ack = 1000});
  EXPECT_EQ(t.flow->held_up(), Side::kPeer);
  EXPECT_EQ(t.Sent(), "");
  t.room = true;
  t.flow->GoOn(t.now, t);
  EXPECT_EQ(t.flow->held_up(), std::nullopt);
  EXPECT_EQ(t.Sent(),
            "peer: . 1000:2000 ack 0 win 65535\n"
            "peer: P. 2000:3000 ack 0 win 65535");
}

}  // namespace
}  // namespace stubdomain
