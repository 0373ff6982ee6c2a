// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "suspend/layout.h"

#include <gtest/gtest.h>

#include <string>

namespace stubdomain {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint32_t kPage = 4096;

TEST(SuspendLayout, NothingAddedHasNoPages) {
  SuspendLayout layout(kPage);
  EXPECT_EQ(layout.ram_end(), SD_SUSPEND_BITMAPS_OFFSET);
  EXPECT_EQ(layout.total(), 0u);
}

TEST(SuspendLayout, PagesStartAtTheAlignmentBehindTheBitmaps) {
  SuspendLayout layout(kPage);
  ASSERT_EQ(layout.Add("pc.ram", 256 * kMiB), SD_SUSPEND_OK);
  ASSERT_EQ(layout.Add("vga.vram", 16 * kMiB), SD_SUSPEND_OK);
  ASSERT_EQ(layout.Add("pc.rom", 128 << 10), SD_SUSPEND_OK);

  const auto& blocks = layout.blocks();
  EXPECT_EQ(blocks[0].bitmap_offset, 0u);
  EXPECT_EQ(blocks[1].bitmap_offset, 65536u / 8);
  EXPECT_EQ(blocks[2].bitmap_offset, 65536u / 8 + 4096u / 8);
  EXPECT_EQ(layout.bitmaps_length(), 65536u / 8 + 4096u / 8 + 8);
  EXPECT_EQ(blocks[0].pages_offset, 2 * kMiB);
  // A block header stands between, so the next boundary is one further on.
  EXPECT_EQ(blocks[1].pages_offset, (2 + 256 + 1) * kMiB);
  EXPECT_EQ(blocks[2].pages_offset, (2 + 256 + 1 + 16 + 1) * kMiB);
  EXPECT_EQ(layout.ram_end(), blocks[2].pages_offset + (128 << 10));
}

TEST(SuspendLayout, BitmapsLongerThanTheGapMoveAllPages) {
  SuspendLayout layout(kPage);
  // 40 GiB of RAM have 1.25 MiB of bitmap.
  ASSERT_EQ(layout.Add("ram", 40960 * kMiB), SD_SUSPEND_OK);
  EXPECT_EQ(layout.blocks()[0].pages_offset, 3 * kMiB);
}

TEST(SuspendLayout, BitmapsThatEndAtTheAlignmentNeedNoGap) {
  SuspendLayout layout(kPage);
  ASSERT_EQ(layout.Add("ram", 32768 * kMiB), SD_SUSPEND_OK);
  EXPECT_EQ(layout.bitmaps_length(), kMiB);
  EXPECT_EQ(layout.blocks()[0].pages_offset, 2 * kMiB);
}

TEST(SuspendLayout, ChecksumsOfPagesStandBetweenBitmapsAndPages) {
  SuspendLayout layout(kPage, true);
  ASSERT_EQ(layout.Add("ram", 1024 * kMiB), SD_SUSPEND_OK);
  ASSERT_EQ(layout.Add("rom", 3 * kPage), SD_SUSPEND_OK);
  EXPECT_EQ(layout.bitmaps_length(), 32768u + 8);
  EXPECT_EQ(layout.checksums_offset(),
            SD_SUSPEND_BITMAPS_OFFSET + 32768u + 4096);
  EXPECT_EQ(layout.checksums_length(), (262144u + 3) * 4);
  EXPECT_EQ(layout.blocks()[1].first_page, 262144u);
  EXPECT_EQ(layout.blocks()[0].pages_offset, 3 * kMiB);

  SuspendLayout without(kPage);
  ASSERT_EQ(without.Add("ram", 1024 * kMiB), SD_SUSPEND_OK);
  ASSERT_EQ(without.Add("rom", 3 * kPage), SD_SUSPEND_OK);
  EXPECT_EQ(without.checksums_offset(), 0u);
  EXPECT_NE(layout, without);
}

TEST(SuspendLayout, RefusalLeavesItAsItWas) {
  SuspendLayout layout(kPage);
  ASSERT_EQ(layout.Add("ram", kMiB), SD_SUSPEND_OK);
  SuspendLayout before = layout;
  EXPECT_EQ(layout.Add("ram", kMiB), SD_SUSPEND_BAD_NAME);
  EXPECT_EQ(layout.Add("", kMiB), SD_SUSPEND_BAD_NAME);
  EXPECT_EQ(layout.Add(std::string(SD_SUSPEND_NAME_MAX + 1, 'x'), kMiB),
            SD_SUSPEND_BAD_NAME);
  EXPECT_EQ(layout.Add("x", 0), SD_SUSPEND_BAD_LENGTH);
  EXPECT_EQ(layout.Add("x", kMiB + 1), SD_SUSPEND_BAD_LENGTH);
  EXPECT_EQ(layout.Add("x", ~uint64_t{kPage - 1}), SD_SUSPEND_TOO_LARGE);
  EXPECT_EQ(layout.Add("x", uint64_t{1} << 62), SD_SUSPEND_TOO_LARGE);
  EXPECT_EQ(layout, before);
  EXPECT_EQ(layout.Add(std::string(SD_SUSPEND_NAME_MAX, 'x'), kMiB),
            SD_SUSPEND_OK);
}

TEST(SuspendLayout, FullTakesNoMoreBlocks) {
  SuspendLayout layout(kPage);
  for (int i = 0; i < SD_SUSPEND_BLOCKS_MAX; i++) {
    ASSERT_EQ(layout.Add(std::to_string(i), kPage), SD_SUSPEND_OK);
  }
  SuspendLayout before = layout;
  EXPECT_EQ(layout.Add("one more", kPage), SD_SUSPEND_TOO_MANY_BLOCKS);
  EXPECT_EQ(layout, before);
}

TEST(SuspendLayout, DiffersByPageSizeNameLengthAndOrder) {
  auto make = [](uint32_t page, std::string first, uint64_t length,
                 std::string second) {
    SuspendLayout layout(page);
    EXPECT_EQ(layout.Add(first, length), SD_SUSPEND_OK);
    EXPECT_EQ(layout.Add(second, kMiB), SD_SUSPEND_OK);
    return layout;
  };
  SuspendLayout layout = make(kPage, "a", kMiB, "b");
  EXPECT_EQ(layout, make(kPage, "a", kMiB, "b"));
  EXPECT_NE(layout, make(2 * kPage, "a", kMiB, "b"));
  EXPECT_NE(layout, make(kPage, "c", kMiB, "b"));
  EXPECT_NE(layout, make(kPage, "a", 2 * kMiB, "b"));
  EXPECT_NE(layout, make(kPage, "b", kMiB, "a"));
}

}  // namespace
}  // namespace stubdomain
