// The default handler's decisions.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/default_handler.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

TEST(DefaultHandlerTest, WaitsUntilTheLastByteThatIsWanted) {
  const DefaultHandler handler(100);
  EXPECT_EQ(handler.Decide({.bytes = 0}), Decision::kWait);
  EXPECT_EQ(handler.Decide({.bytes = 99}), Decision::kWait);
  EXPECT_EQ(handler.Decide({.bytes = 100}), Decision::kReplied);
  EXPECT_EQ(handler.Decide({.bytes = 101}), Decision::kReplied);
}

TEST(DefaultHandlerTest, WaitsForOneByteAtLeast) {
  const DefaultHandler handler(0);
  EXPECT_EQ(handler.bytes(), 1u);
  EXPECT_EQ(handler.Decide({.bytes = 0}), Decision::kWait);
  EXPECT_EQ(handler.Decide({.bytes = 1}), Decision::kReplied);
}

TEST(DefaultHandlerTest, EndsWhenNoMoreCanCome) {
  const DefaultHandler handler(100);
  EXPECT_EQ(handler.Decide({.bytes = 99, .closed = true}), Decision::kClosed);
  EXPECT_EQ(handler.Decide({.bytes = 99, .reset = true}), Decision::kReset);
  EXPECT_EQ(handler.Decide({.bytes = 99, .closed = true, .reset = true}),
            Decision::kReset);
}

TEST(DefaultHandlerTest, EndsWhenNoMoreCanBeKept) {
  const DefaultHandler handler(100);
  EXPECT_EQ(handler.Decide({.bytes = 99, .buffer_full = true}),
            Decision::kBufferFull);
}

TEST(DefaultHandlerTest, ACompleteReplyCountsHoweverTheConnectionEnded) {
  const DefaultHandler handler(100);
  EXPECT_EQ(handler.Decide({.bytes = 100, .closed = true}), Decision::kReplied);
  EXPECT_EQ(handler.Decide({.bytes = 100, .reset = true}), Decision::kReplied);
  EXPECT_EQ(handler.Decide({.bytes = 100, .buffer_full = true}),
            Decision::kReplied);
}

}  // namespace
}  // namespace stubdomain
