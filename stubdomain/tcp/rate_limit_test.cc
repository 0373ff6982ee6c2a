// So many in a second, and no more.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/rate_limit.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

using std::chrono::milliseconds;

TEST(RateLimit, AllowsSoManyInASecond) {
  RateLimit limit(3);
  const Time begin{std::chrono::seconds(5)};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.Allow(begin));
  EXPECT_FALSE(limit.Allow(begin));
  EXPECT_FALSE(limit.Allow(begin + milliseconds(999)));
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(limit.Allow(begin + milliseconds(1000)));
  }
  EXPECT_FALSE(limit.Allow(begin + milliseconds(1000)));
}

TEST(RateLimit, TheSecondBeginsWithTheFirst) {
  RateLimit limit(1);
  const Time begin{milliseconds(100)};
  EXPECT_TRUE(limit.Allow(begin));
  EXPECT_FALSE(limit.Allow(begin + milliseconds(950)));
  EXPECT_TRUE(limit.Allow(begin + milliseconds(1000)));
}

}  // namespace
}  // namespace stubdomain
