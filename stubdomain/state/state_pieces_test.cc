// Checksum and times of the serial form.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <string_view>

#include "state/crc32.h"
#include "state/saved_time.h"

namespace stubdomain {
namespace {

constexpr Time kHere{std::chrono::seconds(1000)};
constexpr Time kThere{std::chrono::seconds(5)};

// What a time that is saved here is there.
Time HandedOver(Time time) {
  Writer writer;
  SaveTime(time, kHere, writer);
  Reader reader(writer.data());
  const Time loaded = LoadTime(reader, kThere);
  EXPECT_TRUE(reader.ok());
  return loaded;
}

TEST(Crc32Test, OfTheUsualCheckString) {
  constexpr std::string_view kCheck = "123456789";
  EXPECT_EQ(
      Crc32({reinterpret_cast<const uint8_t*>(kCheck.data()), kCheck.size()}),
      0xcbf43926u);
  EXPECT_EQ(Crc32({}), 0u);
}

TEST(SavedTimeTest, TheTimeThatIsLeftIsKept) {
  const Duration left = std::chrono::nanoseconds(1234567);
  EXPECT_EQ(HandedOver(kHere + left), kThere + left);
  EXPECT_EQ(HandedOver(kHere + kMaxSavedDuration), kThere + kMaxSavedDuration);
  EXPECT_EQ(HandedOver(kNever), kNever);
  EXPECT_EQ(HandedOver(kHere - left), kThere - left);
  EXPECT_EQ(HandedOver(kHere - 2 * kMaxSavedDuration),
            kThere - kMaxSavedDuration);
}

TEST(SavedTimeTest, MoreThanTheLongestTimeFails) {
  for (const int64_t left : {kMaxSavedDuration.count() + 1,
                             -kMaxSavedDuration.count() - 1, INT64_MIN}) {
    Writer writer;
    writer.U64(static_cast<uint64_t>(left));
    Reader reader(writer.data());
    LoadTime(reader, kThere);
    EXPECT_FALSE(reader.ok());
  }
}

}  // namespace
}  // namespace stubdomain
