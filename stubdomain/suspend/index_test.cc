// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "suspend/index.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "state/crc32.h"

namespace stubdomain {
namespace {

constexpr uint64_t kFileLength = uint64_t{1} << 30;

struct Example {
  explicit Example(bool checksums = false) : layout(4096, checksums) {
    EXPECT_EQ(layout.Add("pc.ram", 8 << 20), SD_SUSPEND_OK);
    EXPECT_EQ(layout.Add("rom", 4096), SD_SUSPEND_OK);
    EXPECT_EQ(SuspendStream::Make(layout, true, head, devices, &stream),
              SD_SUSPEND_OK);
    bitmaps.assign(layout.bitmaps_length(), 0x5a);
    encoded = EncodeSuspendIndex(layout, *stream, bitmaps);
  }

  SuspendLayout layout;
  std::vector<uint8_t> head = {'Q', 'E', 'V', 'M', 1, 2, 3};
  std::vector<uint8_t> devices = {4, 5, 6};
  std::unique_ptr<SuspendStream> stream;
  std::vector<uint8_t> bitmaps;
  std::vector<uint8_t> encoded;
};

TEST(SuspendIndex, HasEachPieceAndTheBitmapsButNotTheMark) {
  Example example;
  const auto index = DecodeSuspendIndex(example.encoded, kFileLength, false);
  ASSERT_TRUE(index);
  EXPECT_TRUE(index->blocks.empty());
  const auto& parts = index->parts;
  const auto& pieces = example.stream->pieces();
  ASSERT_EQ(parts.size(), pieces.size() + 1);
  EXPECT_EQ(parts.front().offset, uint64_t{SD_SUSPEND_MARK_SIZE});
  EXPECT_EQ(parts.front().length,
            pieces.front().bytes.size() - SD_SUSPEND_MARK_SIZE);
  for (size_t i = 1; i < pieces.size(); i++) {
    EXPECT_EQ(parts[i].offset, pieces[i].offset);
    EXPECT_EQ(parts[i].length, pieces[i].bytes.size());
    EXPECT_EQ(parts[i].crc, Crc32(pieces[i].bytes));
  }
  EXPECT_EQ(parts.back().offset, uint64_t{SD_SUSPEND_BITMAPS_OFFSET});
  EXPECT_EQ(parts.back().crc, Crc32(example.bitmaps));
}

TEST(SuspendIndex, WithChecksumsOfPagesItSaysWhereThosePagesAre) {
  Example example(true);
  const auto index = DecodeSuspendIndex(example.encoded, kFileLength, true);
  ASSERT_TRUE(index);
  ASSERT_EQ(index->blocks.size(), 2u);
  for (size_t i = 0; i < 2; i++) {
    EXPECT_EQ(index->blocks[i].offset, example.layout.blocks()[i].pages_offset);
    EXPECT_EQ(index->blocks[i].length, example.layout.blocks()[i].length);
  }
  const uint64_t end = example.stream->pieces().back().offset + 1;
  EXPECT_FALSE(DecodeSuspendIndex(example.encoded, end, true));
}

TEST(SuspendIndex, CutAnywhereOrTooLongItIsRefused) {
  for (const bool checksums : {false, true}) {
    Example example(checksums);
    for (size_t length = 0; length < example.encoded.size(); length++) {
      EXPECT_FALSE(DecodeSuspendIndex(std::span(example.encoded).first(length),
                                      kFileLength, checksums));
    }
    example.encoded.push_back(0);
    EXPECT_FALSE(DecodeSuspendIndex(example.encoded, kFileLength, checksums));
  }
}

TEST(SuspendIndex, APartBeyondTheEndOfTheFileIsRefused) {
  Example example;
  const auto& last = example.stream->pieces().back();
  const uint64_t end = last.offset + last.bytes.size();
  EXPECT_TRUE(DecodeSuspendIndex(example.encoded, end, false));
  EXPECT_FALSE(DecodeSuspendIndex(example.encoded, end - 1, false));
}

TEST(SuspendIndex, APartLongerThanTheBoundIsRefused) {
  Example example;
  // The length of the first part, in little-endian order.
  example.encoded[12 + 4] = 1;
  EXPECT_FALSE(DecodeSuspendIndex(example.encoded, ~uint64_t{0}, false));
}

}  // namespace
}  // namespace stubdomain
