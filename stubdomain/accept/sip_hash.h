// SipHash-2-4: a short keyed hash that nobody without the key can predict.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_ACCEPT_SIP_HASH_H_
#define STUBDOMAIN_ACCEPT_SIP_HASH_H_

#include <array>
#include <cstdint>
#include <span>

namespace stubdomain {

using SipKey = std::array<uint8_t, 16>;

uint64_t SipHash(const SipKey& key, std::span<const uint8_t> data);

}  // namespace stubdomain

#endif  // STUBDOMAIN_ACCEPT_SIP_HASH_H_
