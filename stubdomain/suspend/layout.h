// Where the parts of a suspend file lie.
//
//   0                    beginning of the migration stream, first block header
//   kHeaderOffset        the file's own header
//   kBitmapsOffset       bitmaps of all blocks, one after the other
//   aligned              checksums of all pages, if there are any
//   aligned              pages of block 0
//   right behind         block header of block 1
//   aligned              pages of block 1
//   ...
//   ram_end()            rest of the migration stream
//
// All of it but the stream's rest depends on the blocks alone, so pages stay
// where they are from one suspend to the next.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_SUSPEND_LAYOUT_H_
#define STUBDOMAIN_SUSPEND_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "stubdomain/suspend.h"

namespace stubdomain {

struct SuspendBlock {
  std::string name;
  uint64_t length = 0;
  uint64_t bitmap_offset = 0;  // from the beginning of the bitmaps
  uint64_t pages_offset = 0;   // from the beginning of the file
  uint64_t first_page = 0;     // pages of the blocks before

  bool operator==(const SuspendBlock&) const = default;
};

class SuspendLayout {
 public:
  explicit SuspendLayout(uint32_t page_size, bool checksums = false)
      : page_size_(page_size), checksums_(checksums) {}

  // Adds the next block. On refusal nothing is changed.
  sd_suspend_refusal Add(std::string_view name, uint64_t length);

  uint32_t page_size() const { return page_size_; }
  const std::vector<SuspendBlock>& blocks() const { return blocks_; }
  // Length of all bitmaps together.
  uint64_t bitmaps_length() const { return bitmaps_length_; }
  // Where a checksum for each page stands; 0: there are none.
  uint64_t checksums_offset() const;
  uint64_t checksums_length() const;
  // Where the pages of the last block end.
  uint64_t ram_end() const;
  // Length of all blocks together.
  uint64_t total() const;

  bool operator==(const SuspendLayout&) const = default;

 private:
  uint32_t page_size_;
  bool checksums_;
  std::vector<SuspendBlock> blocks_;
  uint64_t bitmaps_length_ = 0;
};

// Length of a block header in the stream, mapped-ram part included.
size_t SuspendBlockHeaderLength(std::string_view name);

}  // namespace stubdomain

#endif  // STUBDOMAIN_SUSPEND_LAYOUT_H_
