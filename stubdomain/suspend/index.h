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
#include "suspend/stream.h"

namespace stubdomain {

std::vector<uint8_t> EncodeSuspendIndex(const SuspendStream& stream,
                                        std::span<const uint8_t> bitmaps);

// Nothing if the index is not whole, or a part is beyond `file_length` or
// longer than SD_SUSPEND_PART_MAX.
std::optional<std::vector<sd_suspend_part>> DecodeSuspendIndex(
    std::span<const uint8_t> data, uint64_t file_length);

}  // namespace stubdomain

#endif  // STUBDOMAIN_SUSPEND_INDEX_H_
