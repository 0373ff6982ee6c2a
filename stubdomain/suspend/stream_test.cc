// The stream is read back here with a small loader of the tests' own, which
// follows it as QEMU's does: block headers one after the other, each with a
// jump over its pages.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "suspend/stream.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace stubdomain {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint32_t kPage = 4096;
const std::vector<uint8_t> kHead = {'Q', 'E', 'V', 'M', 0, 0, 0, 3};
const std::vector<uint8_t> kDevices = {4, 5, 6, 0};

class Loader {
 public:
  explicit Loader(const std::vector<SuspendPiece>& pieces) : pieces_(pieces) {}

  void Seek(uint64_t offset) { at_ = offset; }
  uint64_t at() const { return at_; }

  uint64_t Number(int length) {
    uint64_t value = 0;
    for (int i = 0; i < length; i++) {
      value = value << 8 | Byte();
    }
    return value;
  }

  std::string Text(size_t length) {
    std::string text;
    for (size_t i = 0; i < length; i++) {
      text += static_cast<char>(Byte());
    }
    return text;
  }

 private:
  uint8_t Byte() {
    for (const SuspendPiece& piece : pieces_) {
      if (at_ >= piece.offset && at_ - piece.offset < piece.bytes.size()) {
        return piece.bytes[at_++ - piece.offset];
      }
    }
    ADD_FAILURE() << "nothing at offset " << at_;
    at_++;
    return 0;
  }

  const std::vector<SuspendPiece>& pieces_;
  uint64_t at_ = 0;
};

SuspendLayout TwoBlocks() {
  SuspendLayout layout(kPage);
  EXPECT_EQ(layout.Add("pc.ram", 8 * kMiB), SD_SUSPEND_OK);
  EXPECT_EQ(layout.Add("rom", 3 * kPage), SD_SUSPEND_OK);
  return layout;
}

std::unique_ptr<SuspendStream> Make(const SuspendLayout& layout, bool footers) {
  std::unique_ptr<SuspendStream> stream;
  EXPECT_EQ(SuspendStream::Make(layout, footers, kHead, kDevices, &stream),
            SD_SUSPEND_OK);
  return stream;
}

// Reads from the RAM section's beginning to the device state.
void LoadRam(const SuspendLayout& layout, bool footers, Loader* in) {
  EXPECT_EQ(in->Number(1), 1u);  // the section starts
  uint64_t section = in->Number(4);
  EXPECT_EQ(in->Text(in->Number(1)), "ram");
  EXPECT_EQ(in->Number(4), 0u);
  EXPECT_EQ(in->Number(4), 4u);
  EXPECT_EQ(in->Number(8), layout.total() | 0x04);
  for (const SuspendBlock& block : layout.blocks()) {
    EXPECT_EQ(in->Text(in->Number(1)), block.name);
    EXPECT_EQ(in->Number(8), block.length);
    EXPECT_EQ(in->Number(4), 1u);
    EXPECT_EQ(in->Number(8), layout.page_size());
    EXPECT_EQ(in->Number(8), SD_SUSPEND_BITMAPS_OFFSET + block.bitmap_offset);
    uint64_t pages = in->Number(8);
    EXPECT_EQ(pages, block.pages_offset);
    EXPECT_LE(in->at(), pages);
    in->Seek(pages + block.length);
  }
  EXPECT_EQ(in->Number(8), 0x10u);
  if (footers) {
    EXPECT_EQ(in->Number(1), 0x7eu);
    EXPECT_EQ(in->Number(4), section);
  }
  EXPECT_EQ(in->Number(1), 3u);  // the section ends
  EXPECT_EQ(in->Number(4), section);
  EXPECT_EQ(in->Number(8), 0x10u);
  if (footers) {
    EXPECT_EQ(in->Number(1), 0x7eu);
    EXPECT_EQ(in->Number(4), section);
  }
}

TEST(SuspendStream, LoaderFindsBlocksAndDeviceState) {
  for (bool footers : {false, true}) {
    SuspendLayout layout = TwoBlocks();
    auto stream = Make(layout, footers);
    Loader in(stream->pieces());
    EXPECT_EQ(in.Text(kHead.size()), std::string(kHead.begin(), kHead.end()));
    LoadRam(layout, footers, &in);
    EXPECT_EQ(in.Text(kDevices.size()),
              std::string(kDevices.begin(), kDevices.end()));
    const SuspendPiece& last = stream->pieces().back();
    EXPECT_EQ(in.at(), last.offset + last.bytes.size());
  }
}

TEST(SuspendStream, PiecesMeetNeitherPagesNorBitmapsNorTheHeader) {
  SuspendLayout layout = TwoBlocks();
  auto stream = Make(layout, true);
  const auto& pieces = stream->pieces();
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[0].offset, 0u);
  EXPECT_LE(pieces[0].bytes.size(), size_t{SD_SUSPEND_HEADER_OFFSET});
  EXPECT_EQ(pieces[1].offset, layout.blocks()[0].pages_offset + 8 * kMiB);
  EXPECT_LE(pieces[1].offset + pieces[1].bytes.size(),
            layout.blocks()[1].pages_offset);
  EXPECT_EQ(pieces[2].offset, layout.ram_end());
}

TEST(SuspendStream, LongestNameStillFitsBeforeThePages) {
  SuspendLayout layout(kPage);
  ASSERT_EQ(layout.Add("a", kMiB), SD_SUSPEND_OK);
  ASSERT_EQ(layout.Add(std::string(SD_SUSPEND_NAME_MAX, 'b'), kMiB),
            SD_SUSPEND_OK);
  auto stream = Make(layout, true);
  EXPECT_EQ(stream->pieces()[1].bytes.size(),
            SuspendBlockHeaderLength(layout.blocks()[1].name));
  Loader in(stream->pieces());
  in.Seek(kHead.size());
  LoadRam(layout, true, &in);
}

TEST(SuspendStream, HeadIsRefusedFromTheFirstByteThatMeetsTheHeader) {
  SuspendLayout layout = TwoBlocks();
  size_t own = Make(layout, true)->pieces()[0].bytes.size() - kHead.size();
  std::vector<uint8_t> head(SD_SUSPEND_HEADER_OFFSET - own);
  std::unique_ptr<SuspendStream> stream;
  EXPECT_EQ(SuspendStream::Make(layout, true, head, kDevices, &stream),
            SD_SUSPEND_OK);
  EXPECT_EQ(stream->pieces()[0].bytes.size(), size_t{SD_SUSPEND_HEADER_OFFSET});
  head.push_back(0);
  EXPECT_EQ(SuspendStream::Make(layout, true, head, kDevices, &stream),
            SD_SUSPEND_HEAD_TOO_LONG);
  EXPECT_EQ(stream, nullptr);
}

}  // namespace
}  // namespace stubdomain
