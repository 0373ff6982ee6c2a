// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/pinned_buffer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "protocol/messages.h"
#include "stubdomain-guest.h"

namespace stubdomain {
namespace {

// Numbers its pages.
std::optional<uint64_t> Numbered(const void* page) {
  return reinterpret_cast<uintptr_t>(page) % (1 << 20) / 4096 * 4096;
}

class PinnedBufferTest : public testing::Test {
 protected:
  ~PinnedBufferTest() override { sdg_buffer_free(&buffer_); }
  void Make(size_t size) { ASSERT_EQ(sdg_buffer_make(size, &buffer_), SDG_OK); }
  const uint8_t* page(size_t i) const {
    return static_cast<const uint8_t*>(buffer_.data) - 32 + i * 4096;
  }
  std::string Refusal(int memory, uint32_t length) {
    try {
      const PinnedBuffer pinned(memory, length, Numbered);
    } catch (const RequestError& error) {
      EXPECT_EQ(error.reason(), Reason::kInvalid);
      return error.what();
    }
    return "";
  }

  sdg_buffer buffer_{nullptr, 0, -1};
};

TEST_F(PinnedBufferTest, MarksItsPagesAndTakesThatBack) {
  Make(3 * 4096 - 32);
  {
    const PinnedBuffer pinned(buffer_.memory, 3 * 4096 - 32, Numbered);
    const auto message = pinned.Message();
    EXPECT_EQ(message.at("length"), 3 * 4096 - 32);
    ASSERT_EQ(message.at("pages").size(), 3u);
    std::string nonce;
    for (size_t i = 0; i < 16; ++i) {
      char digits[3];
      snprintf(digits, sizeof(digits), "%02x", page(0)[i]);
      nonce += digits;
    }
    EXPECT_EQ(message.at("nonce"), nonce);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(memcmp(page(i), page(0), 16), 0);
      EXPECT_EQ(page(i)[16], i);
    }
  }
  EXPECT_EQ(memcmp(page(0), "\0\0\0\0\0\0\0", 8), 0);
}

TEST_F(PinnedBufferTest, LeavesAReplyAsItIs) {
  Make(100);
  auto* first = static_cast<uint8_t*>(buffer_.data) - 32;
  {
    const PinnedBuffer pinned(buffer_.memory, 100, Numbered);
    memset(first, 7, 132);
  }
  EXPECT_EQ(first[0], 7);
}

TEST_F(PinnedBufferTest, TheLargestCanBeHad) {
  Make(SDG_MAX_BUFFER);
  const PinnedBuffer pinned(buffer_.memory, SDG_MAX_BUFFER, Numbered);
  EXPECT_EQ(pinned.Message().at("pages").size(), 64u);
  sdg_buffer more{};
  EXPECT_EQ(sdg_buffer_make(SDG_MAX_BUFFER + 1, &more), SDG_INVALID);
  EXPECT_EQ(sdg_buffer_make(0, &more), SDG_INVALID);
}

TEST_F(PinnedBufferTest, OtherMemoryIsRefused) {
  Make(4096 - 32);
  EXPECT_EQ(Refusal(buffer_.memory, 4096 - 32), "");
  EXPECT_NE(Refusal(buffer_.memory, 4096 - 31), "");  // too small
  const UniqueFd unsealed(memfd_create("test", MFD_CLOEXEC));
  ASSERT_EQ(ftruncate(unsealed.get(), 4096), 0);
  EXPECT_EQ(Refusal(unsealed.get(), 100),
            "'buffer': expected a memfd of 4096 bytes that is sealed against "
            "shrinking");
  const UniqueFd null(open("/dev/zero", O_RDWR | O_CLOEXEC));
  EXPECT_NE(Refusal(null.get(), 100), "");
  const UniqueFd sealed(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(sealed.get(), 4096), 0);
  ASSERT_EQ(fcntl(sealed.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE), 0);
  EXPECT_EQ(Refusal(sealed.get(), 100),
            "'buffer': the memory cannot be written to");
}

TEST_F(PinnedBufferTest, WithoutAddressesThereIsNone) {
  Make(100);
  EXPECT_THROW(PinnedBuffer(buffer_.memory, 100,
                            [](const void*) { return std::nullopt; }),
               std::runtime_error);
}

}  // namespace
}  // namespace stubdomain
