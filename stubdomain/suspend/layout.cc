// Where the parts of a suspend file lie.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "suspend/layout.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace stubdomain {
namespace {

// Leaves room for the alignment of every block, so that no sum overflows.
constexpr uint64_t kOffsetMax = std::numeric_limits<int64_t>::max() / 2;
static_assert(SD_SUSPEND_BLOCKS_MAX * uint64_t{2 * SD_SUSPEND_ALIGNMENT} <
              kOffsetMax);

constexpr uint64_t kBitsPerWord = 64;

uint64_t RoundUp(uint64_t value, uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

size_t SuspendBlockHeaderLength(std::string_view name) {
  constexpr size_t kMappedRamHeader = 4 + 8 + 8 + 8;
  return 1 + name.size() + 8 + kMappedRamHeader;
}

sd_suspend_refusal SuspendLayout::Add(std::string_view name, uint64_t length) {
  if (blocks_.size() == SD_SUSPEND_BLOCKS_MAX) {
    return SD_SUSPEND_TOO_MANY_BLOCKS;
  }
  if (name.empty() || name.size() > SD_SUSPEND_NAME_MAX ||
      std::any_of(blocks_.begin(), blocks_.end(),
                  [&](const SuspendBlock& b) { return b.name == name; })) {
    return SD_SUSPEND_BAD_NAME;
  }
  if (length == 0 || length % page_size_ != 0) {
    return SD_SUSPEND_BAD_LENGTH;
  }
  if (length > kOffsetMax || total() > kOffsetMax - length) {
    return SD_SUSPEND_TOO_LARGE;
  }

  SuspendLayout next = *this;
  uint64_t words = RoundUp(length / page_size_, kBitsPerWord) / kBitsPerWord;
  next.blocks_.push_back({.name = std::string(name),
                          .length = length,
                          .bitmap_offset = bitmaps_length_,
                          .first_page = total() / page_size_});
  next.bitmaps_length_ += words * sizeof(uint64_t);

  // What grows with the blocks moves all pages; block headers stand right
  // behind the pages of the block before, where the loader reads on.
  uint64_t end = checksums_ ? next.checksums_offset() + next.checksums_length()
                            : SD_SUSPEND_BITMAPS_OFFSET + next.bitmaps_length_;
  for (SuspendBlock& block : next.blocks_) {
    bool first = &block == &next.blocks_.front();
    uint64_t header = first ? 0 : SuspendBlockHeaderLength(block.name);
    block.pages_offset = RoundUp(end + header, SD_SUSPEND_ALIGNMENT);
    end = block.pages_offset + block.length;
  }
  if (end > kOffsetMax) {
    return SD_SUSPEND_TOO_LARGE;
  }
  *this = std::move(next);
  return SD_SUSPEND_OK;
}

uint64_t SuspendLayout::checksums_offset() const {
  if (!checksums_) {
    return 0;
  }
  return RoundUp(SD_SUSPEND_BITMAPS_OFFSET + bitmaps_length_,
                 SD_SUSPEND_CHECKSUMS_ALIGNMENT);
}

uint64_t SuspendLayout::checksums_length() const {
  return checksums_ ? total() / page_size_ * sizeof(uint32_t) : 0;
}

uint64_t SuspendLayout::ram_end() const {
  if (blocks_.empty()) {
    return SD_SUSPEND_BITMAPS_OFFSET;
  }
  return blocks_.back().pages_offset + blocks_.back().length;
}

uint64_t SuspendLayout::total() const {
  uint64_t sum = 0;
  for (const SuspendBlock& block : blocks_) {
    sum += block.length;
  }
  return sum;
}

}  // namespace stubdomain
