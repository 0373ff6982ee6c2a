// Which replies are duplicates.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/duplicate_replies.h"

#include <gtest/gtest.h>

#include <string_view>

#include "trace/talk.h"

namespace stubdomain {
namespace {

class DuplicateRepliesTest : public testing::Test {
 protected:
  static FlowId Id(uint16_t port = 5000) {
    return {{Ip("10.0.2.15"), port}, {Ip("192.0.2.1"), 53}};
  }
  static std::span<const uint8_t> Bytes(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
  }
  void Expect(std::string_view reply, uint32_t times, bool dns = false,
              uint16_t port = 5000) {
    replies_.Expect(0, Id(port), Bytes(reply), dns, times, now_);
  }
  bool Take(std::string_view reply, uint16_t port = 5000) {
    return replies_.Take(0, Id(port), Bytes(reply), now_);
  }

  Time now_{std::chrono::hours(1)};
  DuplicateReplies replies_;
};

TEST_F(DuplicateRepliesTest, AsManyAreTakenAsTheQuestionWasAskedAgain) {
  Expect("yes", 2);
  EXPECT_FALSE(Take("no"));
  EXPECT_FALSE(Take("yes", 5001));
  EXPECT_FALSE(replies_.Take(1, Id(), Bytes("yes"), now_));
  EXPECT_TRUE(Take("yes"));
  EXPECT_TRUE(Take("yes"));
  EXPECT_FALSE(Take("yes"));
  EXPECT_TRUE(replies_.empty());
}

TEST_F(DuplicateRepliesTest, AnswersOfDnsAreToldByTheirId) {
  Expect("12 an answer", 1, true);
  EXPECT_FALSE(Take("13 an answer"));
  EXPECT_TRUE(Take("12 the same in other words"));
}

TEST_F(DuplicateRepliesTest, WhoAsksAgainWantsAllReplies) {
  Expect("yes", 2);
  replies_.Forget(0, Id());
  EXPECT_FALSE(Take("yes"));
}

TEST_F(DuplicateRepliesTest, AfterAWhileNoneIsExpected) {
  Expect("yes", 2);
  now_ += kDuplicatesCome;
  EXPECT_FALSE(Take("yes"));
  EXPECT_TRUE(replies_.empty());
}

TEST_F(DuplicateRepliesTest, BeyondTheBoundTheOldestIsForgotten) {
  for (uint16_t port = 0; port <= kMaxDuplicates; ++port) {
    Expect("yes", 1, false, port);
  }
  EXPECT_FALSE(Take("yes", 0));
  EXPECT_TRUE(Take("yes", 1));
  EXPECT_TRUE(Take("yes", kMaxDuplicates));
}

TEST_F(DuplicateRepliesTest, OfWhatWasAskedOnceThereAreNone) {
  Expect("yes", 0);
  EXPECT_TRUE(replies_.empty());
}

}  // namespace
}  // namespace stubdomain
