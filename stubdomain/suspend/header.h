// The suspend file's own header: which image the file holds. It is also what
// tells a suspend file from any other file.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_SUSPEND_HEADER_H_
#define STUBDOMAIN_SUSPEND_HEADER_H_

#include <cstdint>
#include <span>

#include "stubdomain/suspend.h"

namespace stubdomain {

void EncodeSuspendHeader(const sd_suspend_header& header,
                         std::span<uint8_t, SD_SUSPEND_HEADER_SIZE> data);

// On refusal *header is unchanged.
sd_suspend_refusal DecodeSuspendHeader(
    std::span<const uint8_t, SD_SUSPEND_HEADER_SIZE> data,
    sd_suspend_header* header);

}  // namespace stubdomain

#endif  // STUBDOMAIN_SUSPEND_HEADER_H_
