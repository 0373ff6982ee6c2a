// What is kept of the guest's requests.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/kept_request.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace stubdomain {
namespace {

class KeptRequestTest : public testing::Test {
 protected:
  // At offset `at` of what the guest sends.
  void Sends(uint32_t at, std::string_view text, uint64_t heard = 0) {
    kept_.Note(begin_ + at, static_cast<uint32_t>(text.size()),
               {reinterpret_cast<const uint8_t*>(text.data()), text.size()},
               heard);
  }
  std::string Kept() const { return Text(kept_); }
  static std::string Text(const KeptRequest& kept) {
    return {kept.bytes().begin(), kept.bytes().end()};
  }

  Seq begin_{0xfffffff0};  // wraps soon
  BufferBudget budget_{kMaxRequests};
  KeptRequest kept_{&budget_};
};

TEST_F(KeptRequestTest, ARequestIsWhatIsSentBetweenReplies) {
  EXPECT_EQ(Kept(), "");
  Sends(0, "GET /");
  Sends(5, "one");
  EXPECT_EQ(Kept(), "GET /one");
  Sends(8, "GET /two", 100);
  EXPECT_EQ(Kept(), "GET /two");
  EXPECT_EQ(budget_.reserved(), 8u);
}

TEST_F(KeptRequestTest, WhatIsSentAgainCountsOnce) {
  Sends(0, "GET /");
  Sends(0, "GET /");
  Sends(2, "T /one");
  EXPECT_EQ(Kept(), "GET /one");
  // Also when the peer has begun to answer.
  Sends(0, "GET /one", 100);
  EXPECT_EQ(Kept(), "GET /one");
}

TEST_F(KeptRequestTest, AGapLosesIt) {
  Sends(0, "GET /");
  Sends(9, "one");
  EXPECT_EQ(Kept(), "");
  Sends(12, "more");
  EXPECT_EQ(Kept(), "");
  Sends(16, "next", 5);
  EXPECT_EQ(Kept(), "next");
}

TEST_F(KeptRequestTest, WhatCannotBeReadLosesIt) {
  Sends(0, "GET /");
  kept_.Note(begin_ + 5, 7, {}, 0);
  EXPECT_EQ(Kept(), "");
  Sends(12, "next", 5);
  EXPECT_EQ(Kept(), "next");
}

TEST_F(KeptRequestTest, AtTheBoundItIsKeptAndBeyondItIsNot) {
  EXPECT_TRUE(kept_.Wants(kMaxRequest, 0));
  EXPECT_FALSE(kept_.Wants(kMaxRequest + 1, 0));
  Sends(0, std::string(kMaxRequest, 'x'));
  EXPECT_EQ(Kept().size(), kMaxRequest);
  EXPECT_FALSE(kept_.Wants(1, 0));
  Sends(kMaxRequest, "x");
  EXPECT_EQ(Kept(), "");
  EXPECT_EQ(budget_.reserved(), 0u);
  EXPECT_FALSE(kept_.Wants(1, 0));
  EXPECT_TRUE(kept_.Wants(1, 1));
}

TEST_F(KeptRequestTest, AllTogetherAreBounded) {
  BufferShare others(&budget_);
  others.Take(kMaxRequests - 5);
  Sends(0, "GET /");
  EXPECT_EQ(Kept(), "GET /");
  Sends(5, "one");
  EXPECT_EQ(Kept(), "");
  EXPECT_EQ(budget_.reserved(), kMaxRequests - 5);
}

TEST_F(KeptRequestTest, TlsIsNotKept) {
  Sends(0, std::string("\x17\x03\x03\x00\x01x", 6));
  EXPECT_EQ(Kept(), "");
}

TEST_F(KeptRequestTest, WhatIsForgottenIsNotContinued) {
  Sends(0, "GET /");
  kept_.Forget();
  Sends(5, "one");
  EXPECT_EQ(Kept(), "");
  Sends(8, "next", 1);
  EXPECT_EQ(Kept(), "next");
}

TEST_F(KeptRequestTest, GoesOnElsewhere) {
  Sends(0, "GET /");
  Writer writer;
  kept_.Save(writer);
  KeptRequest next(&budget_);
  Reader reader(writer.data());
  next.Load(reader);
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader.left(), 0u);
  const std::string_view more = "one";
  next.Note(begin_ + 5, 3,
            {reinterpret_cast<const uint8_t*>(more.data()), more.size()}, 0);
  EXPECT_EQ(Text(next), "GET /one");
  EXPECT_EQ(budget_.reserved(), 5u + 8u);
}

}  // namespace
}  // namespace stubdomain
