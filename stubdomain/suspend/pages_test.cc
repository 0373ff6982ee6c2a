// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "suspend/pages.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace stubdomain {
namespace {

// As Linux writes them.
constexpr uint64_t kUntouched = 0;
constexpr uint64_t kAnonymous = uint64_t{1} << 63 | 0x1234;
constexpr uint64_t kInSwap = uint64_t{1} << 62;
constexpr uint64_t kFromFile = uint64_t{1} << 63 | uint64_t{1} << 61;
// A page of a file on its way to another place in memory.
constexpr uint64_t kFileMoving = uint64_t{1} << 62 | uint64_t{1} << 61;
constexpr uint64_t kSoftDirty = uint64_t{1} << 55;

TEST(ClassifyPage, AnonymousIsZeroUnlessInMemoryOrSwap) {
  EXPECT_EQ(ClassifyPage(SD_SUSPEND_ANONYMOUS, kUntouched), SD_SUSPEND_ZERO);
  EXPECT_EQ(ClassifyPage(SD_SUSPEND_ANONYMOUS, kSoftDirty), SD_SUSPEND_ZERO);
  EXPECT_EQ(ClassifyPage(SD_SUSPEND_ANONYMOUS, kAnonymous), SD_SUSPEND_CHECK);
  EXPECT_EQ(ClassifyPage(SD_SUSPEND_ANONYMOUS, kInSwap), SD_SUSPEND_CHECK);
}

TEST(ClassifyPage, MappedFromTheFileOnlyPrivateCopiesCount) {
  EXPECT_EQ(ClassifyPage(SD_SUSPEND_THIS_FILE, kUntouched), SD_SUSPEND_KEEP);
  EXPECT_EQ(ClassifyPage(SD_SUSPEND_THIS_FILE, kFromFile), SD_SUSPEND_KEEP);
  EXPECT_EQ(ClassifyPage(SD_SUSPEND_THIS_FILE, kFileMoving), SD_SUSPEND_KEEP);
  EXPECT_EQ(ClassifyPage(SD_SUSPEND_THIS_FILE, kAnonymous), SD_SUSPEND_CHECK);
  EXPECT_EQ(ClassifyPage(SD_SUSPEND_THIS_FILE, kInSwap), SD_SUSPEND_CHECK);
}

TEST(ClassifyPage, MappedFromElsewhereEveryPageCounts) {
  for (uint64_t entry : {kUntouched, kFromFile, kAnonymous, kInSwap}) {
    EXPECT_EQ(ClassifyPage(SD_SUSPEND_OTHER, entry), SD_SUSPEND_CHECK);
  }
}

TEST(CountResident, SwappedIsNotResidentAndFilePagesAreOptional) {
  const std::vector<uint64_t> pagemap = {kUntouched, kAnonymous, kInSwap,
                                         kFromFile, kFileMoving};
  EXPECT_EQ(CountResident(pagemap, false), 2u);
  EXPECT_EQ(CountResident(pagemap, true), 1u);
}

TEST(PageExists, InMemoryOrWithAPrivateCopyInMemoryOrSwap) {
  for (uint64_t entry : {kAnonymous, kFromFile}) {
    EXPECT_TRUE(PageExists(entry, false));
  }
  for (uint64_t entry : {kUntouched, kInSwap, kFileMoving, kSoftDirty}) {
    EXPECT_FALSE(PageExists(entry, false));
  }
  for (uint64_t entry : {kAnonymous, kInSwap}) {
    EXPECT_TRUE(PageExists(entry, true));
  }
  for (uint64_t entry : {kUntouched, kFromFile, kFileMoving, kSoftDirty}) {
    EXPECT_FALSE(PageExists(entry, true));
  }
}

TEST(NextRun, NothingToDoHasNoRun) {
  EXPECT_FALSE(NextRun({}, 0));
  const std::vector<uint8_t> pages(5, SD_SUSPEND_KEEP);
  EXPECT_FALSE(NextRun(pages, 0));
  EXPECT_FALSE(NextRun(pages, 5));
}

TEST(NextRun, EndsWhereTheKindChanges) {
  const std::vector<uint8_t> pages = {SD_SUSPEND_KEEP, SD_SUSPEND_DATA,
                                      SD_SUSPEND_DATA, SD_SUSPEND_ZERO,
                                      SD_SUSPEND_DATA};
  auto run = NextRun(pages, 0);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->kind, SD_SUSPEND_DATA);
  EXPECT_EQ(run->first, 1u);
  EXPECT_EQ(run->count, 2u);
  run = NextRun(pages, 3);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->kind, SD_SUSPEND_ZERO);
  EXPECT_EQ(run->first, 3u);
  EXPECT_EQ(run->count, 1u);
  run = NextRun(pages, 4);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->count, 1u);
  EXPECT_FALSE(NextRun(pages, 5));
}

TEST(NextRun, RunsOfAnyPagesCoverWhatIsToDoAndNothingElse) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; round++) {
    std::vector<uint8_t> pages(random() % 70);
    for (uint8_t& page : pages) {
      constexpr uint8_t kKinds[] = {SD_SUSPEND_KEEP, SD_SUSPEND_DATA,
                                    SD_SUSPEND_ZERO};
      page = kKinds[random() % 3];
    }
    std::vector<uint8_t> covered(pages.size(), SD_SUSPEND_KEEP);
    size_t from = 0;
    while (auto run = NextRun(pages, from)) {
      ASSERT_GE(run->first, from);
      ASSERT_GT(run->count, 0u);
      for (size_t i = 0; i < run->count; i++) {
        covered[run->first + i] = run->kind;
      }
      from = run->first + run->count;
    }
    EXPECT_EQ(covered, pages);
  }
}

}  // namespace
}  // namespace stubdomain
