// Registered threads, as tables: what suspends their VM, and what wakes it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "policy/policy_table.h"

namespace stubdomain {
namespace {

TEST(ThreadsTest, WithoutAnyTheWholeVmIsOne) {
  ExpectTable(DefaultPolicy(),
              {
                  {0, "wait a", "waiting 1"},
                  {50, "", "suspend"},
                  {60, "reply a", "ended 1 replied 5, restore reply"},
                  {70, "wait a", "waiting 2"},
                  {80, "wait b", "waiting 3"},
                  {120, "", "suspend"},
                  {130, "reply b", "ended 3 replied 5, restore reply"},
                  {900, "", ""},
              });
}

TEST(ThreadsTest, AllMustWait) {
  ExpectTable(DefaultPolicy(),
              {
                  {0, "register", "thread 1"},
                  {0, "register", "thread 2"},
                  {0, "wait a thread 1", "waiting 1"},
                  {500, "wait b thread 2", "waiting 2"},
                  {549, "", ""},
                  {550, "", "suspend"},
                  {600, "reply a", "ended 1 replied 5, restore reply"},
                  // The other still waits.
                  {700, "wait a thread 1", "waiting 3"},
                  {750, "", "suspend"},
                  {800, "reply b", "ended 2 replied 5, restore reply"},
                  {999, "", ""},
              });
}

TEST(ThreadsTest, OneThatWasAnsweredDoesNotWait) {
  ExpectTable(DefaultPolicy(), {
                                   {0, "register", "thread 1"},
                                   {0, "register", "thread 2"},
                                   {0, "wait a thread 1", "waiting 1"},
                                   {10, "wait b thread 1", "waiting 2"},
                                   {20, "reply a", "ended 1 replied 5"},
                                   {30, "wait c thread 2", "waiting 3"},
                                   {500, "wait a thread 1", "waiting 4"},
                                   {550, "", "suspend"},
                               });
}

TEST(ThreadsTest, ANumberOrAShareMustWait) {
  sd_policy number = DefaultPolicy();
  number.pause_threads = 2;
  sd_policy share = DefaultPolicy();
  share.pause_share = 60;
  for (const sd_policy& policy : {number, share}) {
    ExpectTable(policy, {
                            {0, "register", "thread 1"},
                            {0, "register", "thread 2"},
                            {0, "register", "thread 3"},
                            {0, "wait a thread 3", "waiting 1"},
                            {100, "wait b thread 3", "waiting 2"},
                            {500, "wait c thread 1", "waiting 3"},
                            {550, "", "suspend"},
                        });
  }
}

TEST(ThreadsTest, OneThatLeavesIsNotWaitedFor) {
  ExpectTable(
      DefaultPolicy(),
      {
          {0, "register", "thread 1"},
          {0, "register", "thread 2"},
          {0, "wait a thread 1", "waiting 1"},
          {500, "leave 2", "suspend"},
          {510, "reply a", "ended 1 replied 5, restore reply"},
          {520, "leave 2", "refused: there is no such registered thread"},
          {530, "wait a thread 2",
           "refused: there is no such registered thread"},
          {540, "leave 1", ""},
          {550, "wait b", "waiting 2"},
          {600, "", "suspend"},
      });
}

TEST(ThreadsTest, OneThatIsDoneLeavesTheOthersToWaitOn) {
  ExpectTable(DefaultPolicy(),
              {
                  {0, "register", "thread 1"},
                  {0, "register", "thread 2"},
                  {0, "register", "thread 3"},
                  {0, "wait a thread 1", "waiting 1"},
                  {0, "wait b thread 2", "waiting 2"},
                  {0, "wait c thread 3 quiet", "waiting 3"},
                  {50, "", "suspend"},
                  {60, "reply a", "ended 1 replied 5, restore reply"},
                  {200, "", ""},
                  {500, "leave 1", ""},
                  {550, "", "suspend"},
                  // The host wants it to run: one that leaves without having
                  // been answered changes nothing.
                  {600, "restore", "restore host"},
                  {700, "leave 2", ""},
                  {9000, "", ""},
              });
}

TEST(ThreadsTest, AWaitOfNoThreadDoesNotCountButItsReplyDoes) {
  ExpectTable(DefaultPolicy(),
              {
                  {0, "register", "thread 1"},
                  {0, "wait a", "waiting 1"},
                  {500, "wait b thread 1", "waiting 2"},
                  {550, "", "suspend"},
                  {600, "reply a", "ended 1 replied 5, restore reply"},
              });
}

TEST(ThreadsTest, AWaitThatDoesNotProposeCounts) {
  ExpectTable(DefaultPolicy(), {
                                   {0, "register", "thread 1"},
                                   {0, "register", "thread 2"},
                                   {0, "wait a thread 1 quiet", "waiting 1"},
                                   {100, "wait b thread 2", "waiting 2"},
                                   {150, "", "suspend"},
                               });
}

TEST(ThreadsTest, TheHostsWordNeedsNoThread) {
  ExpectTable(DefaultPolicy(),
              {
                  {0, "register", "thread 1"},
                  {0, "wait a host", "waiting 1"},
                  {50, "", "suspend"},
                  {60, "restore", "restore host"},
                  {70, "suspend", "suspend"},
                  {80, "reply a", "ended 1 replied 5, restore reply"},
              });
}

TEST(ThreadsTest, TheDelayCountsFromTheCall) {
  ExpectTable(DefaultPolicy(),
              {
                  {0, "wait a elapsed 30", "waiting 1"},
                  {20, "", "suspend"},
                  {30, "reply a", "ended 1 replied 5, restore reply"},
                  {40, "wait a elapsed 4000000000", "waiting 2, suspend"},
              });
}

TEST(ThreadsTest, TheLongestWaitCountsFromTheCall) {
  ExpectTable(DefaultPolicy(),
              {
                  {0, "wait a timeout 500 elapsed 200", "waiting 1, suspend"},
                  {300, "", "ended 1 timed-out 0, restore timeout"},
                  {400, "wait b timeout 500 elapsed 600",
                   "waiting 2, ended 2 timed-out 0"},
              });
}

TEST(ThreadsTest, TheirNumberIsBounded) {
  sd_config config = Trace::DefaultConfig();
  config.max_threads = 2;
  PolicyTable table(config);
  table.Expect({
      {0, "register", "thread 1"},
      {0, "register", "thread 2"},
      {0, "register", "refused: there are too many registered threads"},
      {0, "leave 1", ""},
      {0, "register", "thread 3"},
  });
  EXPECT_EQ(sd_get_threads(table.trace().stub(), nullptr, 0), 2u);
}

TEST(ThreadsTest, ANameIsBounded) {
  Trace trace;
  uint32_t thread = 0;
  std::string name(SD_THREAD_NAME_MAX, 'x');
  EXPECT_EQ(
      sd_register_thread(trace.stub(), name.c_str(), trace.now(), &thread),
      SD_OK);
  sd_thread_info info{};
  EXPECT_EQ(sd_get_threads(trace.stub(), &info, 1), 1u);
  EXPECT_EQ(info.thread, thread);
  EXPECT_EQ(info.name, name);
  EXPECT_FALSE(info.waiting);
  name += 'x';
  EXPECT_EQ(
      sd_register_thread(trace.stub(), name.c_str(), trace.now(), &thread),
      SD_REFUSED_THREAD_NAME);
  EXPECT_EQ(sd_get_threads(trace.stub(), &info, 1), 1u);
}

TEST(ThreadsTest, AnotherAgentOrGuestKnowsNothingOfThem) {
  Trace trace;
  uint32_t thread = 0;
  const auto threads = [&] { return sd_get_threads(trace.stub(), nullptr, 0); };
  sd_register_thread(trace.stub(), "", trace.now(), &thread);
  trace.Agent(true);
  EXPECT_EQ(threads(), 0u);
  sd_register_thread(trace.stub(), "", trace.now(), &thread);
  EXPECT_EQ(thread, 2u);
  trace.Reset();
  EXPECT_EQ(threads(), 0u);
}

// -- what wakes --

TEST(WakeTest, EnoughRepliesMustCome) {
  sd_policy policy = DefaultPolicy();
  policy.wake_replies = 2;
  ExpectTable(policy, {
                          {0, "wait a", "waiting 1"},
                          {1, "wait b", "waiting 2"},
                          {2, "wait c", "waiting 3"},
                          {50, "", "suspend"},
                          {60, "reply a", "ended 1 replied 5"},
                          // More of the same reply.
                          {70, "reply a", ""},
                          {80, "reply b", "ended 2 replied 5, restore reply"},
                      });
}

TEST(WakeTest, AShareMustCome) {
  sd_policy policy = DefaultPolicy();
  policy.wake_share = 100;
  ExpectTable(policy, {
                          {0, "wait a", "waiting 1"},
                          {1, "wait b", "waiting 2"},
                          {50, "", "suspend"},
                          {60, "reply b", "ended 2 replied 5"},
                          {500, "reply a", "ended 1 replied 5, restore reply"},
                      });
}

TEST(WakeTest, RepliesToOneThreadAreOne) {
  sd_policy policy = DefaultPolicy();
  policy.wake_replies = 2;
  ExpectTable(policy, {
                          {0, "register", "thread 1"},
                          {0, "register", "thread 2"},
                          {0, "wait a thread 1", "waiting 1"},
                          {0, "wait b thread 1", "waiting 2"},
                          {0, "wait c thread 2", "waiting 3"},
                          {50, "", "suspend"},
                          {60, "reply a", "ended 1 replied 5"},
                          {70, "reply b", "ended 2 replied 5"},
                          {80, "reply c", "ended 3 replied 5, restore reply"},
                      });
}

TEST(WakeTest, AnImportantReplyWakesAtOnce) {
  sd_policy policy = DefaultPolicy();
  policy.wake_share = 100;
  policy.wake_importance = 3;
  ExpectTable(policy, {
                          {0, "wait a importance 2", "waiting 1"},
                          {0, "wait b importance 3", "waiting 2"},
                          {0, "wait c", "waiting 3"},
                          {50, "", "suspend"},
                          {60, "reply a", "ended 1 replied 5"},
                          {70, "reply b", "ended 2 replied 5, restore reply"},
                      });
}

TEST(WakeTest, NoReplyIsImportantAboveTheHighestLevel) {
  sd_policy policy = DefaultPolicy();
  policy.wake_share = 100;
  policy.wake_importance = SD_MAX_IMPORTANCE + 1;
  ExpectTable(policy, {
                          {0, "wait a importance 5", "waiting 1"},
                          {0, "wait b", "waiting 2"},
                          {50, "", "suspend"},
                          {60, "reply a", "ended 1 replied 5"},
                      });
}

TEST(WakeTest, TheEarliestLongestWaitWakes) {
  sd_policy policy = DefaultPolicy();
  policy.wake_share = 100;
  ExpectTable(policy, {
                          {0, "wait a", "waiting 1"},
                          {0, "wait b timeout 900", "waiting 2"},
                          {0, "wait c timeout 400", "waiting 3"},
                          {50, "", "suspend"},
                          {60, "reply a", "ended 1 replied 5"},
                          {400, "", "ended 3 timed-out 0, restore timeout"},
                      });
}

TEST(WakeTest, TheHostsWordWakes) {
  sd_policy policy = DefaultPolicy();
  policy.wake_share = 100;
  ExpectTable(policy, {
                          {0, "wait a", "waiting 1"},
                          {0, "wait b", "waiting 2"},
                          {50, "", "suspend"},
                          {60, "reply a", "ended 1 replied 5"},
                          {70, "restore", "restore host"},
                      });
}

TEST(WakeTest, WhenNothingElseIsAwaitedTheRepliesThereAreWake) {
  sd_policy policy = DefaultPolicy();
  policy.wake_replies = 2;
  ExpectTable(policy,
              {
                  {0, "wait a", "waiting 1"},
                  {0, "wait b", "waiting 2"},
                  {50, "", "suspend"},
                  {60, "reply a", "ended 1 replied 5"},
                  {70, "cancel 2", "ended 2 cancelled 0, restore reply"},
              });
}

TEST(WakeTest, APolicyThatAsksForLessWakes) {
  sd_config config = Trace::DefaultConfig();
  config.policy.wake_replies = 2;
  PolicyTable table(config);
  table.Expect({
      {0, "wait a", "waiting 1"},
      {0, "wait b", "waiting 2"},
      {50, "", "suspend"},
      {60, "reply a", "ended 1 replied 5"},
  });
  config.policy.wake_replies = 1;
  sd_set_config(table.trace().stub(), &config);
  EXPECT_TRUE(sd_pending(table.trace().stub()));
  table.Expect({{60, "", "restore reply"}});
}

// What is kept reaches the guest, and is told, whoever loads the state.
TEST(WakeTest, RepliesThatDoNotWakeAreKept) {
  for (const bool hand_over : {false, true}) {
    sd_config config = Trace::DefaultConfig();
    config.policy.wake_replies = 2;
    Trace trace(config);
    Talk a(40001);
    Talk b(40002);
    trace.Connect(&a);
    trace.Connect(&b);
    uint32_t thread = 0;
    sd_register_thread(trace.stub(), "a", trace.now(), &thread);
    sd_wait wait = Trace::WaitOn(a);
    wait.thread = thread;
    trace.Wait(wait);
    trace.Wait(Trace::WaitOn(b));
    trace.SuspendNow();
    trace.PeerSends(a, 5);
    trace.PeerSends(a, 1000);
    EXPECT_EQ(trace.TakeNotices(), Lines({"waiting 1", "waiting 2", "suspend",
                                          "ended 1 replied 5"}));
    if (hand_over) trace.HandOver();
    trace.PeerSends(a, 10);
    EXPECT_EQ(trace.TakeNotices(), Lines());
    trace.PeerSends(b, 7);
    EXPECT_EQ(trace.TakeNotices(),
              Lines({"ended 2 replied 7", "restore reply"}));
    trace.Running();
    EXPECT_EQ(a.received(Side::kGuest), 1015u);
    EXPECT_EQ(b.received(Side::kGuest), 7u);
    EXPECT_EQ(sd_get_threads(trace.stub(), nullptr, 0), 1u);
  }
}

// The bound for open stubs holds for those that were answered, too.
TEST(WakeTest, AnsweredWaitsCountForTheBound) {
  sd_config config = Trace::DefaultConfig();
  config.max_stubs = 2;
  config.policy.wake_replies = 2;
  PolicyTable(config).Expect({
      {0, "wait a", "waiting 1"},
      {0, "wait b", "waiting 2"},
      {50, "", "suspend"},
      {60, "reply a", "ended 1 replied 5"},
      {70, "wait b host", "refused: there are too many listener stubs"},
      {80, "restore", "restore host"},
      {90, "wait b host", "waiting 3"},
  });
}

}  // namespace
}  // namespace stubdomain
