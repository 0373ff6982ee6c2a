// Traces: the guest was stopped in the middle of a handshake, or of closing.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "tcp/flow_trace.h"

namespace stubdomain {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint32_t kSynSeq = static_cast<uint32_t>(-1);
constexpr uint16_t kWide = 65535;

TcpOptions OptionsOf(const Frame& frame) {
  Packet packet;
  EXPECT_EQ(Parse(frame.bytes, frame.offload, &packet), Malformed::kNo);
  return packet.tcp()->options;
}

const TraceSetup kAllOptions{.timestamps = true,
                             .sack = true,
                             .guest_shift = 7,
                             .peer_shift = 3,
                             .guest_mss = 1200,
                             .peer_mss = 1300,
                             .guest_window = kWide};

// The guest has sent its SYN, and was stopped.
class SynSent : public FlowTrace {
 public:
  explicit SynSent(const TraceSetup& setup = {}) : FlowTrace(setup) {
    Guest({.seq = kSynSeq,
           .flags = "S",
           .window = setup.guest_window,
           .ts = setup.timestamps ? std::optional(Timestamps{100, 0})
                                  : std::nullopt});
    EXPECT_TRUE(flow->covered());
    EXPECT_EQ(Adopt(), AdoptRefusal::kNone);
    EXPECT_EQ(flow->phase(), Phase::kAdopted);
  }
};

TEST(SynSent, TheSynIsSentAgain) {
  SynSent t(kAllOptions);
  t.Pass(milliseconds(999));
  EXPECT_EQ(t.Sent(), "");
  t.Pass(milliseconds(1));
  EXPECT_EQ(t.Sent(), "peer: S -1:0 win 65535 ts 100/0");
  const TcpOptions options = OptionsOf(t.frames()[0]);
  EXPECT_EQ(options.mss, 1200);
  EXPECT_EQ(options.window_shift, 7);
  EXPECT_TRUE(options.sack_permitted);
  t.Pass(seconds(2 + 4));
  EXPECT_EQ(t.Sent(),
            "peer: S -1:0 win 65535 ts 100/0\n"
            "peer: S -1:0 win 65535 ts 100/0");
}

TEST(SynSent, OptionsThatTheGuestDidNotOfferAreNotOffered) {
  SynSent t;
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: S -1:0 win 10000");
  const TcpOptions options = OptionsOf(t.frames()[0]);
  EXPECT_EQ(options.mss, 1000);
  EXPECT_FALSE(options.window_shift);
  EXPECT_FALSE(options.sack_permitted);
}

TEST(SynSent, TheAnswerIsAcknowledgedAndHandedOn) {
  SynSent t(kAllOptions);
  EXPECT_EQ(t.Peer({.seq = kSynSeq, .flags = "S.", .ts = Timestamps{200, 100}}),
            Verdict::kTaken);
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 0 win 511 ts 100/200");
  EXPECT_FALSE(t.flow->level());
  t.Peer({.data = "hello", .ts = Timestamps{210, 100}});
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 5 win 511 ts 100/210");
  t.Pass(seconds(100));
  EXPECT_EQ(t.Sent(), "");
  EXPECT_EQ(t.flow->peer_bytes(), 5u);

  t.Release();
  EXPECT_EQ(t.Sent(), "");
  t.Replay();
  EXPECT_EQ(t.Sent(), "guest: S. -1:0 ack 0 win 10000 ts 210/100");
  const TcpOptions options = OptionsOf(t.frames()[0]);
  EXPECT_EQ(options.mss, 1300);
  EXPECT_EQ(options.window_shift, 3);
  EXPECT_TRUE(options.sack_permitted);
  // Lost, and sent again.
  t.Pass(milliseconds(200));
  EXPECT_EQ(t.Sent(), "guest: S. -1:0 ack 0 win 10000 ts 210/100");
  EXPECT_EQ(t.Guest({.window = 512, .ts = Timestamps{101, 210}}),
            Verdict::kTaken);
  EXPECT_EQ(t.Sent(), "guest: P. 0:5 ack 0 win 10000 ts 210/100 'hello'");
  t.Guest({.ack = 5, .window = 512, .ts = Timestamps{102, 210}});
  t.Sent();
  ExpectLeft(t);
  EXPECT_TRUE(t.flow->established());
}

TEST(SynSent, TheGuestsFirstBytesGoThrough) {
  SynSent t;
  t.Peer({.seq = kSynSeq, .flags = "S."});
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(),
            "peer: . 0:0 ack 0 win 65535\n"
            "guest: S. -1:0 ack 0 win 10000");
  t.Guest({.flags = "P.", .data = "request"});
  EXPECT_EQ(t.Sent(), "peer: P. 0:7 ack 0 win 65535 'request'");
  ExpectLeft(t);
}

TEST(SynSent, ARepeatedAnswerIsAcknowledgedAgain) {
  SynSent t;
  t.Peer({.seq = kSynSeq, .flags = "S."});
  t.Sent();
  t.Peer({.seq = kSynSeq, .flags = "S."});
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 0 win 65535");
}

TEST(SynSent, ARefusalReachesTheGuestWhenItRuns) {
  SynSent t;
  t.Peer({.seq = 0, .ack = 0, .flags = "R."});
  EXPECT_TRUE(t.flow->peer_reset());
  EXPECT_EQ(t.flow->Deadline(), kNever);
  EXPECT_EQ(t.Sent(), "");
  t.SaveAndLoad();
  EXPECT_TRUE(t.flow->peer_reset());
  t.Release();
  const std::string sent = t.Sent();
  EXPECT_EQ(sent.substr(0, 9), "guest: R.");
  EXPECT_NE(sent.find(" ack 0 "), std::string::npos);
  EXPECT_TRUE(t.flow->closed());
  EXPECT_EQ(t.flow->phase(), Phase::kFollowing);
}

TEST(SynSent, WhatAnswersSomethingElseIsNoAnswer) {
  SynSent t;
  t.Peer({.seq = kSynSeq, .ack = 5, .flags = "S."});
  t.Peer({.seq = kSynSeq, .ack = kSynSeq, .flags = "S."});
  t.Peer({.ack = 5, .flags = "R."});
  t.Peer({.flags = "R"});
  t.Peer({.data = "hello"});
  t.Peer({.seq = kSynSeq, .flags = "S.", .bad_checksum = true});
  EXPECT_EQ(t.Sent(), "");
  EXPECT_FALSE(t.flow->peer_reset());
  EXPECT_FALSE(t.flow->answered());
}

TEST(SynSent, WithoutAnAnswerTheGuestGoesOnByItself) {
  SynSent t;
  t.Release();
  EXPECT_EQ(t.Sent(), "");
  ExpectLeft(t);
  EXPECT_EQ(t.Guest({.seq = kSynSeq, .flags = "S"}), Verdict::kPass);
  EXPECT_EQ(t.Peer({.seq = kSynSeq, .flags = "S."}), Verdict::kPass);
  EXPECT_EQ(t.Guest({}), Verdict::kPass);
  EXPECT_TRUE(t.flow->established());
}

TEST(SynSent, ItIsSavedAndLoaded) {
  SynSent t;
  t.SaveAndLoad();
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: S -1:0 win 10000");
  t.Peer({.seq = kSynSeq, .flags = "S."});
  t.Sent();
  t.SaveAndLoad();
  t.Peer({.data = "hello"});
  t.ReleaseAndReplay();
  t.Sent();
  t.Guest({});
  EXPECT_EQ(t.Sent(), "guest: P. 0:5 ack 0 win 10000 'hello'");
}

TEST(SynSent, BothSidesMayBeginAtOnce) {
  SynSent t;
  t.Peer({.seq = kSynSeq, .flags = "S"});
  // What the stub says first is the acknowledgement, then the SYN again.
  t.Sent();
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: S. -1:0 ack 0 win 10000");
  t.Peer({.seq = kSynSeq, .flags = "S."});
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 0 win 65535");
  t.Peer({.data = "hello"});
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(),
            "guest: S. -1:0 ack 0 win 10000\n"
            "peer: . 0:0 ack 5 win 65530");
  t.Guest({});
  EXPECT_EQ(t.Sent(), "guest: P. 0:5 ack 0 win 10000 'hello'");
}

// The peer's SYN-ACK is on its way into the guest, or was lost there.
TEST(SynAckSeen, TheStubAcknowledgesItAndHandsItOnAgain) {
  FlowTrace t;
  t.Guest({.seq = kSynSeq, .flags = "S"});
  t.Peer({.seq = kSynSeq, .flags = "S."});
  EXPECT_EQ(t.Adopt(), AdoptRefusal::kNone);
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 0 win 65535");
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: S. -1:0 ack 0 win 10000");
  t.Guest({});
  t.Sent();
  ExpectLeft(t);
}

// The guest has answered the peer's SYN, and was stopped.
class SynReceived : public FlowTrace {
 public:
  explicit SynReceived(const TraceSetup& setup = {}) : FlowTrace(setup) {
    Peer({.seq = kSynSeq, .flags = "S"});
    Guest({.seq = kSynSeq, .flags = "S."});
    EXPECT_EQ(Adopt(), AdoptRefusal::kNone);
    EXPECT_EQ(Sent(), "");
  }
};

TEST(SynReceived, TheAnswerIsSentAgain) {
  SynReceived t;
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: S. -1:0 ack 0 win 10000");
  t.Peer({.seq = kSynSeq, .flags = "S"});
  EXPECT_EQ(t.Sent(), "peer: S. -1:0 ack 0 win 10000");
  EXPECT_EQ(OptionsOf(t.frames()[0]).mss, 1000);
  t.SaveAndLoad();
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: S. -1:0 ack 0 win 10000");
}

TEST(SynReceived, WhatComesBehindIsKept) {
  SynReceived t;
  t.Peer({});
  EXPECT_TRUE(t.flow->established());
  EXPECT_EQ(t.flow->Deadline(), kNever);
  t.Peer({.data = "hello"});
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 5 win 65535");
  t.ReleaseAndReplay();
  // The guest's accept() returns with the first of these.
  EXPECT_EQ(t.Sent(),
            "guest: . 0:0 ack 0 win 10000\n"
            "guest: P. 0:5 ack 0 win 10000 'hello'");
  t.Guest({.ack = 5});
  t.Sent();
  ExpectLeft(t);
}

TEST(SynReceived, TheAcknowledgementAloneReachesTheGuest) {
  SynReceived t;
  t.Peer({});
  t.Release();
  EXPECT_EQ(t.Sent(), "guest: . 0:0 ack 0 win 10000");
  ExpectLeft(t);
}

TEST(SynReceived, AnAcknowledgementOfSomethingElseIsNone) {
  SynReceived t;
  t.Peer({.ack = kSynSeq, .data = "hello"});
  t.Peer({.ack = 1, .data = "hello"});
  t.Sent();
  EXPECT_EQ(t.flow->kept(), 0u);
  EXPECT_FALSE(t.flow->established());
}

TEST(SynReceived, AResetReachesTheGuest) {
  SynReceived t;
  t.Peer({.flags = "R"});
  t.Pass(seconds(100));
  EXPECT_EQ(t.Sent(), "");
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: R. 0:0 ack -1 win 10001");
  EXPECT_TRUE(t.flow->closed());
}

TEST(SynReceived, WithoutAnAnswerTheGuestGoesOnByItself) {
  SynReceived t;
  t.Release();
  EXPECT_EQ(t.Sent(), "");
  ExpectLeft(t);
  EXPECT_EQ(t.Guest({.seq = kSynSeq, .flags = "S."}), Verdict::kPass);
}

// -- closing --

TEST(Closing, AFinThatComesAgainIsAcknowledged) {
  FlowTrace t({.guest_window = kWide,
               .config = {.buffer = 1 << 20, .keepalive = seconds(1)}});
  t.Handshake();
  t.Guest({.flags = "F.", .window = kWide});
  t.Peer({.ack = 1});
  t.Peer({.ack = 1, .flags = "F."});
  t.Guest({.seq = 1, .ack = 1, .window = kWide});
  ASSERT_TRUE(t.flow->closed());
  EXPECT_EQ(t.Adopt(), AdoptRefusal::kNone);
  // Nobody is asked whether he is still there.
  t.Pass(seconds(100));
  EXPECT_EQ(t.Sent(), "");
  EXPECT_EQ(t.Peer({.ack = 1, .flags = "F."}), Verdict::kTaken);
  EXPECT_EQ(t.Sent(), "peer: . 1:1 ack 1 win 65535");
  t.Release();
  EXPECT_EQ(t.Sent(), "");
  ExpectLeft(t);
}

TEST(Closing, ANewConnectionBetweenTheSameEndsIsTheGuests) {
  FlowTrace t;
  t.Handshake();
  t.Guest({.flags = "F."});
  t.Peer({.ack = 1, .flags = "F."});
  t.Guest({.seq = 1, .ack = 1});
  ASSERT_TRUE(t.flow->closed());
  t.Adopt();
  EXPECT_EQ(t.Peer({.seq = 70000, .flags = "S"}), Verdict::kPass);
  EXPECT_EQ(t.flow->phase(), Phase::kFollowing);
  EXPECT_FALSE(t.flow->closed());
}

TEST(Closing, TheLastFinIsSentAgain) {
  FlowTrace t;
  t.Handshake();
  t.Peer({.flags = "F."});
  t.Guest({.ack = 1});
  t.Guest({.ack = 1, .flags = "F."});
  EXPECT_TRUE(t.flow->covered());
  EXPECT_EQ(t.Adopt(), AdoptRefusal::kNone);
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: F. 0:1 ack 1 win 10000");
  t.Peer({.seq = 1, .ack = 1});
  EXPECT_TRUE(t.flow->closed());
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: . 1:1 ack 1 win 10000");
  ExpectLeft(t);
}

TEST(Closing, BothSidesMayCloseAtOnce) {
  FlowTrace t;
  t.Handshake();
  t.Guest({.flags = "F."});
  t.Adopt();
  t.Peer({.flags = "F."});
  EXPECT_EQ(t.Sent(), "peer: . 1:1 ack 1 win 9999");
  t.Pass(seconds(1));
  EXPECT_EQ(t.Sent(), "peer: F. 0:1 ack 1 win 9999");
  t.Peer({.seq = 1, .ack = 1});
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(),
            "guest: . 0:0 ack 1 win 10000\n"
            "guest: F. 0:1 ack 1 win 10000");
  t.Guest({.seq = 1, .ack = 1});
  EXPECT_TRUE(t.flow->closed());
  t.Sent();
  ExpectLeft(t);
}

TEST(Closing, AfterTheGuestsFinThePeersBytesAreKept) {
  FlowTrace t;
  t.Handshake();
  t.Guest({.flags = "F."});
  t.Peer({.ack = 1});
  t.Adopt();
  t.Peer({.ack = 1, .flags = "FP.", .data = "bye"});
  EXPECT_EQ(t.Sent(), "peer: . 1:1 ack 4 win 9996");
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: FP. 0:4 ack 1 win 10000 'bye'");
}

}  // namespace
}  // namespace stubdomain
