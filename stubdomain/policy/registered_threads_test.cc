// Threads that wait, and what they propose together.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/registered_threads.h"

#include <gtest/gtest.h>

#include <random>

namespace stubdomain {
namespace {

constexpr Time At(int ms) { return Time(std::chrono::milliseconds(ms)); }

TEST(RegisteredThreadsTest, OneThatWasAnsweredDoesNotWait) {
  RegisteredThreads threads;
  const uint32_t thread = threads.Register("");
  EXPECT_FALSE(threads.IsWaiting(thread));
  threads.SetProposal(thread, kNever);
  EXPECT_TRUE(threads.IsWaiting(thread));
  EXPECT_EQ(threads.waiting().First(), kNever);
  threads.NoteAnswer(thread);
  EXPECT_FALSE(threads.IsWaiting(thread));
  threads.SetProposal(thread, At(3));
  EXPECT_TRUE(threads.waiting().empty());
  threads.NoteWait(thread);
  EXPECT_EQ(threads.waiting().First(), At(3));
  threads.SetProposal(thread, std::nullopt);
  EXPECT_TRUE(threads.waiting().empty());
}

TEST(RegisteredThreadsTest, OneThatLeftDoesNotWait) {
  RegisteredThreads threads;
  const uint32_t thread = threads.Register("");
  threads.SetProposal(thread, At(3));
  EXPECT_TRUE(threads.Leave(thread));
  EXPECT_TRUE(threads.waiting().empty());
  threads.SetProposal(thread, At(3));
  EXPECT_TRUE(threads.waiting().empty());
}

TEST(RegisteredThreadsTest, AgreesWithAWalkOverAll) {
  std::mt19937 random(1);
  RegisteredThreads threads;
  for (int i = 0; i < 5000; ++i) {
    const uint32_t thread = 1 + random() % 40;
    switch (random() % 8) {
      case 0:
        if (threads.size() < 20) threads.Register("");
        break;
      case 1:
        threads.Leave(thread);
        break;
      case 2:
        threads.NoteWait(thread);
        break;
      case 3:
        threads.NoteAnswer(thread);
        break;
      case 4:
        threads.SetProposal(thread, std::nullopt);
        break;
      case 5:
        threads.SetProposal(thread, kNever);
        break;
      default:
        threads.SetProposal(thread, At(random() % 10));
    }
    if (random() % 1000 == 0) threads.Clear();
    std::vector<Time> proposals;
    for (const auto& [number, entry] : threads.all()) {
      const bool waits = !entry.answered && entry.proposal;
      EXPECT_EQ(threads.IsWaiting(number), waits);
      if (waits) proposals.push_back(*entry.proposal);
    }
    std::ranges::sort(proposals);
    ASSERT_EQ(threads.waiting().size(), proposals.size());
    for (size_t n = 0; n < proposals.size(); ++n) {
      ASSERT_EQ(threads.waiting().Nth(n), proposals[n]);
    }
  }
}

}  // namespace
}  // namespace stubdomain
