// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "suspend/header.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "state/crc32.h"
#include "wire/serial.h"

namespace stubdomain {
namespace {

using Bytes = std::array<uint8_t, SD_SUSPEND_HEADER_SIZE>;

constexpr size_t kVersionAt = 8;
constexpr size_t kNameLengthAt = 60;

sd_suspend_header Example() {
  sd_suspend_header header = {};
  header.generation = 7;
  header.file_length = 0x0123456789abcdef;
  std::memset(header.image, 0x11, sizeof(header.image));
  std::memset(header.vm, 0x22, sizeof(header.vm));
  std::strcpy(header.vm_name, "sandbox-17");
  header.checksums_offset = 0x108000;
  header.encryption.iterations = 600000;
  std::memset(header.encryption.salt, 0x33, sizeof(header.encryption.salt));
  std::memset(header.encryption.check, 0x44, sizeof(header.encryption.check));
  return header;
}

Bytes Encoded(const sd_suspend_header& header) {
  Bytes data;
  data.fill(0xee);
  EncodeSuspendHeader(header, data);
  return data;
}

void SetChecksum(Bytes& data) {
  Writer checksum;
  checksum.U32(Crc32(std::span(data).first(data.size() - 4)));
  std::ranges::copy(checksum.data(), data.end() - 4);
}

TEST(SuspendHeader, ComesBackAsItWas) {
  const sd_suspend_header example = Example();
  sd_suspend_header got = {};
  ASSERT_EQ(DecodeSuspendHeader(Encoded(example), &got), SD_SUSPEND_OK);
  EXPECT_EQ(got.generation, 7u);
  EXPECT_EQ(got.file_length, 0x0123456789abcdefu);
  EXPECT_EQ(std::memcmp(got.image, Example().image, sizeof(got.image)), 0);
  EXPECT_EQ(std::memcmp(got.vm, Example().vm, sizeof(got.vm)), 0);
  EXPECT_STREQ(got.vm_name, "sandbox-17");
  EXPECT_EQ(got.checksums_offset, 0x108000u);
  EXPECT_EQ(
      std::memcmp(&got.encryption, &example.encryption, sizeof(got.encryption)),
      0);
}

TEST(SuspendHeader, NameOfAnyLengthEndsInsideItsField) {
  sd_suspend_header header = Example();
  std::memset(header.vm_name, 'n', sizeof(header.vm_name));
  sd_suspend_header got = {};
  ASSERT_EQ(DecodeSuspendHeader(Encoded(header), &got), SD_SUSPEND_OK);
  EXPECT_EQ(std::string(got.vm_name), std::string(SD_SUSPEND_NAME_MAX, 'n'));
}

TEST(SuspendHeader, EveryByteThatIsChangedIsNoticed) {
  const Bytes good = Encoded(Example());
  for (size_t i = 0; i < good.size(); i++) {
    Bytes bad = good;
    bad[i] ^= 0x40;
    sd_suspend_header got = {};
    got.generation = 99;
    EXPECT_NE(DecodeSuspendHeader(bad, &got), SD_SUSPEND_OK) << "byte " << i;
    EXPECT_EQ(got.generation, 99u) << "byte " << i;
  }
}

TEST(SuspendHeader, NameBeyondItsBoundIsDamage) {
  // The checksum is right: who wrote this knew how to.
  Bytes data = Encoded(Example());
  data[kNameLengthAt] = 0;
  data[kNameLengthAt + 1] = 1;
  SetChecksum(data);
  sd_suspend_header got;
  EXPECT_EQ(DecodeSuspendHeader(data, &got), SD_SUSPEND_DAMAGED);
}

TEST(SuspendHeader, RefusalsSayWhy) {
  sd_suspend_header got;
  EXPECT_EQ(DecodeSuspendHeader(Bytes{}, &got), SD_SUSPEND_NOT_OURS);

  Bytes later = Encoded(Example());
  later[kVersionAt] = 4;
  EXPECT_EQ(DecodeSuspendHeader(later, &got), SD_SUSPEND_BAD_VERSION);

  Bytes damaged = Encoded(Example());
  damaged[100] ^= 1;
  EXPECT_EQ(DecodeSuspendHeader(damaged, &got), SD_SUSPEND_DAMAGED);
}

TEST(SuspendHeader, TheVersionBeforeIsInTheClear) {
  Bytes data = Encoded(Example());
  data[kVersionAt] = 2;
  SetChecksum(data);
  sd_suspend_header got = {};
  ASSERT_EQ(DecodeSuspendHeader(data, &got), SD_SUSPEND_OK);
  EXPECT_EQ(got.encryption.iterations, 0u);
  EXPECT_EQ(got.checksums_offset, 0u);
  EXPECT_EQ(got.generation, 7u);
}

TEST(SuspendHeader, TheFirstVersionHasNoIndex) {
  sd_suspend_header header = Example();
  header.index_length = 24;
  Bytes data = Encoded(header);
  sd_suspend_header got = {};
  ASSERT_EQ(DecodeSuspendHeader(data, &got), SD_SUSPEND_OK);
  EXPECT_EQ(got.index_length, 24u);

  data[kVersionAt] = 1;
  SetChecksum(data);
  ASSERT_EQ(DecodeSuspendHeader(data, &got), SD_SUSPEND_OK);
  EXPECT_EQ(got.index_length, 0u);
  EXPECT_EQ(got.generation, 7u);
}

TEST(SuspendMark, SuspendedIsQemusMagicAndLiveIsNot) {
  uint8_t mark[SD_SUSPEND_MARK_SIZE];
  sd_suspend_mark_encode(SD_SUSPEND_MARK_SUSPENDED, mark);
  EXPECT_EQ(std::string_view(reinterpret_cast<char*>(mark), sizeof(mark)),
            "QEVM");
  EXPECT_EQ(sd_suspend_mark_decode(mark), SD_SUSPEND_MARK_SUSPENDED);

  sd_suspend_mark_encode(SD_SUSPEND_MARK_LIVE, mark);
  EXPECT_EQ(sd_suspend_mark_decode(mark), SD_SUSPEND_MARK_LIVE);

  const uint8_t nothing[SD_SUSPEND_MARK_SIZE] = {};
  EXPECT_EQ(sd_suspend_mark_decode(nothing), SD_SUSPEND_MARK_NONE);
}

}  // namespace
}  // namespace stubdomain
