// How many must wait, and be answered, as tables.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/quorum.h"

#include <gtest/gtest.h>

#include <vector>

namespace stubdomain {
namespace {

TEST(QuorumTest, HowManyMustWait) {
  struct Case {
    uint32_t threads;
    uint32_t share;
    uint32_t registered;
    uint32_t needed;
  };
  constexpr Case kCases[] = {
      {0, 100, 1, 1},    // all
      {0, 100, 7, 7},    //
      {0, 50, 4, 2},     // a share, and no less
      {0, 50, 5, 3},     //
      {0, 1, 1000, 10},  //
      {0, 0, 5, 1},      // always one
      {2, 100, 5, 2},    // a number, whatever the share
      {2, 0, 5, 2},      //
      {9, 100, 5, 5},    // no more than there are
      {UINT32_MAX, 100, 5, 5},
      {0, UINT32_MAX, UINT32_MAX, UINT32_MAX},
      {0, 100, 0, 1},
  };
  for (const Case& c : kCases) {
    const sd_policy policy = {.pause_threads = c.threads,
                              .pause_share = c.share};
    EXPECT_EQ(WaitingNeeded(policy, c.registered), c.needed)
        << c.threads << " " << c.share << "% of " << c.registered;
  }
}

TEST(QuorumTest, HowManyRepliesWake) {
  struct Case {
    uint32_t replies;
    uint32_t share;
    uint32_t awaited;
    uint32_t needed;
  };
  constexpr Case kCases[] = {
      {1, 0, 5, 1},    // any
      {3, 0, 5, 3},    // a number
      {9, 0, 5, 5},    // no more than there are
      {1, 100, 5, 5},  // a share
      {1, 50, 5, 3},   //
      {4, 50, 5, 4},   // whichever is more
      {0, 0, 5, 1},    // always one
  };
  for (const Case& c : kCases) {
    const sd_policy policy = {.wake_replies = c.replies, .wake_share = c.share};
    EXPECT_EQ(RepliesNeeded(policy, c.awaited), c.needed)
        << c.replies << " " << c.share << "% of " << c.awaited;
  }
}

constexpr Time At(int ms) { return Time(std::chrono::milliseconds(ms)); }

TEST(QuorumTest, WhenEnoughHaveWaited) {
  struct Case {
    std::vector<Time> proposals;
    uint32_t needed;
    Time due;
  };
  const Case kCases[] = {
      {{}, 1, kNever},
      {{At(5)}, 1, At(5)},
      {{At(5)}, 2, kNever},
      {{At(9), At(5), At(7)}, 1, At(5)},
      {{At(9), At(5), At(7)}, 2, At(7)},
      {{At(9), At(5), At(7)}, 3, At(9)},
      {{kNever, kNever}, 2, kNever},  // nobody proposes
      {{kNever, At(5)}, 2, At(5)},    // one does, the other waits too
      {{At(7), kNever, At(5)}, 3, At(7)},
  };
  for (const Case& c : kCases) {
    TimeOrder proposals;
    uint64_t thread = 0;
    for (const Time proposal : c.proposals) proposals.Add(proposal, ++thread);
    EXPECT_EQ(QuorumDue(proposals, c.needed), c.due);
  }
}

}  // namespace
}  // namespace stubdomain
