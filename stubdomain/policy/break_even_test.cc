// From how long a wait on a suspend is worth what it costs, as tables.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/break_even.h"

#include <gtest/gtest.h>

#include "policy/policy_table.h"

namespace stubdomain {
namespace {

using std::chrono::milliseconds;

constexpr uint64_t kGuest = 1000;

TEST(BreakEvenTest, TheLeastWait) {
  struct Case {
    uint32_t threshold_ms;
    uint32_t value;
    uint64_t suspend_ms;
    uint64_t wake_ms;
    uint64_t bytes_back;
    sd_pressure pressure;
    int least_ms;
  };
  constexpr Case kCases[] = {
      // Nothing is asked for.
      {0, 0, 100, 10, kGuest, {}, 0},
      // A threshold, which pressure moves.
      {1000, 0, 100, 10, kGuest, {}, 1000},
      {1000, 0, 100, 10, kGuest, {10, 0}, 500},
      {1000, 0, 100, 10, kGuest, {10, 2}, 250},
      // What was measured: the suspend, and the time that the guest loses.
      {0, 100, 100, 10, kGuest, {}, 210},
      {0, 50, 100, 10, kGuest, {}, 155},
      {0, 1000, 100, 10, kGuest, {}, 1200},
      // Half of the memory comes back, so it takes twice as long.
      {0, 100, 100, 10, kGuest / 2, {}, 320},
      // It is worth more when memory is scarce.
      {0, 100, 100, 10, kGuest / 2, {10, 0}, 210},
      // Whichever is longer.
      {150, 100, 100, 10, kGuest, {}, 210},
      {250, 100, 100, 10, kGuest, {}, 250},
      // Not measured yet.
      {0, 100, 0, 0, 0, {}, 0},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(&c - kCases);
    const sd_policy policy = {.threshold_ms = c.threshold_ms, .value = c.value};
    const sd_costs costs = {.suspend_us = c.suspend_ms * 1000,
                            .wake_us = c.wake_ms * 1000,
                            .bytes_back = c.bytes_back,
                            .guest_bytes = kGuest};
    EXPECT_EQ(
        std::chrono::round<milliseconds>(LeastWait(policy, costs, c.pressure)),
        milliseconds(c.least_ms));
  }
}

// Numbers beyond measure do not overflow.
TEST(BreakEvenTest, TheLeastWaitIsBounded) {
  const sd_policy policy = {.threshold_ms = UINT32_MAX, .value = UINT32_MAX};
  const sd_costs costs = {.suspend_us = UINT64_MAX,
                          .wake_us = UINT64_MAX,
                          .bytes_back = 1,
                          .guest_bytes = UINT64_MAX};
  EXPECT_EQ(LeastWait(policy, costs, {}), std::chrono::seconds(1'000'000'000));
}

// -- the decision --

TEST(WorthTest, AShortWaitIsNotWorthASuspend) {
  sd_policy policy = DefaultPolicy();
  policy.threshold_ms = 1000;
  ExpectTable(policy, {
                          {0, "wait a expects 500", "waiting 1"},
                          {500, "reply a", "ended 1 replied 5"},
                          {600, "wait a expects 2000", "waiting 2"},
                          {650, "", "suspend"},
                          {900, "reply a", "ended 2 replied 5, restore reply"},
                          // Nothing is known.
                          {1000, "wait a", "waiting 3"},
                          {1050, "", "suspend"},
                      });
}

TEST(WorthTest, OneThatIsOverdueIsNotExpectedAnyMore) {
  sd_policy policy = DefaultPolicy();
  policy.threshold_ms = 1000;
  ExpectTable(policy, {
                          {0, "wait a expects 500", "waiting 1"},
                          {999, "", ""},
                          {1000, "", "suspend"},
                      });
}

TEST(WorthTest, WhatIsLeftOfTheWaitCounts) {
  sd_policy policy = DefaultPolicy();
  policy.threshold_ms = 1000;
  ExpectTable(policy, {
                          {0, "wait a expects 1060 elapsed 10", "waiting 1"},
                          // 1010 ms are left.
                          {40, "", "suspend"},
                          {100, "reply a", "ended 1 replied 5, restore reply"},
                          {200, "wait a expects 1060 elapsed 100", "waiting 2"},
                          {300, "", ""},
                      });
}

TEST(WorthTest, ALongestWaitThatIsShortIsAShortWait) {
  sd_policy policy = DefaultPolicy();
  policy.threshold_ms = 1000;
  ExpectTable(policy, {
                          {0, "wait a timeout 500", "waiting 1"},
                          {500, "", "ended 1 timed-out 0"},
                      });
}

TEST(WorthTest, TheReplyThatWakesCounts) {
  sd_policy policy = DefaultPolicy();
  policy.threshold_ms = 1000;
  policy.wake_replies = 2;
  ExpectTable(policy, {
                          {0, "wait a expects 100", "waiting 1"},
                          {0, "wait b expects 5000", "waiting 2"},
                          {50, "", "suspend"},
                          {60, "reply a", "ended 1 replied 5"},
                          {70, "reply b", "ended 2 replied 5, restore reply"},
                          // An important one wakes alone.
                          {80, "wait a expects 100 importance 1", "waiting 3"},
                          {80, "wait b expects 5000", "waiting 4"},
                          {200, "", ""},
                      });
}

TEST(WorthTest, TheHostsWordNeedsNoWorth) {
  sd_policy policy = DefaultPolicy();
  policy.threshold_ms = 1000;
  ExpectTable(policy, {
                          {0, "wait a expects 100", "waiting 1"},
                          {10, "suspend", "suspend"},
                      });
}

TEST(WorthTest, WhatWasMeasuredCounts) {
  sd_config config = Trace::DefaultConfig();
  config.policy.value = 100;
  PolicyTable table(config);
  table.Expect({
      {0, "wait a expects 300", "waiting 1"},
      {50, "", "suspend"},
      {60, "reply a", "ended 1 replied 5, restore reply"},
  });
  const sd_costs costs = {.suspend_us = 100'000,
                          .wake_us = 10'000,
                          .bytes_back = kGuest / 2,
                          .guest_bytes = kGuest};
  sd_set_costs(table.trace().stub(), &costs, table.trace().now());
  table.Expect({
      {100, "wait a expects 300", "waiting 2"},
      {200, "", ""},
  });
  // Memory gets scarce.
  const sd_pressure pressure = {.some_percent = 50, .full_percent = 10};
  sd_set_pressure(table.trace().stub(), &pressure, table.trace().now());
  table.Expect({{200, "", "suspend"}});
}

TEST(WorthTest, ReplyTimesAreLearned) {
  sd_policy policy = DefaultPolicy();
  policy.threshold_ms = 1000;
  policy.learned = 75;
  ExpectTable(
      policy,
      {
          // Until four are known, nothing is.
          {0, "wait a class quick", "waiting 1"},
          {20, "reply a", "ended 1 replied 5"},
          {100, "wait a class quick", "waiting 2"},
          {120, "reply a", "ended 2 replied 5"},
          {200, "wait a class quick", "waiting 3"},
          {220, "reply a", "ended 3 replied 5"},
          {300, "wait a class quick", "waiting 4"},
          {350, "", "suspend"},
          {400, "reply a", "ended 4 replied 5, restore reply"},
          // 16 ms are expected now, and 32 ms at most, which the delay covers.
          {500, "wait a class quick", "waiting 5"},
          {550, "", "suspend"},
          {600, "restore", "restore host"},
      });
}

TEST(WorthTest, AnotherClassIsLearnedApart) {
  sd_policy policy = DefaultPolicy();
  policy.threshold_ms = 1000;
  policy.learned = 100;
  std::vector<Row> rows;
  uint32_t number = 0;
  const auto round = [&](const std::string& wait, uint64_t begin,
                         const std::string& at_delay) {
    const std::string waiting = std::to_string(++number);
    rows.push_back({begin, wait, "waiting " + waiting});
    rows.push_back({begin + 50, "", at_delay});
    rows.push_back({begin + 300, "reply a",
                    "ended " + waiting + " replied 5" +
                        (at_delay.empty() ? "" : ", restore reply")});
  };
  for (int i = 0; i < 4; ++i) round("wait a class x", i * 1000, "suspend");
  round("wait a class x", 4000, "");
  round("wait a class y", 5000, "suspend");
  round("wait a", 6000, "suspend");
  ExpectTable(policy, rows);
}

}  // namespace
}  // namespace stubdomain
