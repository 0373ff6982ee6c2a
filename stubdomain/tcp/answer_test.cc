// Traces: the stub answers in the peer's place.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "tcp/flow_trace.h"

namespace stubdomain {
namespace {

AnswerRefusal Answer(FlowTrace& t, uint64_t position, std::string_view bytes,
                     PeerEnd end, uint32_t length = 0) {
  return t.flow->Answer(
      position, length,
      {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, end,
      t.now, t);
}

TEST(Answering, TheGuestSeesThePeerAnswerAndClose) {
  KeptTrace t("");
  EXPECT_EQ(Answer(t, 0, "too late", PeerEnd::kFin), AnswerRefusal::kNone);
  EXPECT_EQ(t.Sent(), "peer: R. 7:7 ack 0 win 10000");
  t.SaveAndLoad();
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: FP. 0:9 ack 7 win 10000 'too late'");
  t.Guest({.seq = 7, .ack = 9});
  ExpectLeft(t);
  // The peer, should it have missed the reset, understands the guest's end.
  t.Guest({.seq = 7, .ack = 9, .flags = "F."});
  EXPECT_EQ(t.Sent(), "peer: F. 7:8 ack 0 win 10000");
}

TEST(Answering, WhatThePeerSendsLateGoesNowhere) {
  KeptTrace t("");
  Answer(t, 0, "too late", PeerEnd::kFin);
  t.Sent();
  t.Peer({.ack = 7, .data = "the reply"});
  EXPECT_EQ(t.Sent(), "peer: R. 7:7 ack 0 win 0");
  t.Peer({.seq = 9, .ack = 7, .flags = "R."});
  EXPECT_EQ(t.Sent(), "");
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: FP. 0:9 ack 7 win 10000 'too late'");
  t.Peer({.ack = 7, .data = "the reply"});
  EXPECT_EQ(t.Sent(), "peer: R. 7:7 ack 0 win 0");
  EXPECT_TRUE(t.flow->peer_closed());
}

TEST(Answering, APeerThatSendsForeverIsNotAnsweredForever) {
  KeptTrace t("");
  Answer(t, 0, "too late", PeerEnd::kFin);
  t.Sent();
  for (int i = 0; i < 50; ++i) t.Peer({.ack = 7, .data = "x"});
  t.Sent();
  EXPECT_EQ(t.frames().size(), 10u);
}

TEST(Answering, AHalfReplyIsReplaced) {
  KeptTrace t("first half a sec", {.sack = true});
  t.Peer({.seq = 20, .ack = 7, .data = "that came early"});
  t.Sent();
  EXPECT_EQ(Answer(t, 6, "too late", PeerEnd::kFin), AnswerRefusal::kNone);
  EXPECT_EQ(t.Sent(), "peer: R. 7:7 ack 16 win 65535");
  EXPECT_EQ(t.flow->kept(), 14u);
  t.SaveAndLoad();
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: FP. 0:15 ack 7 win 10000 'first too late'");
}

TEST(Answering, AResetComesBehindWhatIsKept) {
  KeptTrace t("first half");
  EXPECT_EQ(Answer(t, 6, "", PeerEnd::kReset), AnswerRefusal::kNone);
  EXPECT_EQ(t.Sent(), "peer: R. 7:7 ack 10 win 65535");
  EXPECT_TRUE(t.flow->peer_reset());
  t.SaveAndLoad();
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:6 ack 7 win 10000 'first '");
  t.Guest({.seq = 7, .ack = 6});
  EXPECT_EQ(t.Sent(), "guest: R. 6:6 ack 7 win 10000");
  EXPECT_TRUE(t.flow->closed());
}

TEST(Answering, AnOpenConnectionGoesOnBehindTheAnswer) {
  KeptTrace t("wrong, right");
  EXPECT_EQ(Answer(t, 0, "good", PeerEnd::kOpen, 5), AnswerRefusal::kNone);
  EXPECT_EQ(t.Sent(), "");
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:11 ack 7 win 10000 'good, right'");
  t.Guest({.seq = 7, .ack = 11});
  ExpectLeft(t);
  t.Peer({.seq = 12, .ack = 7, .data = "more"});
  EXPECT_EQ(t.Sent(), "guest: . 11:15 ack 7 win 10000 'more'");
}

TEST(Answering, AGuestThatRunsIsAnsweredAtOnce) {
  FlowTrace t;
  t.Handshake();
  t.Guest({.data = "request"});
  t.Peer({.ack = 7});
  EXPECT_EQ(Answer(t, 0, "too late", PeerEnd::kFin), AnswerRefusal::kNone);
  EXPECT_EQ(t.Sent(),
            "peer: R. 7:7 ack 0 win 10000\n"
            "guest: FP. 0:9 ack 7 win 10000 'too late'");
  t.Guest({.seq = 7, .ack = 9});
  EXPECT_EQ(t.flow->phase(), Phase::kFollowing);
}

TEST(Answering, AGuestThatRunsIsResetAtOnce) {
  FlowTrace t;
  t.Handshake();
  t.Guest({.data = "request"});
  t.Peer({.ack = 7});
  EXPECT_EQ(Answer(t, 0, "", PeerEnd::kReset), AnswerRefusal::kNone);
  EXPECT_EQ(t.Sent(),
            "peer: R. 7:7 ack 0 win 10000\n"
            "guest: R. 0:0 ack 7 win 10000");
  EXPECT_TRUE(t.flow->closed());
}

TEST(Answering, IsRefusedByName) {
  FlowTrace passing;
  passing.Handshake();
  passing.Guest({.data = "request"});
  passing.Peer({.ack = 7, .data = "half"});
  EXPECT_EQ(Answer(passing, 4, "x", PeerEnd::kFin), AnswerRefusal::kSent);
  passing.Guest({.seq = 7, .ack = 4});
  EXPECT_EQ(Answer(passing, 0, "x", PeerEnd::kFin), AnswerRefusal::kSent);
  EXPECT_EQ(passing.flow->phase(), Phase::kFollowing);

  KeptTrace gone("");
  gone.Peer({.ack = 7, .flags = "R."});
  EXPECT_EQ(Answer(gone, 0, "x", PeerEnd::kFin), AnswerRefusal::kUnfit);

  KeptTrace full("");
  full.budget.set_limit(full.budget.reserved());
  EXPECT_EQ(Answer(full, 0, "x", PeerEnd::kFin), AnswerRefusal::kNoRoom);
  EXPECT_EQ(full.Sent(), "");
  EXPECT_FALSE(full.flow->peer_closed());
}

}  // namespace
}  // namespace stubdomain
