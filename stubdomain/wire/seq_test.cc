// Sequence numbers.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/seq.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

TEST(Seq, ComparesAcrossTheWrap) {
  const Seq before(0xfffffff0);
  const Seq after(0x00000010);
  EXPECT_TRUE(before < after);
  EXPECT_TRUE(after > before);
  EXPECT_EQ(after - before, 0x20);
  EXPECT_EQ(before - after, -0x20);
  EXPECT_EQ(before + 0x20, after);
  EXPECT_EQ(after - 0x20u, before);
  EXPECT_EQ(Later(before, after), after);
  EXPECT_EQ(Earlier(before, after), before);
}

TEST(Seq, ADistanceIsNeverNegative) {
  EXPECT_EQ(Distance(Seq(0xfffffff0), Seq(0x10)), 0x20u);
  EXPECT_EQ(Distance(Seq(0x10), Seq(0xfffffff0)), 0u);
  EXPECT_EQ((SeqRange{Seq(5), Seq(5)}).length(), 0u);
}

TEST(Seq, HalfTheSpaceIsTheLimit) {
  EXPECT_TRUE(Seq(0) < Seq(0x7fffffff));
  EXPECT_TRUE(Seq(0x7fffffff) > Seq(0));
}

}  // namespace
}  // namespace stubdomain
