// What keeps a VM from being suspended, as tables: inhibits, the least
// interval, the budget for a minute.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "policy/inhibitors.h"
#include "policy/policy_table.h"
#include "policy/suspend_guard.h"

namespace stubdomain {
namespace {

TEST(InhibitTest, WhileAnybodyInhibitsWaitsDoNotSuspend) {
  ExpectTable(DefaultPolicy(), {
                                   {0, "inhibit", ""},
                                   {0, "inhibit", ""},
                                   {0, "inhibit host", ""},
                                   {0, "wait a", "waiting 1"},
                                   {100, "allow", ""},
                                   {200, "allow host", ""},
                                   // The delay was over long ago.
                                   {300, "allow", "suspend"},
                               });
}

TEST(InhibitTest, NeitherSideTakesBackWhatTheOtherAskedFor) {
  ExpectTable(
      DefaultPolicy(),
      {
          {0, "inhibit host", ""},
          {0, "allow", "refused: suspends are not inhibited by whoever asks"},
          {0, "wait a", "waiting 1"},
          {99, "allow host", "suspend"},
          {100, "allow host",
           "refused: suspends are not inhibited by whoever asks"},
      });
}

TEST(InhibitTest, TheHostsWordSuspendsAllTheSame) {
  ExpectTable(DefaultPolicy(), {
                                   {0, "inhibit", ""},
                                   {0, "inhibit host", ""},
                                   {10, "suspend", "suspend"},
                                   {20, "restore", "restore host"},
                               });
}

TEST(InhibitTest, OneThatComesInTheDelayIsInTime) {
  ExpectTable(DefaultPolicy(), {
                                   {0, "wait a", "waiting 1"},
                                   {49, "inhibit", ""},
                                   {500, "allow", "suspend"},
                               });
}

TEST(InhibitTest, TheirNumberIsBounded) {
  Inhibitors inhibitors;
  for (int i = 0; i < SD_MAX_INHIBITS; ++i) {
    ASSERT_TRUE(inhibitors.Add(SD_OWNER_GUEST));
  }
  EXPECT_FALSE(inhibitors.Add(SD_OWNER_GUEST));
  EXPECT_EQ(inhibitors.total(), uint32_t{SD_MAX_INHIBITS});
  EXPECT_TRUE(inhibitors.Add(SD_OWNER_HOST));
}

TEST(InhibitTest, AnotherAgentOrGuestKnowsNothingOfThem) {
  Trace trace;
  const auto inhibits = [&] {
    return trace.info().guest_inhibits + trace.info().host_inhibits;
  };
  sd_inhibit(trace.stub(), SD_OWNER_HOST, trace.now());
  for (const bool reset : {false, true}) {
    sd_inhibit(trace.stub(), SD_OWNER_GUEST, trace.now());
    EXPECT_EQ(inhibits(), 2u);
    if (reset) {
      trace.Reset();
    } else {
      trace.Agent(false);
    }
    EXPECT_EQ(inhibits(), 1u);
  }
}

TEST(GuardTest, TheGuestRunsForTheLeastInterval) {
  sd_policy policy = DefaultPolicy();
  policy.min_interval_ms = 1000;
  ExpectTable(policy, {
                          // The first is not held up.
                          {0, "wait a", "waiting 1"},
                          {50, "", "suspend"},
                          {100, "reply a", "ended 1 replied 5, restore reply"},
                          {200, "wait a", "waiting 2"},
                          {1099, "", ""},
                          {1100, "", "suspend"},
                          {1200, "restore", "restore host"},
                          // The host's own suspend is not held up either.
                          {1210, "suspend", "suspend"},
                      });
}

TEST(GuardTest, ABudgetHoldsForAnyMinute) {
  sd_policy policy = DefaultPolicy();
  policy.budget = 2;
  ExpectTable(policy,
              {
                  {0, "wait a", "waiting 1"},
                  {50, "", "suspend"},
                  {100, "reply a", "ended 1 replied 5, restore reply"},
                  {30000, "wait a", "waiting 2"},
                  {30050, "", "suspend"},
                  {30100, "reply a", "ended 2 replied 5, restore reply"},
                  {31000, "wait a", "waiting 3"},
                  {60050, "", "suspend"},
                  {60100, "reply a", "ended 3 replied 5, restore reply"},
                  {60200, "wait a", "waiting 4"},
                  {90050, "", "suspend"},
              });
}

TEST(GuardTest, AReplyEndsTheWaitForTheBudget) {
  sd_policy policy = DefaultPolicy();
  policy.budget = 1;
  ExpectTable(policy, {
                          {0, "wait a", "waiting 1"},
                          {50, "", "suspend"},
                          {100, "reply a", "ended 1 replied 5, restore reply"},
                          {200, "wait a", "waiting 2"},
                          {5000, "reply a", "ended 2 replied 5"},
                          {90000, "", ""},
                      });
}

constexpr Time At(int seconds) { return Time(std::chrono::seconds(seconds)); }

TEST(GuardTest, WhatIsRememberedIsBounded) {
  SuspendGuard guard;
  for (int i = 0; i < SD_MAX_BUDGET + 10; ++i) guard.NoteSuspend(At(i));
  EXPECT_EQ(guard.SuspendsSince(Time::min()), uint32_t{SD_MAX_BUDGET});
  EXPECT_EQ(guard.SuspendsSince(At(SD_MAX_BUDGET)), 9u);
  sd_policy policy{};
  EXPECT_EQ(guard.AfterBudget(policy), Time::min());
  policy.budget = 1;
  EXPECT_EQ(guard.AfterBudget(policy), At(SD_MAX_BUDGET + 9 + 60));
  policy.budget = SD_MAX_BUDGET;
  EXPECT_EQ(guard.AfterBudget(policy), At(10 + 60));
}

TEST(GuardTest, IsSavedAndLoadedWithAnotherClock) {
  SuspendGuard guard;
  guard.NoteSuspend(At(100));
  guard.NoteRunning(At(110));
  Writer writer;
  guard.Save(writer, At(120));
  Reader reader(writer.data());
  SuspendGuard other;
  ASSERT_TRUE(other.Load(reader, At(1020)));
  const sd_policy policy = {.min_interval_ms = 30000, .budget = 1};
  EXPECT_EQ(other.AfterInterval(policy), At(1040));
  EXPECT_EQ(other.AfterBudget(policy), At(1060));
}

// It must not forbid suspends for weeks.
TEST(GuardTest, ASavedTimeThatLiesAheadIsNow) {
  SuspendGuard guard;
  guard.NoteSuspend(At(5000));
  guard.NoteRunning(At(5000));
  Writer writer;
  guard.Save(writer, At(0));
  Reader reader(writer.data());
  SuspendGuard other;
  ASSERT_TRUE(other.Load(reader, At(10)));
  const sd_policy policy = {.min_interval_ms = 1000, .budget = 1};
  EXPECT_EQ(other.AfterInterval(policy), At(11));
  EXPECT_EQ(other.AfterBudget(policy), At(70));
}

TEST(GuardTest, MoreThanTheBoundIsNotLoaded) {
  Writer writer;
  writer.Bool(false);
  writer.U32(SD_MAX_BUDGET + 1);
  Reader reader(writer.data());
  SuspendGuard guard;
  EXPECT_FALSE(guard.Load(reader, At(0)));
}

}  // namespace
}  // namespace stubdomain
