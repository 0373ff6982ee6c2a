// The suspend file's index: a checksum for each part of it but the pages, so
// that a file that was damaged is refused before anything of it is loaded.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_SUSPEND_INDEX_H_
#define STUBDOMAIN_SUSPEND_INDEX_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "stubdomain/suspend.h"
#include "suspend/layout.h"
#include "suspend/stream.h"

namespace stubdomain {

struct SuspendIndex {
  std::vector<sd_suspend_part> parts;
  // Where the pages of each block are; none in a file without checksums of
  // pages.
  std::vector<sd_suspend_extent> blocks;
};

std::vector<uint8_t> EncodeSuspendIndex(const SuspendLayout& layout,
                                        const SuspendStream& stream,
                                        std::span<const uint8_t> bitmaps);

// Nothing if the index is not whole, or names what is beyond `file_length`, or
// a part that is longer than SD_SUSPEND_PART_MAX. `checksums`: pages have some.
std::optional<SuspendIndex> DecodeSuspendIndex(std::span<const uint8_t> data,
                                               uint64_t file_length,
                                               bool checksums);

}  // namespace stubdomain

#endif  // STUBDOMAIN_SUSPEND_INDEX_H_
