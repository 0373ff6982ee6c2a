// Points in time, as the C API writes them.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/time.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

TEST(Time, NeverIsNever) {
  EXPECT_EQ(TimeFromNs(UINT64_MAX), kNever);
  EXPECT_EQ(ToNs(kNever), UINT64_MAX);
}

TEST(Time, IsCountedInNanoseconds) {
  EXPECT_EQ(TimeFromNs(1500000000), Time(std::chrono::milliseconds(1500)));
  EXPECT_EQ(ToNs(TimeFromNs(12345)), 12345u);
}

TEST(Time, WhatIsTooLateToBeCountedIsNever) {
  EXPECT_EQ(TimeFromNs(static_cast<uint64_t>(INT64_MAX) + 1), kNever);
  EXPECT_LT(TimeFromNs(INT64_MAX - 1), kNever);
}

}  // namespace
}  // namespace stubdomain
