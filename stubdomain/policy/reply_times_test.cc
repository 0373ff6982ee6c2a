// What is learned of reply times, as tables.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/reply_times.h"

#include <gtest/gtest.h>

#include <vector>

#include "stubdomain/stubdomain.h"
#include "trace/talk.h"

namespace stubdomain {
namespace {

using std::chrono::milliseconds;

constexpr int kUnknown = -1;

TEST(ReplyTimesTest, WhatIsExpected) {
  struct Case {
    std::vector<int> took;  // ms
    uint32_t percent;
    int elapsed;
    int expected;
  };
  const Case kCases[] = {
      {{}, 50, 0, kUnknown},
      {{100, 100, 100}, 50, 0, kUnknown},  // too few
      {{100, 100, 100, 100}, 50, 0, 96},   // to a step below
      {{0, 0, 0, 0}, 50, 0, 1},            // the first step
      {{10, 20, 40, 80}, 100, 0, 8},       // all took longer
      {{10, 20, 40, 80}, 75, 0, 16},
      {{10, 20, 40, 80}, 50, 0, 32},
      {{10, 20, 40, 80}, 25, 0, 64},
      {{10, 20, 40, 80}, 0, 0, 64},  // the longest
      // Of those that took as long as this already.
      {{10, 10, 10, 10, 90, 90, 90, 90}, 100, 0, 8},
      {{10, 10, 10, 10, 90, 90, 90, 90}, 100, 50, 64},
      {{10, 10, 10, 10, 90, 90, 90, 90}, 100, 500, kUnknown},
      // Beyond the last step.
      {{INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX}, 50, 0, 12582912},
      {{INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX}, 50, INT32_MAX, kUnknown},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(&c - kCases);
    ReplyHistogram times;
    for (const int took : c.took) times.Add(milliseconds(took));
    const auto expected = times.ExceededBy(c.percent, milliseconds(c.elapsed));
    EXPECT_EQ(expected ? std::chrono::duration_cast<milliseconds>(*expected)
                       : milliseconds(kUnknown),
              milliseconds(c.expected));
  }
}

// A peer that gets slower is known as slow soon.
TEST(ReplyTimesTest, WhatIsNewCountsMore) {
  ReplyHistogram times;
  for (int i = 0; i < 10000; ++i) times.Add(milliseconds(10));
  for (uint32_t i = 0; i < kMaxReplies; ++i) times.Add(milliseconds(1000));
  EXPECT_EQ(times.ExceededBy(50, Duration::zero()), milliseconds(768));
}

ReplyTimes::Key KeyOf(int number) {
  return {{Ip("192.0.2.1"), static_cast<uint16_t>(number)}, "x"};
}

TEST(ReplyTimesTest, WhatWasUsedLongestAgoIsForgotten) {
  ReplyTimes times;
  const auto learn = [&](int number) {
    for (uint32_t i = 0; i < kLeastReplies; ++i) {
      times.Note(KeyOf(number), milliseconds(100));
    }
  };
  const auto known = [&](int number) {
    return times.ExceededBy(KeyOf(number), 50, Duration::zero()).has_value();
  };
  for (int i = 0; i < static_cast<int>(kMaxLearned); ++i) learn(i);
  learn(0);
  EXPECT_TRUE(known(1));
  learn(1000);
  EXPECT_TRUE(known(0));
  EXPECT_FALSE(known(1));
  EXPECT_TRUE(known(2));
  EXPECT_TRUE(known(1000));
  EXPECT_EQ(times.size(), kMaxLearned);
}

TEST(ReplyTimesTest, IsSavedAndLoaded) {
  ReplyTimes times;
  for (int i = 0; i < 4; ++i) times.Note(KeyOf(1), milliseconds(100));
  Writer writer;
  times.Save(writer);
  Reader reader(writer.data());
  ReplyTimes other;
  ASSERT_TRUE(other.Load(reader));
  EXPECT_EQ(other.ExceededBy(KeyOf(1), 50, Duration::zero()), milliseconds(96));
  Writer again;
  other.Save(again);
  EXPECT_EQ(again.data(), writer.data());
}

TEST(ReplyTimesTest, MoreThanTheBoundsIsNotLoaded) {
  ReplyTimes times;
  Writer many;
  many.U32(kMaxLearned + 1);
  Reader many_reader(many.data());
  EXPECT_FALSE(times.Load(many_reader));

  for (const size_t length : {SD_CLASS_MAX, SD_CLASS_MAX + 1}) {
    for (const uint8_t count : {1, 2}) {
      Writer writer;
      writer.U32(1);
      writer.Put(KeyOf(1).peer);
      writer.Bytes(std::vector<uint8_t>(length, 'x'));
      for (int i = 0; i < 48; ++i) writer.U8(count);
      Reader reader(writer.data());
      // 48 replies are as many as can be, 96 are not.
      EXPECT_EQ(times.Load(reader), length == SD_CLASS_MAX && count == 1);
    }
  }
}

}  // namespace
}  // namespace stubdomain
