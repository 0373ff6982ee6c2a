// After a restore, until the guest's agent is ready for what was kept.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "trace/trace.h"

namespace stubdomain {
namespace {

class ReadyTest : public testing::Test {
 protected:
  ReadyTest() {
    trace_.Agent(true);
    trace_.Connect(&talk_);
    trace_.Request(talk_, 10);
  }

  void SuspendByWait() {
    trace_.Wait(Trace::WaitOn(talk_));
    trace_.SuspendNow();
    trace_.Take();
  }

  // Suspends, and sends until no more is kept.
  void FillBuffer() {
    sd_config config = Trace::DefaultConfig();
    config.flow_buffer = 20000;
    config.ready_timeout_ms = 2 * SD_QUIET_MS;
    sd_set_config(trace_.stub(), &config);
    SuspendByWait();
    for (int i = 0; i < 60; ++i) trace_.PeerSends(talk_, 1400);
    trace_.Take();
  }

  Trace trace_;
  Talk talk_;
};

TEST_F(ReadyTest, WhatIsKeptWaitsForTheAgent) {
  SuspendByWait();
  trace_.PeerSends(talk_, 5);
  trace_.Running();
  trace_.Take();
  trace_.Pass(400);
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.Ready();
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+5 (40000)"}));
  trace_.GuestAcks(talk_);
  trace_.Take();
  // Once.
  trace_.Ready();
  trace_.Pass(5000);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  EXPECT_EQ(trace_.info().kept, 0u);
}

TEST_F(ReadyTest, WhatIsKeptDoesNotWaitForTheAgentForever) {
  SuspendByWait();
  trace_.PeerSends(talk_, 5);
  trace_.Running();
  trace_.Take();
  trace_.Pass(499);
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.Pass(1);
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+5 (40000)"}));
}

TEST_F(ReadyTest, AnAgentThatLeavesIsNotWaitedFor) {
  SuspendByWait();
  trace_.PeerSends(talk_, 5);
  trace_.Running();
  trace_.Take();
  trace_.Agent(false);
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+5 (40000)"}));
}

TEST_F(ReadyTest, WhatComesBeforeTheAgentIsReadyIsKeptBehindTheRest) {
  SuspendByWait();
  trace_.PeerSends(talk_, 5);
  trace_.Running();
  EXPECT_EQ(trace_.PeerSends(talk_, 7), SD_TAKEN);
  trace_.Take();
  trace_.Ready();
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+12 (40000)"}));
}

TEST_F(ReadyTest, AWaitBeforeTheAgentIsReadyFindsWhatIsKept) {
  SuspendByWait();
  trace_.PeerSends(talk_, 5);
  trace_.Running();
  trace_.Take();
  trace_.Wait(Trace::WaitOn(talk_));
  EXPECT_EQ(trace_.Take(), Lines({"waiting 2", "ended 2 replied 5"}));
}

TEST_F(ReadyTest, ASuspendBeforeTheAgentIsReadyKeepsWhatIsKept) {
  sd_config config = Trace::DefaultConfig();
  config.ready_timeout_ms = 2 * SD_QUIET_MS;
  sd_set_config(trace_.stub(), &config);
  SuspendByWait();
  trace_.PeerSends(talk_, 5);
  trace_.Running();
  trace_.Suspend();
  trace_.Pass(SD_QUIET_MS);
  trace_.Stopped();
  trace_.Suspended();
  EXPECT_EQ(sd_next_deadline(trace_.stub()), SD_NEVER);
  trace_.Take();
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.Restore();
  trace_.Running();
  trace_.Ready();
  EXPECT_EQ(trace_.Take(), Lines({"restore host", "guest: data 0+5 (40000)"}));
}

TEST_F(ReadyTest, AFullBufferDoesNotEndAWaitBeforeTheAgentIsReady) {
  FillBuffer();
  trace_.Running();
  sd_wait wait = Trace::WaitOn(talk_);
  wait.bytes = 1 << 20;
  trace_.Wait(wait);
  EXPECT_EQ(trace_.TakeNotices(), Lines({"waiting 2"}));
}

TEST_F(ReadyTest, AFullBufferDoesNotLetTheVmSleepAgain) {
  FillBuffer();
  trace_.Running();
  trace_.Suspend();
  trace_.Pass(SD_QUIET_MS);
  EXPECT_EQ(trace_.TakeNotices(), Lines({"suspend"}));
  trace_.Stopped();
  EXPECT_EQ(trace_.TakeNotices(), Lines({"restore buffer"}));
}

}  // namespace
}  // namespace stubdomain
