// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stubrun/patience.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

constexpr uint64_t kState = 77;

TEST(Patience, LongTimeoutsAreKept) {
  Patience patience;
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(patience.LongestWait(5 * kSecond, 4 * kSecond, kState),
              4 * kSecond);
  }
  EXPECT_EQ(patience.LongestWait(kForever, kForever, kState), kForever);
}

TEST(Patience, WaitsOfOneWhoLooksNowAndThenGrowUpToABound) {
  Patience patience;
  for (const int seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
    EXPECT_EQ(patience.LongestWait(kSecond, kSecond, kState),
              seconds * kSecond);
  }
  for (int i = 0; i < 100; i++) patience.LongestWait(kSecond, kSecond, kState);
  EXPECT_EQ(patience.LongestWait(kSecond, kSecond, kState), kLongestTick);
}

TEST(Patience, TheyBeginAnewWhenSomethingHappened) {
  Patience patience;
  patience.LongestWait(kSecond, kSecond, kState);
  patience.LongestWait(kSecond, kSecond, kState);
  EXPECT_EQ(patience.LongestWait(kSecond, kSecond, kState + 1), kSecond);
  EXPECT_EQ(patience.LongestWait(kSecond, kSecond, kState + 1), 2 * kSecond);
}

TEST(Patience, TheyDoNotGrowWhereThatCannotBeTold) {
  Patience patience;
  EXPECT_EQ(patience.LongestWait(kSecond, kSecond, 0), kSecond);
  EXPECT_EQ(patience.LongestWait(kSecond, kSecond, 0), kSecond);
}

TEST(Patience, WhoWasWokenByATimeoutStaysAwakeForTheRest) {
  Patience patience;
  EXPECT_TRUE(patience.MaySleep());
  patience.TimedOut(60 * kSecond, 59 * kSecond);
  EXPECT_FALSE(patience.MaySleep());
}

TEST(Patience, WhoLooksNowAndThenSleepsOn) {
  Patience patience;
  patience.TimedOut(kSecond, kSecond / 2);
  EXPECT_TRUE(patience.MaySleep());
}

}  // namespace
}  // namespace stubdomain
