// The Internet checksum (RFC 1071).
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/checksum.h"

#include <cstring>

namespace stubdomain {

Checksum& Checksum::Add(std::span<const uint8_t> bytes) {
  const uint8_t* at = bytes.data();
  size_t left = bytes.size();
  uint64_t sum = 0;
  // 65 KiB are 16640 words: the sum cannot overflow.
  for (; left >= 4; left -= 4, at += 4) {
    uint32_t word;
    std::memcpy(&word, at, 4);
    sum += word;
  }
  if (left > 0) {
    uint32_t word = 0;
    std::memcpy(&word, at, left);
    sum += word;
  }
  sum_ += (sum & 0xffffffff) + (sum >> 32);
  return *this;
}

Checksum& Checksum::AddPseudoHeader(const Address& source,
                                    const Address& destination,
                                    uint8_t protocol, uint32_t length) {
  return Add(source.bytes())
      .Add(destination.bytes())
      .Add16(protocol)
      .Add16(static_cast<uint16_t>(length >> 16))
      .Add16(static_cast<uint16_t>(length));
}

uint16_t Checksum::sum() const {
  uint64_t sum = sum_;
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  const auto folded = static_cast<uint16_t>(sum);
  if constexpr (std::endian::native == std::endian::little) {
    return static_cast<uint16_t>(folded << 8 | folded >> 8);
  }
  return folded;
}

}  // namespace stubdomain
