// That each decision can be explained, as tables of events and decisions.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "policy/policy_table.h"

namespace stubdomain {
namespace {

std::vector<sd_decision> All(Trace& trace) {
  std::array<sd_decision, SD_MAX_DECISIONS> all;
  const size_t count =
      sd_get_decisions(trace.stub(), trace.now(), all.data(), all.size());
  EXPECT_LE(count, all.size());
  return {all.begin(), all.begin() + count};
}

// "stay threads, 1 of 2 threads wait, 2 needed": decision, reason, and the
// terms that are not zero.
std::string Text(const sd_decision& decision) {
  static const char* const kDecided[] = {"stay", "suspend", "sleep",
                                         "wake", "idle",    "evict"};
  static const char* const kWhy[] = {
      "waits",     "host",           "delay",      "threads",
      "inhibited", "unacknowledged", "interval",   "budget",
      "short",     "replies",        "importance", "timeout",
      "unmatched", "buffer",         "idle",       "connections"};
  const auto number = [](uint64_t value) { return std::to_string(value); };
  std::string text =
      std::string(kDecided[decision.decided]) + " " + kWhy[decision.why];
  if (decision.registered > 0) {
    text += ", " + number(decision.waiting) + " of " +
            number(decision.registered) + " threads wait, " +
            number(decision.needed) + " needed";
  }
  if (decision.answered > 0) {
    text += ", " + number(decision.answered) + " of " +
            number(decision.awaited) + " answered, " +
            number(decision.replies) + " needed";
  }
  if (decision.importance > 0) {
    text += ", importance " + number(decision.importance);
  }
  if (decision.inhibits > 0) text += ", inhibits " + number(decision.inhibits);
  if (decision.suspends > 0) text += ", suspends " + number(decision.suspends);
  if (decision.least_ms > 0) {
    text += ", least " + number(decision.least_ms);
    if (decision.expected_ms != SD_NEVER) {
      text += ", expected in " + number(decision.expected_ms);
    }
  }
  if (decision.due_ms != SD_NEVER)
    text += ", due in " + number(decision.due_ms);
  return text;
}

struct Explained {
  uint64_t at;
  std::string event;
  std::string last;  // the last decision then
};

void ExpectExplained(const sd_policy& policy,
                     const std::vector<Explained>& rows) {
  sd_config config = Trace::DefaultConfig();
  config.policy = policy;
  PolicyTable table(config);
  for (const Explained& row : rows) {
    SCOPED_TRACE(std::to_string(row.at) + " ms: " + row.event);
    table.Play(row.at, row.event);
    const std::vector<sd_decision> all = All(table.trace());
    EXPECT_EQ(all.empty() ? "" : Text(all.back()), row.last);
  }
}

TEST(DecisionsTest, WhyAVmIsSuspendedOrNot) {
  sd_policy policy = DefaultPolicy();
  policy.min_interval_ms = 200;
  policy.budget = 2;
  ExpectExplained(
      policy,
      {
          {0, "register", ""},
          {0, "register", ""},
          {0, "wait a thread 1", "stay threads, 1 of 2 threads wait, 2 needed"},
          {0, "leave 2",
           "stay delay, 1 of 1 threads wait, 1 needed, due in 50"},
          {10, "inhibit",
           "stay inhibited, 1 of 1 threads wait, 1 needed, inhibits 1"},
          {90, "allow", "suspend waits, 1 of 1 threads wait, 1 needed"},
          {100, "reply a",
           "wake replies, 0 of 1 threads wait, 1 needed, "
           "1 of 1 answered, 1 needed, suspends 1"},
          {110, "leave 1",
           "wake replies, 0 of 1 threads wait, 1 needed, "
           "1 of 1 answered, 1 needed, suspends 1"},
          {120, "wait a", "stay interval, suspends 1, due in 180"},
          {300, "", "suspend waits, suspends 1"},
          {310, "restore", "wake host, suspends 2"},
          {320, "wait b", "stay budget, suspends 2, due in 59770"},
          {330, "suspend", "suspend host, suspends 2"},
      });
}

TEST(DecisionsTest, WhyAVmIsWokenOrNot) {
  sd_policy policy = DefaultPolicy();
  policy.wake_share = 100;
  policy.wake_importance = 4;
  ExpectExplained(policy,
                  {
                      {0, "wait a importance 1", "stay delay, due in 50"},
                      {0, "wait b importance 5", "stay delay, due in 50"},
                      {0, "wait c timeout 500", "stay delay, due in 50"},
                      {50, "", "suspend waits"},
                      {60, "reply a",
                       "sleep replies, 1 of 3 answered, 3 needed, importance "
                       "1, suspends 1"},
                      {70, "reply b",
                       "wake importance, 2 of 3 answered, 3 needed, importance "
                       "5, suspends 1"},
                      {80, "suspend", "suspend host, suspends 1"},
                      {500, "",
                       "wake timeout, 1 of 1 answered, 1 needed, "
                       "suspends 2"},
                  });
}

TEST(DecisionsTest, WhyAWaitIsTooShort) {
  sd_policy policy = DefaultPolicy();
  policy.threshold_ms = 1000;
  ExpectExplained(
      policy, {
                  // Overdue by once more, it is not expected any more.
                  {0, "wait a expects 500",
                   "stay short, least 1000, expected in 500, due in 1000"},
                  {300, "cancel 1",
                   "stay short, least 1000, expected in 500, due in 700"},
                  {400, "wait a timeout 900",
                   "stay short, least 1000, expected in 900"},
                  {500, "cancel 2", "stay short, least 1000, expected in 900"},
                  {600, "wait a expects 5000",
                   "stay delay, least 1000, expected in 5000, due in 50"},
                  {650, "", "suspend waits, least 1000, expected in 4950"},
              });
}

TEST(DecisionsTest, WhatTheLeastWaitRestsOn) {
  sd_config config = Trace::DefaultConfig();
  config.policy = DefaultPolicy();
  config.policy.value = 100;
  PolicyTable table(config);
  sd_stub* stub = table.trace().stub();
  const sd_costs costs = {.suspend_us = 100'000,
                          .wake_us = 10'000,
                          .bytes_back = 500,
                          .guest_bytes = 1000};
  const sd_pressure pressure = {.some_percent = 10, .full_percent = 0};
  sd_set_costs(stub, &costs, table.trace().now());
  sd_set_pressure(stub, &pressure, table.trace().now());
  table.Play(0, "wait a expects 200");
  const auto all = All(table.trace());
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].why, SD_WHY_SHORT);
  EXPECT_EQ(all[0].least_ms, 210u);
  EXPECT_EQ(all[0].costs.suspend_us, costs.suspend_us);
  EXPECT_EQ(all[0].costs.wake_us, costs.wake_us);
  EXPECT_EQ(all[0].costs.bytes_back, costs.bytes_back);
  EXPECT_EQ(all[0].costs.guest_bytes, costs.guest_bytes);
  EXPECT_EQ(all[0].pressure.some_percent, 10u);
  EXPECT_EQ(all[0].pressure.full_percent, 0u);
}

TEST(DecisionsTest, WhyAnIdleVmIsSuspendedAndEvictedOrNot) {
  sd_policy policy = DefaultPolicy();
  policy.evict_delay_ms = 1000;
  ExpectExplained(policy, {
                              {0, "connect b", ""},
                              {0, "wait a quiet", ""},
                              {100, "vcpus idle", "stay connections"},
                              {200, "wait b quiet", "idle idle, due in 1000"},
                              {1200, "", "evict delay, suspends 1"},
                              {1300, "reply a",
                               "wake replies, 1 of 2 answered, 1 needed, "
                               "suspends 1"},
                          });
}

TEST(DecisionsTest, WhatIsUnacknowledgedIsAReason) {
  Trace trace;
  Talk talk;
  trace.Connect(&talk);
  trace.Send(talk, Side::kGuest, talk.Data(Side::kGuest, 10));
  trace.Wait(Trace::WaitOn(talk));
  ASSERT_EQ(All(trace).size(), 1u);
  EXPECT_EQ(Text(All(trace)[0]), "stay unacknowledged");
  trace.Send(talk, Side::kPeer, talk.Ack(Side::kPeer));
  trace.Pass(50);
  ASSERT_EQ(All(trace).size(), 2u);
  EXPECT_EQ(Text(All(trace)[1]), "suspend waits");
}

// One that goes on is one decision, as old as it is, with the latest terms.
TEST(DecisionsTest, TheSameReasonIsOneDecision) {
  Trace trace;
  Talk talk;
  trace.Connect(&talk);
  sd_inhibit(trace.stub(), SD_OWNER_GUEST, trace.now());
  trace.Wait(Trace::WaitOn(talk));
  trace.Pass(300);
  sd_inhibit(trace.stub(), SD_OWNER_HOST, trace.now());
  ASSERT_EQ(All(trace).size(), 1u);
  EXPECT_EQ(Text(All(trace)[0]), "stay inhibited, inhibits 2");
  EXPECT_EQ(All(trace)[0].age_ms, 300u);
}

TEST(DecisionsTest, TheLastOnesAreRemembered) {
  Trace trace;
  for (int i = 0; i < SD_MAX_DECISIONS; ++i) {
    trace.Suspend();
    trace.Stopped();
    trace.Suspended();
    trace.Restore();
    trace.Running();
  }
  const std::vector<sd_decision> all = All(trace);
  ASSERT_EQ(all.size(), size_t{SD_MAX_DECISIONS});
  EXPECT_EQ(all.front().decided, SD_DECIDED_SUSPEND);
  EXPECT_EQ(all.back().decided, SD_DECIDED_WAKE);
  EXPECT_EQ(all.back().suspends, uint32_t{SD_MAX_DECISIONS});
}

}  // namespace
}  // namespace stubdomain
