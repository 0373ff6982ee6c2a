// The suspend file's own header, and its mark.
//
// The header says which image the file holds; it is what tells a suspend file
// from any other file. The mark is the beginning of the migration stream: with
// QEMU's own magic there the image can be started, with ours no QEMU takes it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_SUSPEND_HEADER_H_
#define STUBDOMAIN_SUSPEND_HEADER_H_

#include <cstdint>
#include <span>

#include "stubdomain/suspend.h"

namespace stubdomain {

// CRC-32C (Castagnoli), as in RFC 3720, appendix B.4.
uint32_t Crc32c(std::span<const uint8_t> bytes);

void EncodeSuspendHeader(const sd_suspend_header& header,
                         std::span<uint8_t, SD_SUSPEND_HEADER_SIZE> data);

// On refusal *header is unchanged.
sd_suspend_refusal DecodeSuspendHeader(
    std::span<const uint8_t, SD_SUSPEND_HEADER_SIZE> data,
    sd_suspend_header* header);

}  // namespace stubdomain

#endif  // STUBDOMAIN_SUSPEND_HEADER_H_
