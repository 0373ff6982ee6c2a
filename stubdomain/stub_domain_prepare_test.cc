// What the agent does before a suspend: it is told, and has its time.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "trace/trace.h"

namespace stubdomain {
namespace {

class PrepareTest : public testing::Test {
 protected:
  PrepareTest() {
    trace_.Agent(true, true);
    trace_.Connect(&talk_);
  }

  // A wait, and the delay before its suspend.
  void Propose() {
    trace_.Wait(Trace::WaitOn(talk_));
    trace_.Pass(50);
  }

  void ExpectNotices(const Lines& lines) {
    EXPECT_EQ(trace_.TakeNotices(), lines);
  }

  Trace trace_;
  Talk talk_;
};

TEST_F(PrepareTest, TheSuspendBeginsWhenTheAgentIsPrepared) {
  Propose();
  ExpectNotices({"waiting 1", "prepare"});
  trace_.Pass(300);
  ExpectNotices({});
  EXPECT_EQ(trace_.info().state, SD_RUNNING);
  trace_.Prepared();
  ExpectNotices({"suspend"});
}

TEST_F(PrepareTest, AnAgentThatHangsIsNotWaitedForForLong) {
  Propose();
  trace_.Pass(999);
  ExpectNotices({"waiting 1", "prepare"});
  trace_.Pass(1);
  ExpectNotices({"suspend"});
}

TEST_F(PrepareTest, AReplyMeanwhileEndsIt) {
  Propose();
  trace_.PeerSends(talk_, 5);
  ExpectNotices({"waiting 1", "prepare", "ended 1 replied 5", "in vain"});
  // What it says now is of a suspend that there was not.
  trace_.GuestAcks(talk_);
  trace_.Prepared();
  Propose();
  ExpectNotices({"waiting 2", "prepare"});
}

TEST_F(PrepareTest, AnInhibitMeanwhileEndsIt) {
  Propose();
  sd_inhibit(trace_.stub(), SD_OWNER_HOST, trace_.now());
  trace_.Dispatch();
  ExpectNotices({"waiting 1", "prepare", "in vain"});
  sd_allow(trace_.stub(), SD_OWNER_HOST, trace_.now());
  trace_.Dispatch();
  ExpectNotices({"prepare"});
}

TEST_F(PrepareTest, WhatItSendsDoesNotBeginItAnew) {
  Propose();
  trace_.Take();
  Talk other(40001);
  trace_.Connect(&other);
  trace_.Send(other, Side::kGuest, other.Data(Side::kGuest, 10));
  trace_.Prepared();
  trace_.Pass(2000);
  ExpectNotices({"suspend"});
}

TEST_F(PrepareTest, TheHostsSuspendIsAnnouncedToo) {
  trace_.Suspend();
  ExpectNotices({"prepare"});
  trace_.Prepared();
  ExpectNotices({"suspend"});
}

TEST_F(PrepareTest, TheHostCanTakeItBack) {
  trace_.Suspend();
  trace_.Restore();
  ExpectNotices({"prepare", "cancelled host", "in vain"});
}

// Its preparations keep the vCPUs busy.
TEST_F(PrepareTest, ItsOwnWorkIsNotWorkOfTheGuest) {
  sd_wait wait = Trace::WaitOn(talk_);
  wait.suspend = false;
  trace_.Wait(wait);
  sd_vcpus_idle(trace_.stub(), true, trace_.now());
  trace_.Dispatch();
  ExpectNotices({"waiting 1", "prepare"});
  sd_vcpus_idle(trace_.stub(), false, trace_.now());
  trace_.Prepared();
  ExpectNotices({"suspend"});
}

TEST_F(PrepareTest, OneThatDidNotAskIsNotTold) {
  trace_.Agent(true, false);
  Propose();
  ExpectNotices({"waiting 1", "suspend"});
}

TEST_F(PrepareTest, AnotherProcessTellsItAgain) {
  Propose();
  trace_.HandOver();
  ExpectNotices({"waiting 1", "prepare", "prepare"});
}

TEST(PrepareTimeoutTest, WithoutATimeNobodyIsTold) {
  sd_config config = Trace::DefaultConfig();
  config.prepare_timeout_ms = 0;
  Trace trace(config);
  trace.Agent(true, true);
  trace.Suspend();
  EXPECT_EQ(trace.Take(), Lines({"suspend"}));
}

}  // namespace
}  // namespace stubdomain
