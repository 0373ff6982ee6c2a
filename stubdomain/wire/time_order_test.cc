// Points in time in order.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/time_order.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace stubdomain {
namespace {

constexpr Time At(int ns) { return Time(Duration(ns)); }

TEST(TimeOrderTest, WithoutAnyThereIsNoFirst) {
  const TimeOrder order;
  EXPECT_EQ(order.First(), kNever);
  EXPECT_EQ(order.Nth(7), kNever);
  EXPECT_EQ(order.CountUntil(kNever), 0u);
}

TEST(TimeOrderTest, TheEarliestIsTheFirst) {
  TimeOrder order;
  order.Add(kNever, 1);
  order.Add(At(5), 2);
  order.Add(At(3), 3);
  order.Add(At(5), 4);
  EXPECT_EQ(order.First(), At(3));
  EXPECT_EQ(order.Nth(2), At(5));
  EXPECT_EQ(order.Nth(3), kNever);
  EXPECT_EQ(order.Until(At(5)), (std::vector<uint64_t>{3, 2, 4}));
  order.Remove(At(5), 2);
  EXPECT_EQ(order.Until(At(5)), (std::vector<uint64_t>{3, 4}));
  EXPECT_EQ(order.Until(At(4)), (std::vector<uint64_t>{3}));
  EXPECT_EQ(order.CountUntil(kNever), 3u);
}

TEST(TimeOrderTest, AgreesWithASet) {
  std::mt19937 random(1);
  TimeOrder order;
  std::set<std::pair<Time, uint64_t>> all;
  for (int i = 0; i < 5000; ++i) {
    const auto time = random() % 4 == 0 ? kNever : At(random() % 20);
    const uint64_t id = random() % 50;
    if (all.erase({time, id}) != 0) {
      order.Remove(time, id);
    } else {
      all.emplace(time, id);
      order.Add(time, id);
    }
    ASSERT_EQ(order.size(), all.size());
    size_t n = 0;
    for (const auto& entry : all) ASSERT_EQ(order.Nth(n++), entry.first);
  }
}

}  // namespace
}  // namespace stubdomain
