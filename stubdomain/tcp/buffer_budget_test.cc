// The shared bound on kept bytes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/buffer_budget.h"

#include <gtest/gtest.h>

#include <memory>

namespace stubdomain {
namespace {

TEST(BufferBudget, GrantsUpToTheLimitAndNoMore) {
  BufferBudget budget(100);
  BufferShare a(&budget);
  BufferShare b(&budget);
  EXPECT_EQ(a.Reserve(60), 60u);
  EXPECT_EQ(b.Reserve(60), 40u);
  EXPECT_EQ(b.Reserve(1), 0u);
  EXPECT_EQ(budget.reserved(), 100u);
  a.Release(10);
  EXPECT_EQ(b.Reserve(60), 10u);
  EXPECT_EQ(a.amount(), 50u);
  EXPECT_EQ(b.amount(), 50u);
}

TEST(BufferBudget, TellsOfNewRoom) {
  BufferBudget budget(100);
  BufferShare share(&budget);
  share.Reserve(60);
  share.Release(0);
  budget.set_limit(90);
  const uint64_t before = budget.news();
  EXPECT_EQ(before, 0u);
  share.Release(1);
  EXPECT_NE(budget.news(), before);
  const uint64_t released = budget.news();
  budget.set_limit(91);
  EXPECT_NE(budget.news(), released);
}

TEST(BufferBudget, WhatIsThereAlreadyCountsBeyondTheLimit) {
  BufferBudget budget(100);
  BufferShare a(&budget);
  a.Take(150);
  EXPECT_EQ(budget.reserved(), 150u);
  EXPECT_EQ(budget.available(), 0u);
  EXPECT_EQ(a.Reserve(1), 0u);
}

TEST(BufferBudget, ALowerLimitBindsWhatComesNext) {
  BufferBudget budget(100);
  BufferShare a(&budget);
  a.Reserve(80);
  budget.set_limit(50);
  EXPECT_EQ(a.amount(), 80u);
  EXPECT_EQ(a.Reserve(1), 0u);
  a.Release(40);
  EXPECT_EQ(a.Reserve(100), 10u);
}

TEST(BufferBudget, AShareThatEndsGivesAllBack) {
  BufferBudget budget(100);
  auto share = std::make_unique<BufferShare>(&budget);
  share->Reserve(70);
  share.reset();
  EXPECT_EQ(budget.reserved(), 0u);
}

}  // namespace
}  // namespace stubdomain
