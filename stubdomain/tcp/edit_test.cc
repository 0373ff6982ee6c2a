// Traces: bytes that are kept for the guest are changed on their way.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "tcp/flow_trace.h"

namespace stubdomain {
namespace {

EditRefusal Edit(FlowTrace& t, uint64_t position, uint32_t length,
                 std::string_view replacement) {
  return t.flow->EditReply(
      position, length,
      {reinterpret_cast<const uint8_t*>(replacement.data()),
       replacement.size()},
      t.now, t);
}

TEST(Editing, RemovedBytesShiftTheRestOfTheConnection) {
  KeptTrace t("hello cruel world");
  EXPECT_EQ(Edit(t, 5, 6, ""), EditRefusal::kNone);
  EXPECT_EQ(t.Sent(), "");
  EXPECT_EQ(t.flow->kept(), 11u);
  EXPECT_EQ(t.flow->peer_bytes(), 11u);
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:11 ack 7 win 10000 'hello world'");
  t.Guest({.seq = 7, .ack = 11});
  EXPECT_EQ(t.Sent(), "");
  ExpectLeft(t);
  // The peer counts six bytes more than the guest from here on.
  t.Peer({.seq = 17, .ack = 7, .data = "more"});
  EXPECT_EQ(t.Sent(), "guest: . 11:15 ack 7 win 10000 'more'");
  t.Guest({.seq = 7, .ack = 15, .data = "thanks"});
  EXPECT_EQ(t.Sent(), "peer: . 7:13 ack 21 win 10000 'thanks'");
  t.Peer({.seq = 21, .ack = 13, .flags = "F."});
  EXPECT_EQ(t.Sent(), "guest: F. 15:16 ack 13 win 10000");
  t.Guest({.seq = 13, .ack = 16, .flags = "F."});
  EXPECT_EQ(t.Sent(), "peer: F. 13:14 ack 22 win 10000");
  t.Peer({.seq = 22, .ack = 14});
  EXPECT_EQ(t.Sent(), "guest: . 16:16 ack 14 win 10000");
  EXPECT_TRUE(t.flow->closed());
}

TEST(Editing, AddedBytesShiftTheRestOfTheConnection) {
  KeptTrace t("hello world");
  EXPECT_EQ(Edit(t, 5, 0, " new"), EditRefusal::kNone);
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:15 ack 7 win 10000 'hello new world'");
  t.Guest({.seq = 7, .ack = 15});
  EXPECT_EQ(t.Sent(), "");
  ExpectLeft(t);
  // A gap that the guest sees is one that the peer understands.
  t.Guest({.seq = 7, .ack = 15, .sack = {{20, 30}, {40, 50}}});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 11 win 10000 sack 16-26 36-46");
  t.Guest({.seq = 7, .ack = 15, .flags = "R."});
  EXPECT_EQ(t.Sent(), "peer: R. 7:7 ack 11 win 10000");
  EXPECT_TRUE(t.flow->closed());
}

TEST(Editing, AReplacementOfTheSameLengthLeavesThePathClear) {
  KeptTrace t("hello world");
  EXPECT_EQ(Edit(t, 6, 5, "WORLD"), EditRefusal::kNone);
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:11 ack 7 win 10000 'hello WORLD'");
  t.Guest({.seq = 7, .ack = 11});
  EXPECT_EQ(t.Peer({.seq = 11, .ack = 7, .data = "more"}), Verdict::kPass);
}

TEST(Editing, AllCanBeTakenAway) {
  KeptTrace t("secret");
  EXPECT_EQ(Edit(t, 0, 6, ""), EditRefusal::kNone);
  EXPECT_EQ(t.flow->kept(), 0u);
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "");
  ExpectLeft(t);
  t.Peer({.seq = 6, .ack = 7, .data = "public"});
  EXPECT_EQ(t.Sent(), "guest: . 0:6 ack 7 win 10000 'public'");
}

TEST(Editing, OldSegmentsAndSuchAsStraddleTheEditStayOld) {
  KeptTrace t("hello cruel world");
  EXPECT_EQ(Edit(t, 5, 6, ""), EditRefusal::kNone);
  t.Peer({.seq = 0, .ack = 7, .data = "hello"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 17 win 65535");
  t.Peer({.seq = 11, .ack = 7, .data = " world!"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 18 win 65534");
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:12 ack 7 win 10000 'hello world!'");
}

TEST(Editing, WhatCameEarlyMovesAlong) {
  KeptTrace t("hello world", {.sack = true});
  t.Peer({.seq = 15, .ack = 7, .flags = "F.", .data = "later"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 11 win 65535 sack 15-20");
  EXPECT_EQ(Edit(t, 0, 6, ""), EditRefusal::kNone);
  t.Peer({.seq = 11, .ack = 7, .data = " or "});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 21 win 65525");
  EXPECT_TRUE(t.flow->peer_closed());
  EXPECT_EQ(Edit(t, 14, 0, "!"), EditRefusal::kNone);
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: FP. 0:16 ack 7 win 10000 'world or later!'");
  t.Guest({.seq = 7, .ack = 16});
  ExpectLeft(t);
  // The guest closes as well, and the peer's last acknowledgement gets there.
  t.Guest({.seq = 7, .ack = 16, .flags = "F."});
  EXPECT_EQ(t.Sent(), "peer: F. 7:8 ack 21 win 10000");
  t.Peer({.seq = 21, .ack = 8});
  EXPECT_EQ(t.Sent(), "guest: . 16:16 ack 8 win 10000");
  EXPECT_TRUE(t.flow->closed());
}

TEST(Editing, WhatIsUrgentMovesAlong) {
  KeptTrace t("hello");
  t.Peer({.seq = 5, .ack = 7, .flags = "PU.", .data = " stop!", .urgent = 6});
  t.Sent();
  EXPECT_EQ(Edit(t, 0, 6, ""), EditRefusal::kNone);
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: PU. 0:5 ack 7 win 10000 urg 5 'stop!'");
}

TEST(Editing, AReportOfADuplicateIsInThePeersNumbers) {
  KeptTrace t("hello world", {.sack = true});
  Edit(t, 0, 6, "");
  t.Peer({.seq = 0, .ack = 7, .data = "hello"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 11 win 65535 sack 0-5");
}

TEST(Editing, AResetOfThePeerFindsTheGuestWhereItIs) {
  KeptTrace t("hello cruel world");
  Edit(t, 5, 6, "");
  t.Peer({.seq = 17, .flags = "R"});
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:11 ack 7 win 10000 'hello world'");
  t.Guest({.seq = 7, .ack = 11});
  EXPECT_EQ(t.Sent(), "guest: R. 11:11 ack 7 win 10000");
  EXPECT_TRUE(t.flow->closed());
}

TEST(Editing, WhatTheGuestWasSentIsNotChanged) {
  KeptTrace t("hello");
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:5 ack 7 win 10000 'hello'");
  EXPECT_EQ(Edit(t, 4, 1, ""), EditRefusal::kSent);
  t.Adopt();
  t.Peer({.seq = 5, .ack = 7, .data = " world"});
  t.Sent();
  EXPECT_EQ(Edit(t, 4, 2, ""), EditRefusal::kSent);
  EXPECT_EQ(Edit(t, 5, 1, "_"), EditRefusal::kNone);
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:11 ack 7 win 10000 'hello_world'");
}

TEST(Editing, WhatIsNotKeptIsNotChanged) {
  FlowTrace following;
  following.Handshake();
  EXPECT_EQ(Edit(following, 0, 0, "x"), EditRefusal::kNotKept);
  KeptTrace t("hello");
  EXPECT_EQ(Edit(t, 5, 1, ""), EditRefusal::kNotKept);
  EXPECT_EQ(Edit(t, 6, 0, "x"), EditRefusal::kNotKept);
  EXPECT_EQ(Edit(t, 0, 0xffffffff, ""), EditRefusal::kNotKept);
  EXPECT_EQ(t.flow->kept(), 5u);
}

TEST(Editing, NothingIsAddedBeyondTheBudget) {
  KeptTrace t("hello");
  const uint64_t reserved = t.budget.reserved();
  t.budget.set_limit(reserved + 4);
  EXPECT_EQ(Edit(t, 5, 0, "12345"), EditRefusal::kNoRoom);
  EXPECT_EQ(t.flow->kept(), 5u);
  EXPECT_EQ(t.budget.reserved(), reserved);
  EXPECT_EQ(Edit(t, 5, 0, "1234"), EditRefusal::kNone);
  EXPECT_EQ(t.budget.reserved(), reserved + 4);
  EXPECT_EQ(Edit(t, 0, 9, ""), EditRefusal::kNone);
  EXPECT_EQ(t.budget.reserved(), reserved - 5);
}

TEST(Editing, AShiftOutlivesFurtherSuspendsEditsAndHandOvers) {
  KeptTrace t("hello cruel world");
  Edit(t, 5, 6, "");
  t.SaveAndLoad();
  t.ReleaseAndReplay();
  t.Guest({.seq = 7, .ack = 11});
  t.Sent();
  t.SaveAndLoad();
  EXPECT_EQ(t.flow->phase(), Phase::kFollowing);
  t.Adopt();
  t.Peer({.seq = 17, .ack = 7, .data = "and more"});
  EXPECT_EQ(t.Sent(), "peer: . 7:7 ack 25 win 65527");
  EXPECT_EQ(Edit(t, 11, 3, "a lot"), EditRefusal::kNone);
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 11:21 ack 7 win 10000 'a lot more'");
  t.Guest({.seq = 7, .ack = 21});
  ExpectLeft(t);
  t.Sent();
  t.Peer({.seq = 25, .ack = 7, .data = "x"});
  EXPECT_EQ(t.Sent(), "guest: . 21:22 ack 7 win 10000 'x'");
}

TEST(Editing, ANewConnectionOfTheSamePortsIsNotShifted) {
  KeptTrace t("hello cruel world", {.translation = {}});
  Edit(t, 5, 6, "");
  t.ReleaseAndReplay();
  t.Guest({.seq = 7, .ack = 11, .flags = "R."});
  t.Sent();
  ASSERT_TRUE(t.flow->closed());
  // A late repetition of the old SYN is not the beginning of another one.
  t.Guest({.seq = static_cast<uint32_t>(-1), .flags = "S"});
  EXPECT_TRUE(t.flow->closed());
  EXPECT_EQ(t.Guest({.seq = 100000, .flags = "S"}), Verdict::kPass);
  EXPECT_EQ(t.Peer({.seq = 100000, .ack = 100001, .flags = "S."}),
            Verdict::kPass);
  EXPECT_EQ(t.Guest({.seq = 100001, .ack = 100001}), Verdict::kPass);
  EXPECT_TRUE(t.flow->established());
}

TEST(Editing, GsoFramesStayWhole) {
  KeptTrace t("hello");
  Edit(t, 0, 5, "");
  t.ReleaseAndReplay();
  t.Sent();
  t.Guest({.seq = 7, .data = std::string(3000, 'x'), .gso = 1000});
  EXPECT_EQ(t.Sent(), "peer: . 7:3007 ack 5 win 10000 gso 1000");
}

SendRefusal Add(FlowTrace& t, std::string_view bytes) {
  return t.flow->SendInGuestsName(
      {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, t.now, t);
}

TEST(Adding, WhatTheGuestNeverSentShiftsTheRestOfTheConnection) {
  KeptTrace t("");
  EXPECT_EQ(Add(t, "again"), SendRefusal::kNone);
  EXPECT_EQ(t.Sent(), "peer: P. 7:12 ack 0 win 10000 'again'");
  t.Peer({.ack = 12, .data = "reply"});
  t.Sent();
  t.SaveAndLoad();
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(),
            "guest: . 0:0 ack 7 win 10000\n"
            "guest: P. 0:5 ack 7 win 10000 'reply'");
  t.Guest({.seq = 7, .ack = 5, .data = "more"});
  EXPECT_EQ(t.Sent(), "peer: . 12:16 ack 5 win 65535 'more'");
  t.Peer({.seq = 5, .ack = 16});
  EXPECT_EQ(t.Sent(), "guest: . 5:5 ack 11 win 10000");
}

TEST(Adding, IsSentAgainUntilItIsAcknowledged) {
  KeptTrace t("");
  Add(t, "again");
  Add(t, " and");
  t.Sent();
  t.SaveAndLoad();
  t.Pass(std::chrono::seconds(2));
  EXPECT_EQ(t.Sent(), "peer: P. 7:16 ack 0 win 10000 'again and'");
  // Even if the guest runs: it cannot.
  t.ReleaseAndReplay();
  EXPECT_NE(t.flow->phase(), Phase::kFollowing);
  t.flow->DropRecord();
  t.Sent();
  t.Pass(std::chrono::seconds(10));
  EXPECT_EQ(t.Sent().substr(0, 13), "peer: P. 7:16");
  t.Peer({.ack = 16});
  EXPECT_EQ(t.flow->phase(), Phase::kFollowing);
}

TEST(Adding, WhatTheGuestRepeatsIsNotTakenForNew) {
  KeptTrace t("");
  Add(t, "again");
  t.ReleaseAndReplay();
  t.Sent();
  // It does not know yet that its request has arrived.
  t.Guest({.flags = "P.", .data = "request"});
  EXPECT_EQ(t.Sent(), "guest: . 0:0 ack 2 win 10000");
  t.Guest({.seq = 7, .data = "more"});
  EXPECT_EQ(t.Sent().substr(0, 13), "peer: . 12:16");
  t.Peer({.ack = 16});
  EXPECT_EQ(t.Sent(), "guest: . 0:0 ack 11 win 10000");
  EXPECT_EQ(t.flow->phase(), Phase::kFollowing);
}

TEST(Adding, IsRefusedByName) {
  FlowTrace following;
  following.Handshake();
  EXPECT_EQ(Add(following, "x"), SendRefusal::kNotStopped);
  following.Guest({.data = "request"});
  following.Adopt();
  EXPECT_EQ(Add(following, "x"), SendRefusal::kBusy);
  FlowTrace opened;
  opened.Handshake();
  opened.Adopt();
  EXPECT_EQ(Add(opened, "x"), SendRefusal::kBusy);
  FlowTrace closed;
  closed.Handshake();
  closed.Guest({.flags = "F."});
  closed.Adopt();
  EXPECT_EQ(Add(closed, "x"), SendRefusal::kClosed);
  KeptTrace full("");
  const uint32_t bound = ResendPool().per_flow;
  EXPECT_EQ(Add(full, std::string(bound + 1, 'x')), SendRefusal::kNoRoom);
  EXPECT_EQ(full.Sent(), "");
  EXPECT_EQ(Add(full, std::string(bound, 'x')), SendRefusal::kNone);
}

}  // namespace
}  // namespace stubdomain
