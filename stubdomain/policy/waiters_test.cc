// When the VM is expected to be woken, and what counts of those that wait.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/waiters.h"

#include <gtest/gtest.h>

#include <vector>

namespace stubdomain {
namespace {

constexpr Time At(int ms) { return Time(std::chrono::milliseconds(ms)); }

TEST(WaitersTest, WhenTheVmIsExpectedToBeWoken) {
  struct Wait {
    uint32_t thread;  // 0: none
    Time reply;
    uint8_t importance;
  };
  struct Case {
    std::vector<Wait> waits;
    uint32_t replies;
    Time wake;
  };
  const Case kCases[] = {
      {{}, 1, kNever},
      {{{0, At(5), 0}}, 1, At(5)},
      {{{0, At(5), 0}, {0, At(3), 0}}, 1, At(3)},
      {{{0, At(5), 0}, {0, At(3), 0}}, 2, At(5)},
      // Of the other nothing is known.
      {{{0, At(5), 0}, {0, kNever, 0}}, 2, kNever},
      // Of 3 on, one alone wakes.
      {{{0, At(5), 2}, {0, kNever, 0}}, 2, kNever},
      {{{0, At(5), 3}, {0, kNever, 0}}, 2, At(5)},
      {{{0, At(5), 5}, {0, At(2), 0}, {0, At(9), 0}}, 3, At(5)},
      // Several waits of a thread have one reply.
      {{{1, At(5), 0}, {1, At(3), 0}, {0, At(7), 0}}, 2, At(7)},
      {{{1, At(5), 0}, {2, At(3), 0}, {0, At(7), 0}}, 2, At(5)},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(&c - kCases);
    Waiters waiters;
    uint32_t number = 0;
    for (const Wait& wait : c.waits) {
      ++number;
      waiters.Open(wait.thread != 0 ? Waiters::Thread(wait.thread)
                                    : Waiters::Wait(number),
                   number,
                   {.reply = wait.reply, .importance = wait.importance});
    }
    EXPECT_EQ(waiters.ExpectedWake(c.replies, 3), c.wake);
  }
}

TEST(WaitersTest, AThreadProposesWithItsFirstWait) {
  Waiters waiters;
  const Waiters::Id thread = Waiters::Thread(1);
  EXPECT_EQ(waiters.Proposal(thread), std::nullopt);
  waiters.Open(thread, 1, {});
  EXPECT_EQ(waiters.Proposal(thread), kNever);
  waiters.Open(thread, 2, {.proposal = At(5)});
  EXPECT_EQ(waiters.Proposal(thread), At(5));
  waiters.Close(thread, 2, {.proposal = At(5)});
  EXPECT_EQ(waiters.Proposal(thread), kNever);
}

TEST(WaitersTest, AThreadWithAnAnswerAndAWaitIsOneOfThem) {
  Waiters waiters;
  const Waiters::Id thread = Waiters::Thread(1);
  waiters.Open(thread, 1, {});
  waiters.Open(thread, 2, {});
  waiters.Open(Waiters::Wait(3), 3, {});
  EXPECT_EQ(waiters.awaited(), 2u);
  waiters.Close(thread, 1, {});
  waiters.Answer(thread, 4);
  EXPECT_EQ(waiters.awaited(), 2u);
  EXPECT_EQ(waiters.answered(), 1u);
  EXPECT_EQ(waiters.importance(), 4);
  waiters.Close(thread, 2, {});
  waiters.Answer(thread, 1);
  EXPECT_EQ(waiters.awaited(), 2u);
  EXPECT_EQ(waiters.open(), 1u);
  EXPECT_EQ(waiters.answered(), 1u);
  EXPECT_EQ(waiters.importance(), 4);
  waiters.ForgetAnswered();
  EXPECT_EQ(waiters.awaited(), 1u);
  EXPECT_EQ(waiters.answered(), 0u);
  EXPECT_EQ(waiters.importance(), 0);
}

}  // namespace
}  // namespace stubdomain
