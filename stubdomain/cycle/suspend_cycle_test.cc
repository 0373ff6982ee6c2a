// The VM's states: every event in every state.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "cycle/suspend_cycle.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

constexpr Time kNow{std::chrono::seconds(5)};

SuspendCycle Begun() {
  SuspendCycle cycle;
  cycle.Begin(true);
  return cycle;
}

SuspendCycle Idle() {
  SuspendCycle cycle;
  cycle.Begin(false);
  cycle.OnStopped();
  return cycle;
}

SuspendCycle Stopped() {
  SuspendCycle cycle = Begun();
  cycle.OnStopped();
  return cycle;
}

SuspendCycle Suspended() {
  SuspendCycle cycle = Stopped();
  cycle.OnSuspended();
  return cycle;
}

TEST(SuspendCycleTest, RunningIgnoresWhatIsNotItsOwn) {
  SuspendCycle cycle;
  EXPECT_FALSE(cycle.OnStopped());
  cycle.OnSuspended();
  cycle.OnSuspendFailed(kNow);
  cycle.RequestRestore(SD_REASON_HOST, kNow);
  EXPECT_FALSE(cycle.OnRunning(kNow));
  EXPECT_TRUE(cycle.running());
  EXPECT_FALSE(cycle.restore_requested());
  EXPECT_EQ(cycle.condition_met(), kNever);
}

TEST(SuspendCycleTest, GoesOnceRound) {
  SuspendCycle cycle = Begun();
  EXPECT_EQ(cycle.state(), SD_SUSPENDING);
  EXPECT_FALSE(cycle.stopped());
  EXPECT_TRUE(cycle.OnStopped());
  EXPECT_FALSE(cycle.OnStopped());
  EXPECT_EQ(cycle.state(), SD_SUSPENDING);
  EXPECT_TRUE(cycle.stopped());
  cycle.OnSuspended();
  EXPECT_EQ(cycle.state(), SD_SUSPENDED);
  EXPECT_TRUE(cycle.OnRunning(kNow));
  EXPECT_TRUE(cycle.running());
  EXPECT_FALSE(cycle.stopped());
}

TEST(SuspendCycleTest, ARestoreIsDueOnceTheVcpusAreStopped) {
  SuspendCycle cycle = Begun();
  cycle.RequestRestore(SD_REASON_TIMEOUT, kNow);
  EXPECT_FALSE(cycle.restore_due());
  cycle.OnSuspended();  // not stopped: not ours
  EXPECT_EQ(cycle.state(), SD_SUSPENDING);
  cycle.OnStopped();
  EXPECT_TRUE(cycle.restore_due());
}

TEST(SuspendCycleTest, ARestoreIsGivenOutOnceForTheFirstReason) {
  SuspendCycle cycle = Suspended();
  cycle.RequestRestore(SD_REASON_BUFFER, kNow);
  cycle.RequestRestore(SD_REASON_REPLY, kNow + std::chrono::seconds(1));
  EXPECT_TRUE(cycle.restore_due());
  EXPECT_EQ(cycle.TakeRestore(), SD_REASON_BUFFER);
  EXPECT_EQ(cycle.condition_met(), kNow);
  EXPECT_FALSE(cycle.restore_due());
  cycle.RequestRestore(SD_REASON_REPLY, kNow);
  EXPECT_FALSE(cycle.restore_due());
}

TEST(SuspendCycleTest, TheNextCycleHasARestoreOfItsOwn) {
  SuspendCycle cycle = Suspended();
  cycle.RequestRestore(SD_REASON_BUFFER, kNow);
  cycle.TakeRestore();
  cycle.OnRunning(kNow);
  cycle.Begin(true);
  cycle.OnStopped();
  EXPECT_FALSE(cycle.restore_requested());
  cycle.RequestRestore(SD_REASON_HOST, kNow);
  EXPECT_TRUE(cycle.restore_due());
}

TEST(SuspendCycleTest, ARestoreOfItsOwnAccordIsTheHosts) {
  SuspendCycle cycle = Suspended();
  cycle.OnRunning(kNow);
  EXPECT_EQ(cycle.condition_met(), kNow);
}

TEST(SuspendCycleTest, IdlesUntilMemoryIsToGo) {
  SuspendCycle cycle;
  cycle.Evict();
  EXPECT_TRUE(cycle.running());
  cycle.Begin(false);
  EXPECT_EQ(cycle.state(), SD_SUSPENDING);
  EXPECT_TRUE(cycle.OnStopped());
  EXPECT_EQ(cycle.state(), SD_IDLE);
  EXPECT_TRUE(cycle.stopped());
  cycle.OnSuspended();
  cycle.OnSuspendFailed(kNow);
  EXPECT_EQ(cycle.state(), SD_IDLE);
  cycle.Evict();
  EXPECT_EQ(cycle.state(), SD_SUSPENDING);
  EXPECT_FALSE(cycle.OnStopped());
  cycle.OnSuspended();
  EXPECT_EQ(cycle.state(), SD_SUSPENDED);
}

TEST(SuspendCycleTest, AnIdleVmCanBeRestored) {
  SuspendCycle cycle = Idle();
  cycle.RequestRestore(SD_REASON_REPLY, kNow);
  EXPECT_TRUE(cycle.restore_due());
  EXPECT_EQ(cycle.TakeRestore(), SD_REASON_REPLY);
  EXPECT_TRUE(cycle.OnRunning(kNow));
  EXPECT_TRUE(cycle.running());
}

TEST(SuspendCycleTest, AFailedEvictionNeedsNoRestore) {
  SuspendCycle cycle = Idle();
  cycle.Evict();
  cycle.OnSuspendFailed(kNow);
  EXPECT_TRUE(cycle.restore_requested());
  EXPECT_FALSE(cycle.restore_due());
  EXPECT_TRUE(cycle.OnRunning(kNow));
}

TEST(SuspendCycleTest, LoadsAsWhatTheMemoryIs) {
  const auto loads_as = [](const SuspendCycle& cycle) {
    Writer writer;
    cycle.Save(writer);
    Reader reader(writer.data());
    SuspendCycle other;
    EXPECT_TRUE(other.Load(reader, kNow));
    return other.state();
  };
  SuspendCycle about_to_idle;
  about_to_idle.Begin(false);
  SuspendCycle evicting = Idle();
  evicting.Evict();
  EXPECT_EQ(loads_as(SuspendCycle()), SD_RUNNING);
  EXPECT_EQ(loads_as(about_to_idle), SD_IDLE);
  EXPECT_EQ(loads_as(Idle()), SD_IDLE);
  EXPECT_EQ(loads_as(Begun()), SD_SUSPENDED);
  EXPECT_EQ(loads_as(evicting), SD_SUSPENDED);
  EXPECT_EQ(loads_as(Suspended()), SD_SUSPENDED);
}

TEST(SuspendCycleTest, AFailureBeforeTheStopIsNoCycle) {
  SuspendCycle cycle = Begun();
  cycle.RequestRestore(SD_REASON_REPLY, kNow);
  cycle.OnSuspendFailed(kNow);
  EXPECT_TRUE(cycle.running());
  EXPECT_FALSE(cycle.restore_requested());
}

TEST(SuspendCycleTest, AFailureAfterTheStopNeedsNoRestore) {
  SuspendCycle cycle = Stopped();
  cycle.OnSuspendFailed(kNow);
  EXPECT_EQ(cycle.state(), SD_SUSPENDING);
  cycle.RequestRestore(SD_REASON_REPLY, kNow);
  EXPECT_FALSE(cycle.restore_due());
  EXPECT_TRUE(cycle.OnRunning(kNow));
  EXPECT_TRUE(cycle.running());
}

TEST(SuspendCycleTest, AFailureAfterTheEndIsTooLate) {
  SuspendCycle cycle = Suspended();
  cycle.OnSuspendFailed(kNow);
  EXPECT_EQ(cycle.state(), SD_SUSPENDED);
  EXPECT_FALSE(cycle.restore_requested());
}

}  // namespace
}  // namespace stubdomain
