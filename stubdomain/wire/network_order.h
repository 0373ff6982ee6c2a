// Numbers in network order.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_NETWORK_ORDER_H_
#define STUBDOMAIN_WIRE_NETWORK_ORDER_H_

#include <cstdint>
#include <span>
#include <vector>

namespace stubdomain {

// The caller has checked that the bytes are there.
constexpr uint16_t Get16(std::span<const uint8_t> bytes, size_t at) {
  return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
constexpr uint32_t Get32(std::span<const uint8_t> bytes, size_t at) {
  return uint32_t{Get16(bytes, at)} << 16 | Get16(bytes, at + 2);
}
constexpr void Set16(std::span<uint8_t> bytes, size_t at, uint16_t value) {
  bytes[at] = static_cast<uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<uint8_t>(value);
}
constexpr void Set32(std::span<uint8_t> bytes, size_t at, uint32_t value) {
  Set16(bytes, at, static_cast<uint16_t>(value >> 16));
  Set16(bytes, at + 2, static_cast<uint16_t>(value));
}

inline void Append16(std::vector<uint8_t>* bytes, uint16_t value) {
  bytes->push_back(static_cast<uint8_t>(value >> 8));
  bytes->push_back(static_cast<uint8_t>(value));
}
inline void Append32(std::vector<uint8_t>* bytes, uint32_t value) {
  Append16(bytes, static_cast<uint16_t>(value >> 16));
  Append16(bytes, static_cast<uint16_t>(value));
}

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_NETWORK_ORDER_H_
