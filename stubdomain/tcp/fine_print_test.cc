// Traces: what a TCP says beside the bytes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "tcp/flow_trace.h"

namespace stubdomain {
namespace {

using std::chrono::seconds;

constexpr uint32_t kSynSeq = static_cast<uint32_t>(-1);
constexpr uint16_t kWide = 65535;

// -- D-SACK (RFC 2883) --

TEST(DuplicateSack, WhatCameBeforeIsReportedOnce) {
  KeptTrace t("hello", {.sack = true, .guest_window = kWide});
  t.Peer({.ack = 7, .data = "hello"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 5 win 65530 sack 0-5");
  t.Peer({.seq = 5, .ack = 7, .data = "world"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 10 win 65525");
}

TEST(DuplicateSack, AnOldSegmentIsReported) {
  KeptTrace t("hello world", {.sack = true, .guest_window = kWide});
  t.Peer({.ack = 7, .data = "hello"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 11 win 65524 sack 0-5");
}

TEST(DuplicateSack, OfAPartOnlyThatPartIs) {
  KeptTrace t("hello", {.sack = true, .guest_window = kWide});
  t.Peer({.seq = 3, .ack = 7, .data = "lo world"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 11 win 65524 sack 3-5");
}

TEST(DuplicateSack, WhatIsBehindAGapFollows) {
  KeptTrace t("hello", {.sack = true, .guest_window = kWide});
  t.Peer({.seq = 10, .ack = 7, .data = "later"});
  t.Sent();
  t.Peer({.seq = 11, .ack = 7, .data = "ate"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 5 win 65530 sack 11-14 10-15");
}

TEST(DuplicateSack, WithoutSackNothingIsReported) {
  KeptTrace t("hello", {.guest_window = kWide});
  t.Peer({.ack = 7, .data = "hello"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 5 win 65530");
}

// -- ECN (RFC 3168) --

class Ecn : public FlowTrace {
 public:
  explicit Ecn(bool agreed) : FlowTrace({.guest_window = kWide}) {
    Guest({.seq = kSynSeq, .flags = "SEW", .window = kWide});
    Peer({.seq = kSynSeq, .flags = agreed ? "S.E" : "S."});
    Guest({.window = kWide});
    Adopt();
  }
};

TEST(Ecn, CongestionIsEchoedUntilThePeerHasHeardOfIt) {
  Ecn t(true);
  t.Peer({.data = "a"});
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 1 win 65534");
  t.Peer({.seq = 1, .data = "b", .congested = true});
  EXPECT_EQ(t.Sent(), "peer: .E 0:0 ack 2 win 65533");
  t.Peer({.seq = 2, .data = "c"});
  EXPECT_EQ(t.Sent(), "peer: .E 0:0 ack 3 win 65532");
  t.SaveAndLoad();
  t.Peer({.seq = 3, .data = "d"});
  EXPECT_EQ(t.Sent(), "peer: .E 0:0 ack 4 win 65531");
  t.Peer({.seq = 4, .flags = ".W", .data = "e"});
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 5 win 65530");
  t.Peer({.seq = 5, .flags = ".W", .data = "f", .congested = true});
  EXPECT_EQ(t.Sent(), "peer: .E 0:0 ack 6 win 65529");
}

TEST(Ecn, UnlessBothSidesAgreedTheMarkMeansNothing) {
  Ecn t(false);
  t.Peer({.data = "a", .congested = true});
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 1 win 65534");
}

TEST(Ecn, ASynThatIsSentAgainOffersItAgain) {
  FlowTrace t;
  t.Guest({.seq = kSynSeq, .flags = "SEW"});
  t.Adopt();
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: SEW -1:0 win 10000");
}

// -- urgent data (RFC 9293, 3.8.5) --

TEST(Urgent, TheGuestIsToldWhereItEnds) {
  KeptTrace t("", {.guest_window = kWide});
  t.Peer({.ack = 7, .flags = "PU.", .data = "hello!", .urgent = 6});
  t.Peer({.seq = 6, .ack = 7, .data = std::string(2000, 'x')});
  t.Sent();
  t.SaveAndLoad();
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(),
            "guest: U. 0:1000 ack 7 win 10000 urg 6\n"
            "guest: . 1000:2000 ack 7 win 10000\n"
            "guest: P. 2000:2006 ack 7 win 10000 'xxxxxx'");
}

TEST(Urgent, ItMayEndInALaterSegment) {
  KeptTrace t("", {.guest_window = kWide, .gso = true});
  t.Peer({.ack = 7, .flags = "U.", .data = "hello", .urgent = 1500});
  t.Peer({.seq = 5, .ack = 7, .data = std::string(1995, 'x')});
  t.Sent();
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(),
            "guest: U. 0:1000 ack 7 win 10000 urg 1500\n"
            "guest: PU. 1000:2000 ack 7 win 10000 urg 500");
}

TEST(Urgent, WhatTheGuestSentIsUrgentAgain) {
  FlowTrace t({.guest_window = kWide});
  t.Handshake();
  t.resend.recording = true;
  t.Guest({.flags = "PU.", .data = "stop!", .window = kWide, .urgent = 5});
  t.Adopt();
  t.SaveAndLoad();
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: PU. 0:5 ack 0 win 65535 urg 5 'stop!'");
}

}  // namespace
}  // namespace stubdomain
