// The way out of the suspend, as traces: why, how often, and what follows.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <algorithm>

#include "trace/trace.h"

namespace stubdomain {
namespace {

class RestoreTest : public testing::Test {
 protected:
  RestoreTest() {
    trace_.Connect(&talk_);
    trace_.Connect(&other_);
    trace_.Request(talk_, 10);
    trace_.Request(other_, 10);
  }

  void SuspendWith(const sd_wait& wait) {
    trace_.Wait(wait);
    trace_.SuspendNow();
    trace_.Take();
    ASSERT_EQ(trace_.info().state, SD_SUSPENDED);
  }

  Trace trace_;
  Talk talk_;
  Talk other_{40001};
};

TEST_F(RestoreTest, TheReplyRestoresOnce) {
  SuspendWith(Trace::WaitOn(talk_));
  EXPECT_EQ(trace_.PeerSends(talk_, 5), SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 5", "restore reply",
                                  "peer: ack 5 (40000)"}));
  EXPECT_EQ(trace_.info().state, SD_SUSPENDED);
  // More of it, before the VM runs.
  EXPECT_EQ(trace_.PeerSends(talk_, 7), SD_TAKEN);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  EXPECT_EQ(trace_.info().kept, 12u);
  trace_.Running();
  EXPECT_EQ(trace_.info().state, SD_RUNNING);
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+12 (40000)"}));
  trace_.GuestAcks(talk_);
  EXPECT_EQ(trace_.info().kept, 0u);
}

TEST_F(RestoreTest, TheStubLeavesThePath) {
  SuspendWith(Trace::WaitOn(talk_));
  trace_.PeerSends(talk_, 5);
  trace_.Running();
  trace_.GuestAcks(talk_);
  trace_.Pass(5000);
  trace_.Take();
  EXPECT_EQ(trace_.PeerSends(talk_, 7), SD_PASS);
  EXPECT_EQ(trace_.Send(talk_, Side::kGuest, talk_.Ack(Side::kGuest)), SD_PASS);
  EXPECT_EQ(talk_.received(Side::kGuest), 12u);
  EXPECT_EQ(trace_.Take(), Lines());
  EXPECT_EQ(sd_next_deadline(trace_.stub()), SD_NEVER);
}

TEST_F(RestoreTest, TheTimeOfTheCauseIsKnown) {
  EXPECT_EQ(trace_.info().condition_met, 0u);
  SuspendWith(Trace::WaitOn(talk_));
  EXPECT_EQ(trace_.info().condition_met, 0u);
  trace_.Pass(1234);
  const uint64_t met = trace_.now();
  trace_.PeerSends(talk_, 5);
  trace_.Pass(1);
  EXPECT_EQ(trace_.Restore(), SD_OK);
  trace_.Running();
  EXPECT_EQ(trace_.info().condition_met, met);
}

TEST_F(RestoreTest, StaysSuspendedUntilEnoughHasCome) {
  sd_wait wait = Trace::WaitOn(talk_);
  wait.bytes = 10;
  SuspendWith(wait);
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 10", "restore reply"}));
}

TEST_F(RestoreTest, BytesThatWereLostBetweenDoNotCountYet) {
  SuspendWith(Trace::WaitOn(talk_));
  const Frame lost = talk_.Data(Side::kPeer, 5);
  trace_.PeerSends(talk_, 7);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  trace_.Send(talk_, Side::kPeer, lost);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 12", "restore reply"}));
}

TEST_F(RestoreTest, ThePeersCloseRestores) {
  SuspendWith(Trace::WaitOn(talk_));
  EXPECT_EQ(trace_.Send(talk_, Side::kPeer, talk_.Fin(Side::kPeer)), SD_TAKEN);
  EXPECT_EQ(trace_.TakeNotices(), Lines({"ended 1 closed 0", "restore reply"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"guest: fin (40000)"}));
}

TEST_F(RestoreTest, ThePeersResetRestores) {
  SuspendWith(Trace::WaitOn(talk_));
  EXPECT_EQ(trace_.Send(talk_, Side::kPeer, talk_.Rst(Side::kPeer)), SD_TAKEN);
  EXPECT_EQ(trace_.TakeNotices(), Lines({"ended 1 reset 0", "restore reply"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"guest: reset (40000)"}));
}

TEST_F(RestoreTest, ATimeoutRestores) {
  sd_wait wait = Trace::WaitOn(talk_);
  wait.timeout_ms = 300;
  SuspendWith(wait);
  trace_.Pass(249);
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.Pass(1);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 timed-out 0", "restore timeout"}));
}

TEST_F(RestoreTest, ATimeoutWhileMemoryIsWrittenCancels) {
  sd_wait wait = Trace::WaitOn(talk_);
  wait.timeout_ms = 60;
  trace_.Wait(wait);
  trace_.Pass(50);
  trace_.Stopped();
  trace_.Take();
  trace_.Pass(10);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 timed-out 0", "restore timeout"}));
  trace_.Running();
  EXPECT_EQ(trace_.info().state, SD_RUNNING);
}

TEST_F(RestoreTest, TheHostRestores) {
  SuspendWith(Trace::WaitOn(talk_));
  EXPECT_EQ(trace_.Restore(), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"restore host"}));
  EXPECT_EQ(trace_.Restore(), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.Running();
  EXPECT_EQ(trace_.Restore(), SD_REFUSED_NOT_SUSPENDED);
}

TEST_F(RestoreTest, AWaitOutlivesARestoreWithAnotherCause) {
  SuspendWith(Trace::WaitOn(talk_));
  trace_.Restore();
  trace_.Running();
  trace_.Take();
  // It has proposed its suspend already.
  trace_.Pass(5000);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(trace_.TakeNotices(), Lines({"ended 1 replied 5"}));
}

TEST_F(RestoreTest, AWaitIsServedInTheNextSuspendToo) {
  SuspendWith(Trace::WaitOn(talk_));
  trace_.Restore();
  trace_.Running();
  trace_.Pass(5000);
  trace_.Suspend();
  trace_.Stopped();
  trace_.Suspended();
  trace_.Take();
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 5", "restore reply"}));
}

TEST_F(RestoreTest, TwoWaitsWithTheirRepliesInTheWrongOrder) {
  trace_.Wait(Trace::WaitOn(talk_));
  SuspendWith(Trace::WaitOn(other_));
  trace_.PeerSends(other_, 5);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 2 replied 5", "restore reply"}));
  trace_.PeerSends(talk_, 7);
  EXPECT_EQ(trace_.TakeNotices(), Lines({"ended 1 replied 7"}));
  trace_.Running();
  const Lines lines = trace_.Take();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "guest: data 0+7 (40000)"),
            1);
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "guest: data 0+5 (40001)"),
            1);
  EXPECT_EQ(lines.size(), 2u);
}

TEST_F(RestoreTest, ARestoreForOneWaitDoesNotEndTheOther) {
  trace_.Wait(Trace::WaitOn(talk_));
  SuspendWith(Trace::WaitOn(other_));
  trace_.PeerSends(other_, 5);
  trace_.Running();
  trace_.GuestAcks(other_);
  trace_.Pass(5000);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 2 replied 5", "restore reply"}));
  EXPECT_EQ(trace_.info().stubs, 1u);
}

TEST_F(RestoreTest, OneReplyEndsAllWaitsOnItsConnection) {
  sd_wait more = Trace::WaitOn(talk_);
  more.bytes = 6;
  trace_.Wait(Trace::WaitOn(talk_));
  trace_.Wait(more);
  SuspendWith(Trace::WaitOn(talk_));
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 5", "ended 3 replied 5", "restore reply"}));
  trace_.PeerSends(talk_, 1);
  EXPECT_EQ(trace_.TakeNotices(), Lines({"ended 2 replied 6"}));
}

TEST_F(RestoreTest, TheHostLaysAStubWhileTheVmIsSuspended) {
  SuspendWith(Trace::WaitOn(talk_));
  sd_wait wait = Trace::WaitOn(other_);
  wait.owner = SD_OWNER_HOST;
  wait.has_received = false;
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 2"}));
  trace_.PeerSends(other_, 5);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 2 replied 5", "restore reply"}));
}

TEST_F(RestoreTest, AStubThatIsLaidWhileSuspendedProposesNothingAfterwards) {
  SuspendWith(Trace::WaitOn(talk_));
  trace_.Wait(Trace::WaitOn(other_));
  trace_.Restore();
  trace_.Running();
  trace_.Pass(5000);
  EXPECT_EQ(trace_.TakeNotices(), Lines({"waiting 2", "restore host"}));
}

TEST_F(RestoreTest, AStubForWhatIsKeptAlreadyRestores) {
  sd_config config = Trace::DefaultConfig();
  config.unmatched = SD_UNMATCHED_IGNORE;
  sd_set_config(trace_.stub(), &config);
  SuspendWith(Trace::WaitOn(talk_));
  trace_.PeerSends(other_, 5);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  sd_wait wait = Trace::WaitOn(other_);
  wait.has_received = false;
  trace_.Wait(wait);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"waiting 2", "ended 2 replied 5", "restore reply"}));
}

TEST_F(RestoreTest, CancellingTheLastWaitLeavesTheVmSuspended) {
  SuspendWith(Trace::WaitOn(talk_));
  trace_.Cancel(SD_OWNER_HOST, 1);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 cancelled 0"}));
  EXPECT_EQ(trace_.info().state, SD_SUSPENDED);
}

TEST_F(RestoreTest, ContWhileSuspendedIsACorrectRestore) {
  SuspendWith(Trace::WaitOn(talk_));
  trace_.set_dispatches(false);
  trace_.PeerSends(talk_, 5);
  // Someone typed it before the restore was given out.
  trace_.Running();
  trace_.set_dispatches(true);
  trace_.Dispatch();
  const Lines notices = trace_.TakeNotices();
  EXPECT_EQ(notices, Lines({"ended 1 replied 5"}));
  trace_.GuestAcks(talk_);
  EXPECT_EQ(talk_.received(Side::kGuest), 5u);
}

TEST_F(RestoreTest, AFullBufferRestores) {
  sd_config config = Trace::DefaultConfig();
  config.flow_buffer = 20000;
  sd_set_config(trace_.stub(), &config);
  sd_wait wait = Trace::WaitOn(talk_);
  wait.bytes = 1 << 20;
  SuspendWith(wait);
  for (int i = 0; i < 60 && trace_.info().stubs > 0; ++i) {
    trace_.PeerSends(talk_, 1400);
  }
  const Lines notices = trace_.TakeNotices();
  ASSERT_EQ(notices.size(), 2u);
  EXPECT_TRUE(notices[0].starts_with("ended 1 replied ")) << notices[0];
  EXPECT_EQ(notices[1], "restore buffer");
}

TEST_F(RestoreTest, AFullBufferForAllRestores) {
  sd_config config = Trace::DefaultConfig();
  config.total_buffer = 100000;
  config.unmatched = SD_UNMATCHED_IGNORE;
  sd_set_config(trace_.stub(), &config);
  SuspendWith(Trace::WaitOn(talk_));
  for (int i = 0; i < 200 && trace_.info().condition_met == 0; ++i) {
    trace_.PeerSends(other_, 1400);
  }
  EXPECT_EQ(trace_.TakeNotices(), Lines({"restore buffer"}));
  EXPECT_EQ(trace_.info().stubs, 1u);
}

TEST_F(RestoreTest, AResetOfTheVmRestores) {
  SuspendWith(Trace::WaitOn(talk_));
  trace_.PeerSends(other_, 5);
  trace_.Running();
  trace_.Suspend();
  trace_.Pass(SD_QUIET_MS);
  trace_.Stopped();
  trace_.Suspended();
  trace_.Take();
  trace_.Reset();
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 reset 0", "restore host"}));
  EXPECT_EQ(trace_.info().kept, 0u);
  EXPECT_EQ(trace_.info().flows, 0u);
  trace_.Running();
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines());
}

TEST_F(RestoreTest, TheDeadlineIsWhenSomethingHappens) {
  sd_wait wait = Trace::WaitOn(talk_);
  wait.timeout_ms = 300;
  const auto expect_deadline = [&](uint64_t milliseconds, const Lines& lines) {
    const uint64_t deadline = sd_next_deadline(trace_.stub());
    EXPECT_EQ(deadline, trace_.now() + milliseconds * 1000000);
    EXPECT_FALSE(sd_pending(trace_.stub()));
    sd_dispatch(trace_.stub(), deadline - 1);
    EXPECT_FALSE(sd_pending(trace_.stub()));
    EXPECT_EQ(trace_.Take(), Lines());
    trace_.Pass(milliseconds);
    EXPECT_EQ(trace_.Take(), lines);
  };
  EXPECT_EQ(sd_next_deadline(trace_.stub()), SD_NEVER);
  trace_.Wait(wait);
  trace_.Take();
  expect_deadline(50, {"suspend"});
  trace_.Stopped();
  trace_.Suspended();
  expect_deadline(250, {"ended 1 timed-out 0", "restore timeout"});
  EXPECT_EQ(sd_next_deadline(trace_.stub()), SD_NEVER);
  trace_.PeerSends(talk_, 5);
  trace_.Agent(true);
  trace_.Running();
  trace_.Take();
  expect_deadline(500, {"guest: data 0+5 (40000)"});
}

}  // namespace
}  // namespace stubdomain
