// The Internet checksum.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/checksum.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace stubdomain {
namespace {

TEST(Checksum, TheExampleOfRfc1071) {
  const std::array<uint8_t, 8> bytes{0x00, 0x01, 0xf2, 0x03,
                                     0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(Checksum().Add(bytes).sum(), 0xddf2);
  EXPECT_EQ(Checksum().Add(bytes).complement(), 0x220d);
}

TEST(Checksum, PiecesAddUpToTheWhole) {
  std::vector<uint8_t> bytes(65535);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(i * 7 + i / 256);
  }
  const std::span<const uint8_t> all(bytes);
  const uint16_t whole = Checksum().Add(all).sum();
  uint64_t slow = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    slow += i % 2 == 0 ? bytes[i] << 8 : bytes[i];
  }
  while (slow >> 16 != 0) slow = (slow & 0xffff) + (slow >> 16);
  EXPECT_EQ(whole, slow);
  for (const size_t cut : {size_t{2}, size_t{1000}, size_t{65534}}) {
    EXPECT_EQ(Checksum().Add(all.first(cut)).Add(all.subspan(cut)).sum(),
              whole);
  }
}

TEST(Checksum, ManyLargeWordsDoNotOverflow) {
  const std::vector<uint8_t> bytes(65535 + 1, 0xff);
  Checksum checksum;
  for (int i = 0; i < 1000; ++i) checksum.Add(bytes);
  EXPECT_EQ(checksum.sum(), 0xffff);
}

}  // namespace
}  // namespace stubdomain
