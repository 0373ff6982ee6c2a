// CRC-32, as in IEEE 802.3.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_STATE_CRC32_H_
#define STUBDOMAIN_STATE_CRC32_H_

#include <cstdint>
#include <span>

namespace stubdomain {

uint32_t Crc32(std::span<const uint8_t> bytes);

}  // namespace stubdomain

#endif  // STUBDOMAIN_STATE_CRC32_H_
