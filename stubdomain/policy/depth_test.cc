// How deep a VM sleeps, as tables.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/depth.h"

#include <gtest/gtest.h>

#include "policy/policy_table.h"

namespace stubdomain {
namespace {

sd_policy Delayed(uint32_t ms) {
  sd_policy policy = DefaultPolicy();
  policy.evict_delay_ms = ms;
  return policy;
}

sd_policy WithDepth(sd_depth depth) {
  sd_policy policy = DefaultPolicy();
  policy.depth = depth;
  return policy;
}

TEST(DepthTest, AQuickReplyComesBeforeTheEviction) {
  ExpectTable(Delayed(1000),
              {
                  {0, "wait a", "waiting 1"},
                  {50, "", "idle"},
                  {1049, "reply a", "ended 1 replied 5, restore reply"},
                  {9000, "", ""},
              });
}

TEST(DepthTest, ASlowReplyComesBehindIt) {
  ExpectTable(Delayed(1000),
              {
                  {0, "wait a", "waiting 1"},
                  {50, "", "idle"},
                  {1049, "", ""},
                  {1050, "", "evict"},
                  {2000, "reply a", "ended 1 replied 5, restore reply"},
                  // The next one idles first, too.
                  {3000, "wait a", "waiting 2"},
                  {3050, "", "idle"},
                  {4050, "", "evict"},
              });
}

TEST(DepthTest, WithoutADelayMemoryGoesWithTheVcpus) {
  ExpectTable(DefaultPolicy(), {
                                   {0, "wait a", "waiting 1"},
                                   {50, "", "suspend"},
                                   {90000, "", ""},
                               });
}

TEST(DepthTest, AVmThatOnlyIdlesKeepsItsMemory) {
  ExpectTable(WithDepth(SD_DEPTH_IDLE),
              {
                  {0, "wait a timeout 90000", "waiting 1"},
                  {50, "", "idle"},
                  {90000, "", "ended 1 timed-out 0, restore timeout"},
              });
}

TEST(DepthTest, AWaitCanAskForLess) {
  ExpectTable(DefaultPolicy(),
              {
                  {0, "wait a depth idle", "waiting 1"},
                  {10, "wait b delay 700", "waiting 2"},
                  {50, "", "idle"},
                  // It is over, and the other one is not quick.
                  {60, "cancel 1", "ended 1 cancelled 0"},
                  {750, "", "evict"},
              });
}

TEST(DepthTest, AWaitCanAskForMore) {
  ExpectTable(WithDepth(SD_DEPTH_IDLE),
              {
                  {0, "wait a depth evict delay 100", "waiting 1"},
                  {50, "", "idle"},
                  {150, "", "evict"},
              });
}

TEST(DepthTest, TheLongestDelayHolds) {
  ExpectTable(Delayed(300), {
                                {0, "wait a delay 100", "waiting 1"},
                                {0, "wait b", "waiting 2"},
                                {0, "wait c delay 200", "waiting 3"},
                                {50, "", "idle"},
                                {350, "", "evict"},
                            });
}

TEST(DepthTest, AReplyThatDoesNotWakeLeavesTheOthersDepth) {
  sd_policy policy = DefaultPolicy();
  policy.wake_replies = 2;
  ExpectTable(policy, {
                          {0, "wait a depth idle", "waiting 1"},
                          {0, "wait b", "waiting 2"},
                          {0, "wait c", "waiting 3"},
                          {50, "", "idle"},
                          {500, "reply a", "ended 1 replied 5, evict"},
                          {600, "reply b", "ended 2 replied 5, restore reply"},
                      });
}

TEST(DepthTest, TheHostSaysHowDeep) {
  ExpectTable(Delayed(1000),
              {
                  {0, "wait a", "waiting 1"},
                  {10, "suspend", "suspend"},
                  {20, "restore", "restore host"},
                  {30, "suspend idle", "idle"},
                  // Whatever the policy says.
                  {5000, "suspend evict", "evict"},
                  {5010, "suspend", "refused: the VM neither runs nor idles"},
                  {5020, "restore", "restore host"},
              });
}

TEST(DepthTest, TheHostCanHaveAVmIdleOn) {
  ExpectTable(Delayed(1000), {
                                 {0, "wait a", "waiting 1"},
                                 {50, "", "idle"},
                                 {100, "suspend idle", ""},
                                 {90000, "", ""},
                             });
}

// The eviction of a VM whose next wake is near is not worth what it costs.
TEST(DepthTest, WithAReplyDueSoonItJustIdles) {
  sd_policy policy = WithDepth(SD_DEPTH_AUTO);
  policy.threshold_ms = 1000;
  ExpectTable(policy, {
                          {0, "wait a expects 500", "waiting 1"},
                          {50, "", "idle"},
                          {500, "reply a", "ended 1 replied 5, restore reply"},
                          {600, "wait a expects 2000", "waiting 2"},
                          {650, "", "suspend"},
                      });
}

TEST(DepthTest, WhatIsOverdueIsNotExpectedAnyMore) {
  sd_policy policy = WithDepth(SD_DEPTH_AUTO);
  policy.threshold_ms = 1000;
  ExpectTable(policy, {
                          {0, "wait a expects 500", "waiting 1"},
                          {50, "", "idle"},
                          {1000, "", "evict"},
                      });
}

TEST(DepthTest, ALongestWaitThatEndsSoonIsAShortWait) {
  sd_policy policy = WithDepth(SD_DEPTH_AUTO);
  policy.threshold_ms = 1000;
  ExpectTable(policy, {
                          {0, "wait a timeout 900", "waiting 1"},
                          {50, "", "idle"},
                          {900, "", "ended 1 timed-out 0, restore timeout"},
                      });
}

TEST(DepthTest, AResetEndsIt) {
  Trace trace;
  trace.Suspend(SD_DEPTH_IDLE);
  trace.Stopped();
  EXPECT_EQ(trace.info().state, SD_IDLE);
  trace.Reset();
  EXPECT_EQ(trace.TakeNotices(), Lines({"idle", "restore host"}));
}

TEST(DepthTest, AnEvictionCanBeCancelledWhileItIsWritten) {
  sd_config config = Trace::DefaultConfig();
  config.policy.evict_delay_ms = 1000;
  Trace trace(config);
  Talk talk;
  trace.Connect(&talk);
  trace.Wait(Trace::WaitOn(talk));
  trace.Pass(50);
  trace.Stopped();
  trace.Pass(1000);
  EXPECT_EQ(trace.TakeNotices(), Lines({"waiting 1", "idle", "evict"}));
  EXPECT_EQ(trace.info().state, SD_SUSPENDING);
  trace.PeerSends(talk, 5);
  EXPECT_EQ(trace.TakeNotices(), Lines({"ended 1 replied 5", "restore reply"}));
  trace.Running();
  EXPECT_EQ(trace.info().state, SD_RUNNING);
}

TEST(DepthTest, AnEvictionThatFailsEndsTheSuspend) {
  Trace trace;
  trace.Suspend(SD_DEPTH_IDLE);
  trace.Stopped();
  trace.Suspend(SD_DEPTH_EVICT);
  trace.SuspendFailed();
  trace.Running();
  EXPECT_EQ(trace.TakeNotices(), Lines({"idle", "evict"}));
  EXPECT_EQ(trace.info().state, SD_RUNNING);
}

TEST(DepthTest, GoesOnInAnotherProcess) {
  sd_config config = Trace::DefaultConfig();
  config.policy.evict_delay_ms = 1000;
  Trace trace(config);
  Talk talk;
  trace.Connect(&talk);
  sd_wait wait = Trace::WaitOn(talk);
  wait.has_evict_delay = true;
  wait.evict_delay_ms = 3000;
  trace.Wait(wait);
  trace.Pass(50);
  trace.Stopped();
  trace.Pass(500);
  trace.HandOver();
  EXPECT_EQ(trace.info().state, SD_IDLE);
  trace.Take();
  trace.Pass(2499);
  EXPECT_EQ(trace.TakeNotices(), Lines({}));
  trace.Pass(1);
  EXPECT_EQ(trace.TakeNotices(), Lines({"evict"}));
}

TEST(DepthTest, TheHostsWordGoesOnInAnotherProcess) {
  Trace trace;
  trace.Suspend(SD_DEPTH_IDLE);
  trace.Stopped();
  trace.HandOver();
  trace.Pass(9000);
  EXPECT_EQ(trace.TakeNotices(), Lines({"idle"}));
}

TEST(DepthTest, WhatThereIsNotIsNotLoaded) {
  Writer writer;
  writer.U8(SD_DEPTH_AUTO + 2);
  Reader reader(writer.data());
  LoadDepth(reader);
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace stubdomain
