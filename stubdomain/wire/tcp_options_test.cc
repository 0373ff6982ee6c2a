// TCP's options.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/tcp_options.h"

#include <gtest/gtest.h>

#include <vector>

namespace stubdomain {
namespace {

TcpOptions Parsed(const std::vector<uint8_t>& bytes) {
  TcpOptions options;
  EXPECT_TRUE(ParseTcpOptions(bytes, &options));
  return options;
}

bool Parses(const std::vector<uint8_t>& bytes) {
  TcpOptions options;
  return ParseTcpOptions(bytes, &options);
}

std::vector<uint8_t> Written(const TcpOptions& options) {
  HeaderBytes bytes;
  WriteTcpOptions(options, &bytes);
  EXPECT_EQ(TcpOptionsLength(options), bytes.size());
  return {bytes.all().begin(), bytes.all().end()};
}

TEST(TcpOptions, WhatIsWrittenIsRead) {
  TcpOptions options;
  options.mss = 1234;
  options.window_shift = 9;
  options.sack_permitted = true;
  options.timestamps = Timestamps{0x01020304, 0xfffefdfc};
  const auto bytes = Written(options);
  EXPECT_EQ(bytes.size() % 4, 0u);
  const TcpOptions read = Parsed(bytes);
  EXPECT_EQ(read.mss, options.mss);
  EXPECT_EQ(read.window_shift, options.window_shift);
  EXPECT_TRUE(read.sack_permitted);
  EXPECT_EQ(read.timestamps, options.timestamps);
}

TEST(TcpOptions, AsManySackBlocksAsFitAreWritten) {
  TcpOptions options;
  for (uint32_t i = 0; i < kMaxSackBlocks; ++i) {
    options.sack.Add({Seq(100 * i), Seq(100 * i + 50)});
  }
  auto bytes = Written(options);
  EXPECT_EQ(bytes.size(), 36u);
  EXPECT_EQ(Parsed(bytes).sack.count, 4);

  options.timestamps = Timestamps{};
  bytes = Written(options);
  EXPECT_EQ(bytes.size(), 40u);
  const TcpOptions read = Parsed(bytes);
  ASSERT_EQ(read.sack.count, 3);
  EXPECT_EQ(read.sack.blocks[2], (SeqRange{Seq(200), Seq(250)}));
}

TEST(TcpOptions, NoMoreSackBlocksThanThereIsRoomAreTaken) {
  SackBlocks sack;
  for (uint32_t i = 0; i < 10; ++i) sack.Add({Seq(i), Seq(i + 1)});
  EXPECT_EQ(sack.count, kMaxSackBlocks);
}

TEST(TcpOptions, ReadingEndsAtTheEndOfTheList) {
  EXPECT_FALSE(Parsed({0, 2, 4, 5, 0xb4}).mss);
  EXPECT_EQ(Parsed({1, 1, 2, 4, 5, 0xb4, 0, 99}).mss, 1460);
}

TEST(TcpOptions, AWrongLengthIsMalformed) {
  EXPECT_FALSE(Parses({2}));
  EXPECT_FALSE(Parses({2, 0}));
  EXPECT_FALSE(Parses({2, 1}));
  EXPECT_FALSE(Parses({2, 4, 5}));
  EXPECT_FALSE(Parses({77, 3}));
}

TEST(TcpOptions, AnOptionOfTheWrongSizeIsAsGoodAsAbsent) {
  EXPECT_FALSE(Parsed({2, 3, 5, 1}).mss);
  EXPECT_FALSE(Parsed({8, 4, 5, 1}).timestamps);
  EXPECT_EQ(Parsed({5, 6, 1, 2, 3, 4}).sack.count, 0);
}

TEST(TcpOptions, AWindowScaleIsBounded) {
  EXPECT_EQ(Parsed({3, 3, 14}).window_shift, 14);
  EXPECT_EQ(Parsed({3, 3, 255}).window_shift, kMaxWindowShift);
}

TEST(TcpOptions, WhatForbidsToSpeakForTheGuestIsSeen) {
  EXPECT_TRUE(Parsed({30, 4, 0, 0}).multipath);
  EXPECT_TRUE(Parsed({29, 4, 0, 0}).authenticated);
  EXPECT_TRUE(Parsed({19, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
                  .authenticated);
  EXPECT_FALSE(Parsed({34, 2}).multipath);
}

}  // namespace
}  // namespace stubdomain
