// The way into the suspend, as traces: proposals, quiet, cancelling, failing.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "trace/trace.h"

namespace stubdomain {
namespace {

class SuspendTest : public testing::Test {
 protected:
  SuspendTest() {
    trace_.Connect(&talk_);
    trace_.Request(talk_, 10);
  }

  sd_wait Wait() { return Trace::WaitOn(talk_); }

  Trace trace_;
  Talk talk_;
};

TEST_F(SuspendTest, AWaitProposesASuspendAfterTheDelay) {
  trace_.Wait(Wait());
  trace_.Pass(49);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  trace_.Pass(1);
  EXPECT_EQ(trace_.Take(), Lines({"suspend"}));
  EXPECT_EQ(trace_.info().state, SD_SUSPENDING);
  trace_.Stopped();
  EXPECT_EQ(trace_.info().state, SD_SUSPENDING);
  trace_.Suspended();
  EXPECT_EQ(trace_.info().state, SD_SUSPENDED);
  EXPECT_EQ(trace_.Take(), Lines());
}

TEST_F(SuspendTest, AWaitThatDoesNotProposeDoesNotSuspend) {
  sd_wait wait = Wait();
  wait.suspend = false;
  trace_.Wait(wait);
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
}

TEST_F(SuspendTest, ACancelledWaitDoesNotSuspend) {
  trace_.Wait(Wait());
  trace_.Cancel(SD_OWNER_GUEST, 1);
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "ended 1 cancelled 0"}));
}

// The guest's program goes on as soon as the peer has answered, before its NIC
// hands over what it sent last.
TEST_F(SuspendTest, AWaitMayComeBeforeTheLastFrameOfTheHandshake) {
  Talk late(40003);
  trace_.Know(&late);
  trace_.Send(late, Side::kGuest, late.Syn(Side::kGuest));
  trace_.Send(late, Side::kPeer, late.SynAck(Side::kPeer));
  EXPECT_EQ(trace_.Wait(Trace::WaitOn(late)), SD_OK);
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  trace_.Send(late, Side::kGuest, late.Ack(Side::kGuest));
  trace_.Pass(0);
  EXPECT_EQ(trace_.Take(), Lines({"suspend"}));
}

TEST_F(SuspendTest, AwaitedConnectionsMustBeQuiet) {
  trace_.Send(talk_, Side::kGuest, talk_.Data(Side::kGuest, 10));
  trace_.Wait(Wait());
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  trace_.Send(talk_, Side::kPeer, talk_.Ack(Side::kPeer));
  EXPECT_EQ(trace_.Take(), Lines({"suspend"}));
}

// From the proposal on the stub keeps what the guest sends.
TEST_F(SuspendTest, WhatIsSentAfterTheProposalIsNotWaitedFor) {
  trace_.Wait(Wait());
  trace_.Send(talk_, Side::kGuest, talk_.Data(Side::kGuest, 10));
  trace_.Pass(50);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "suspend"}));
  trace_.Stopped();
  trace_.Suspended();
  trace_.Pass(1000);
  EXPECT_EQ(trace_.Take(), Lines({"peer: data 10+10 (40000)"}));
  trace_.Send(talk_, Side::kPeer, talk_.Ack(Side::kPeer));
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines());
}

TEST_F(SuspendTest, AWaitThatIsOverEndsTheRecording) {
  trace_.Wait(Wait());
  trace_.Send(talk_, Side::kGuest, talk_.Data(Side::kGuest, 10));
  trace_.Cancel(SD_OWNER_GUEST, 1);
  trace_.Wait(Wait());
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(),
            Lines({"waiting 1", "ended 1 cancelled 0", "waiting 2"}));
}

TEST_F(SuspendTest, AReplyThatStreamsInIsNotWaitedFor) {
  Talk other(40001);
  trace_.Connect(&other);
  trace_.Send(other, Side::kPeer, other.Data(Side::kPeer, 10));
  trace_.Wait(Wait());
  trace_.Pass(50);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "suspend"}));
}

TEST_F(SuspendTest, AConnectionOfAnotherWaitMustBeQuietToo) {
  Talk other(40001);
  trace_.Connect(&other);
  trace_.Send(other, Side::kGuest, other.Data(Side::kGuest, 10));
  sd_wait no_proposal = Trace::WaitOn(other);
  no_proposal.suspend = false;
  trace_.Wait(no_proposal);
  trace_.Wait(Wait());
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "waiting 2"}));
  trace_.Send(other, Side::kPeer, other.Ack(Side::kPeer));
  EXPECT_EQ(trace_.Take(), Lines({"suspend"}));
}

TEST_F(SuspendTest, OtherConnectionsMayBeUnquietForAWhile) {
  Talk other(40001);
  trace_.Connect(&other);
  trace_.Send(other, Side::kGuest, other.Data(Side::kGuest, 10));
  trace_.Wait(Wait());
  trace_.Pass(50 + SD_QUIET_MS - 1);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  trace_.Pass(1);
  EXPECT_EQ(trace_.Take(), Lines({"suspend"}));
}

TEST_F(SuspendTest, ConnectionsThatCannotBeAdoptedAreNotWaitedFor) {
  Talk untracked(40001);
  trace_.Know(&untracked);
  trace_.Send(untracked, Side::kGuest, untracked.Data(Side::kGuest, 10));
  Talk closed(40002);
  trace_.Connect(&closed);
  trace_.Send(closed, Side::kGuest, closed.Data(Side::kGuest, 10));
  trace_.Send(closed, Side::kPeer, closed.Rst(Side::kPeer));
  trace_.Suspend();
  EXPECT_EQ(trace_.Take(), Lines({"suspend"}));
}

TEST_F(SuspendTest, OtherConnectionsThatGetQuietEndTheDelay) {
  Talk other(40001);
  trace_.Connect(&other);
  trace_.Send(other, Side::kGuest, other.Data(Side::kGuest, 10));
  trace_.Wait(Wait());
  trace_.Pass(100);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  trace_.Send(other, Side::kPeer, other.Ack(Side::kPeer));
  EXPECT_EQ(trace_.Take(), Lines({"suspend"}));
}

TEST_F(SuspendTest, AReplyBeforeTheSuspendMeansNoSuspend) {
  Talk other(40001);
  trace_.Connect(&other);
  trace_.Wait(Trace::WaitOn(other));
  trace_.Wait(Wait());
  trace_.Pass(49);
  trace_.PeerSends(talk_, 5);
  trace_.GuestAcks(talk_);
  trace_.Pass(5000);
  // Not for the other wait either: the guest has something to do.
  EXPECT_EQ(trace_.Take(),
            Lines({"waiting 1", "waiting 2", "ended 2 replied 5"}));
  EXPECT_EQ(trace_.info().stubs, 1u);
}

TEST_F(SuspendTest, TheHostSuspendsWithoutAWait) {
  EXPECT_EQ(trace_.Suspend(), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"suspend"}));
  EXPECT_EQ(trace_.Suspend(), SD_REFUSED_NOT_RUNNING);
  trace_.Stopped();
  EXPECT_EQ(trace_.Suspend(), SD_REFUSED_NOT_RUNNING);
  trace_.Suspended();
  EXPECT_EQ(trace_.Suspend(), SD_REFUSED_NOT_RUNNING);
}

TEST_F(SuspendTest, TheHostsSuspendWaitsForQuietForAWhile) {
  trace_.Send(talk_, Side::kGuest, talk_.Data(Side::kGuest, 10));
  sd_wait wait = Wait();
  wait.suspend = false;
  trace_.Wait(wait);
  trace_.Suspend();
  trace_.Pass(SD_QUIET_MS - 1);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  // Asking again does not begin anew.
  EXPECT_EQ(trace_.Suspend(), SD_OK);
  trace_.Pass(1);
  EXPECT_EQ(trace_.Take(), Lines({"suspend"}));
}

TEST_F(SuspendTest, AReplyCancelsTheHostsSuspendBeforeItBegins) {
  trace_.Send(talk_, Side::kGuest, talk_.Data(Side::kGuest, 10));
  trace_.Wait(Wait());
  trace_.Suspend();
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(trace_.Take(),
            Lines({"waiting 1", "ended 1 replied 5", "cancelled reply"}));
  trace_.GuestAcks(talk_);
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines());
}

TEST_F(SuspendTest, TheHostTakesBackItsSuspendBeforeItBegins) {
  trace_.Send(talk_, Side::kGuest, talk_.Data(Side::kGuest, 10));
  trace_.Suspend();
  EXPECT_EQ(trace_.Restore(), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"cancelled host"}));
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines());
  EXPECT_EQ(trace_.Restore(), SD_REFUSED_NOT_SUSPENDED);
}

TEST_F(SuspendTest, AReplyBeforeTheVcpusStoppedRestoresAtOnceThen) {
  trace_.Wait(Wait());
  trace_.Pass(50);
  EXPECT_EQ(trace_.PeerSends(talk_, 5), SD_PASS);
  EXPECT_EQ(trace_.Take(),
            Lines({"waiting 1", "suspend", "ended 1 replied 5"}));
  trace_.Stopped();
  EXPECT_EQ(trace_.Take(), Lines({"restore reply"}));
  trace_.Running();
  trace_.GuestAcks(talk_);
  EXPECT_EQ(trace_.info().state, SD_RUNNING);
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines());
}

TEST_F(SuspendTest, AReplyWhileMemoryIsWrittenCancels) {
  trace_.Wait(Wait());
  trace_.Pass(50);
  trace_.Stopped();
  trace_.Take();
  EXPECT_EQ(trace_.PeerSends(talk_, 5), SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 5", "restore reply",
                                  "peer: ack 5 (40000)"}));
  EXPECT_EQ(trace_.info().state, SD_SUSPENDING);
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+5 (40000)"}));
  trace_.GuestAcks(talk_);
  EXPECT_EQ(talk_.received(Side::kGuest), 5u);
  EXPECT_EQ(trace_.info().kept, 0u);
}

TEST_F(SuspendTest, TheWriteMayFinishBeforeTheCancelIsSeen) {
  trace_.Wait(Wait());
  trace_.Pass(50);
  trace_.Stopped();
  trace_.Take();
  trace_.set_dispatches(false);
  trace_.PeerSends(talk_, 5);
  trace_.Suspended();
  trace_.set_dispatches(true);
  trace_.Dispatch();
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 5", "restore reply",
                                  "peer: ack 5 (40000)"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+5 (40000)"}));
}

TEST_F(SuspendTest, AFailureBeforeTheVcpusStoppedIsNoSuspend) {
  trace_.Wait(Wait());
  trace_.Pass(50);
  trace_.Take();
  trace_.SuspendFailed();
  EXPECT_EQ(trace_.info().state, SD_RUNNING);
  // It is not tried again by itself, but the wait stands.
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 5"}));
}

TEST_F(SuspendTest, AReplyThatSlippedInDoesNotOutliveAFailure) {
  trace_.Wait(Wait());
  trace_.Pass(50);
  trace_.PeerSends(talk_, 5);
  trace_.SuspendFailed();
  trace_.GuestAcks(talk_);
  trace_.Take();
  trace_.Suspend();
  trace_.Stopped();
  trace_.Suspended();
  trace_.Pass(100);
  EXPECT_EQ(trace_.Take(), Lines({"suspend"}));
}

TEST_F(SuspendTest, AFailureAfterTheVcpusStoppedGoesBackToRunning) {
  trace_.Wait(Wait());
  trace_.Pass(50);
  trace_.Stopped();
  trace_.Take();
  trace_.SuspendFailed();
  // The glue runs the vCPUs by itself, so a reply needs no callback.
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 5", "peer: ack 5 (40000)"}));
  trace_.Running();
  EXPECT_EQ(trace_.info().state, SD_RUNNING);
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+5 (40000)"}));
  trace_.GuestAcks(talk_);
  trace_.Pass(5000);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
}

TEST_F(SuspendTest, AFailureIsNotRetried) {
  trace_.Wait(Wait());
  trace_.Pass(50);
  trace_.Stopped();
  trace_.SuspendFailed();
  trace_.Running();
  trace_.Take();
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines());
  EXPECT_EQ(trace_.info().stubs, 1u);
}

TEST_F(SuspendTest, ContWhileSuspendingCancels) {
  trace_.Wait(Wait());
  trace_.Pass(50);
  trace_.Stopped();
  trace_.Take();
  trace_.Running();
  EXPECT_EQ(trace_.info().state, SD_RUNNING);
  EXPECT_EQ(trace_.PeerSends(talk_, 5), SD_PASS);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 5"}));
}

TEST_F(SuspendTest, ContBeforeTheVcpusStoppedCancels) {
  trace_.Wait(Wait());
  trace_.Pass(50);
  trace_.Take();
  trace_.Running();
  EXPECT_EQ(trace_.info().state, SD_RUNNING);
  // A stop that is reported late is not ours.
  trace_.Stopped();
  trace_.Suspended();
  EXPECT_EQ(trace_.info().state, SD_RUNNING);
  EXPECT_EQ(trace_.PeerSends(talk_, 5), SD_PASS);
}

TEST_F(SuspendTest, ContWhileRunningIsNothing) {
  trace_.Wait(Wait());
  trace_.Running();
  trace_.Pass(49);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  trace_.Pass(1);
  EXPECT_EQ(trace_.Take(), Lines({"suspend"}));
}

TEST_F(SuspendTest, FramesOfTheGuestThatWereUnderWayPass) {
  trace_.Suspend();
  trace_.Stopped();
  trace_.Suspended();
  Talk other(40001);
  trace_.Know(&other);
  EXPECT_EQ(trace_.Send(other, Side::kGuest, other.Syn(Side::kGuest)), SD_PASS);
}

TEST_F(SuspendTest, BytesTheGuestLostAreSentAgain) {
  sd_wait wait = Wait();
  wait.bytes = 100;
  trace_.Wait(wait);
  trace_.Pass(50);
  trace_.Take();
  // Passed to the guest, but its vCPUs stopped before it saw them.
  EXPECT_EQ(trace_.Send(0, Side::kPeer, talk_.Data(Side::kPeer, 40)), SD_PASS);
  trace_.Stopped();
  trace_.Suspended();
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.Send(0, Side::kPeer, talk_.Resend(Side::kPeer, 0, 40));
  EXPECT_EQ(trace_.Take(), Lines({"peer: ack 40 (40000)"}));
  trace_.PeerSends(talk_, 60);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 100", "restore reply",
                                  "peer: ack 100 (40000)"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+100 (40000)"}));
}

}  // namespace
}  // namespace stubdomain
