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
  Example() {
    EXPECT_EQ(layout.Add("pc.ram", 8 << 20), SD_SUSPEND_OK);
    EXPECT_EQ(layout.Add("rom", 4096), SD_SUSPEND_OK);
    EXPECT_EQ(SuspendStream::Make(layout, true, head, devices, &stream),
              SD_SUSPEND_OK);
    bitmaps.assign(layout.bitmaps_length(), 0x5a);
    encoded = EncodeSuspendIndex(*stream, bitmaps);
  }

  SuspendLayout layout{4096};
  std::vector<uint8_t> head = {'Q', 'E', 'V', 'M', 1, 2, 3};
  std::vector<uint8_t> devices = {4, 5, 6};
  std::unique_ptr<SuspendStream> stream;
  std::vector<uint8_t> bitmaps;
  std::vector<uint8_t> encoded;
};

TEST(SuspendIndex, HasEachPieceAndTheBitmapsButNotTheMark) {
  Example example;
  const auto parts = DecodeSuspendIndex(example.encoded, kFileLength);
  ASSERT_TRUE(parts);
  const auto& pieces = example.stream->pieces();
  ASSERT_EQ(parts->size(), pieces.size() + 1);
  EXPECT_EQ(parts->front().offset, uint64_t{SD_SUSPEND_MARK_SIZE});
  EXPECT_EQ(parts->front().length,
            pieces.front().bytes.size() - SD_SUSPEND_MARK_SIZE);
  for (size_t i = 1; i < pieces.size(); i++) {
    EXPECT_EQ((*parts)[i].offset, pieces[i].offset);
    EXPECT_EQ((*parts)[i].length, pieces[i].bytes.size());
    EXPECT_EQ((*parts)[i].crc, Crc32(pieces[i].bytes));
  }
  EXPECT_EQ(parts->back().offset, uint64_t{SD_SUSPEND_BITMAPS_OFFSET});
  EXPECT_EQ(parts->back().crc, Crc32(example.bitmaps));
}

TEST(SuspendIndex, CutAnywhereOrTooLongItIsRefused) {
  Example example;
  for (size_t length = 0; length < example.encoded.size(); length++) {
    EXPECT_FALSE(DecodeSuspendIndex(std::span(example.encoded).first(length),
                                    kFileLength));
  }
  example.encoded.push_back(0);
  EXPECT_FALSE(DecodeSuspendIndex(example.encoded, kFileLength));
}

TEST(SuspendIndex, APartBeyondTheEndOfTheFileIsRefused) {
  Example example;
  const auto& last = example.stream->pieces().back();
  const uint64_t end = last.offset + last.bytes.size();
  EXPECT_TRUE(DecodeSuspendIndex(example.encoded, end));
  EXPECT_FALSE(DecodeSuspendIndex(example.encoded, end - 1));
}

TEST(SuspendIndex, APartLongerThanTheBoundIsRefused) {
  Example example;
  // The length of the first part, in little-endian order.
  example.encoded[12 + 4] = 1;
  EXPECT_FALSE(DecodeSuspendIndex(example.encoded, ~uint64_t{0}));
}

}  // namespace
}  // namespace stubdomain
