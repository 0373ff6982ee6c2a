// Tables of tries.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/retries.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

using std::chrono::seconds;
using Due = Retries::Due;

constexpr Time kBegin{std::chrono::hours(1)};

RetryRule Rule(uint8_t times, int after) {
  return {.times = times, .after = seconds(after)};
}

TEST(RetriesTest, EachTryHasItsTime) {
  Retries retries(Rule(2, 5), kBegin);
  EXPECT_EQ(retries.deadline(), kBegin + seconds(5));
  EXPECT_EQ(retries.Take(kBegin + seconds(4)), Due::kNothing);
  EXPECT_EQ(retries.Take(kBegin + seconds(5)), Due::kSend);
  // Late: the next one counts from then on.
  EXPECT_EQ(retries.Take(kBegin + seconds(12)), Due::kSend);
  EXPECT_EQ(retries.Take(kBegin + seconds(16)), Due::kNothing);
  EXPECT_EQ(retries.Take(kBegin + seconds(17)), Due::kOver);
  EXPECT_EQ(retries.deadline(), kNever);
  EXPECT_EQ(retries.Take(kBegin + seconds(100)), Due::kNothing);
}

TEST(RetriesTest, AReplyEndsTheSilence) {
  Retries retries(Rule(2, 5), kBegin);
  retries.NoteReply();
  EXPECT_EQ(retries.deadline(), kNever);
  EXPECT_EQ(retries.Take(kBegin + seconds(100)), Due::kNothing);
}

TEST(RetriesTest, AReplyAsksForTheTriesThatAreLeft) {
  Retries retries({.times = 2}, kBegin);
  EXPECT_EQ(retries.deadline(), kNever);
  EXPECT_TRUE(retries.Ask(seconds(3), kBegin));
  EXPECT_EQ(retries.Take(kBegin + seconds(3)), Due::kSend);
  EXPECT_EQ(retries.deadline(), kNever);
  EXPECT_TRUE(retries.Ask(seconds(0), kBegin + seconds(4)));
  EXPECT_EQ(retries.Take(kBegin + seconds(4)), Due::kSend);
  EXPECT_FALSE(retries.Ask(seconds(0), kBegin + seconds(5)));
  EXPECT_EQ(retries.deadline(), kNever);
}

TEST(RetriesTest, GoesOnElsewhere) {
  Retries retries(Rule(2, 5), kBegin);
  retries.Take(kBegin + seconds(5));
  Writer writer;
  retries.Save(writer, kBegin + seconds(6));
  const Time now{seconds(7)};
  Retries next(Rule(2, 5), now);
  Reader reader(writer.data());
  next.Load(reader, now);
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.left(), 0u);
  EXPECT_EQ(next.deadline(), now + seconds(4));
  EXPECT_EQ(next.Take(now + seconds(4)), Due::kSend);
  EXPECT_EQ(next.Take(now + seconds(9)), Due::kOver);

  Retries fewer(Rule(0, 5), now);
  Reader again(writer.data());
  fewer.Load(again, now);
  EXPECT_FALSE(again.ok());
}

}  // namespace
}  // namespace stubdomain
