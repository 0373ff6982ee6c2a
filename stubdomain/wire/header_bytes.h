// The headers of a frame while they are put together.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_HEADER_BYTES_H_
#define STUBDOMAIN_WIRE_HEADER_BYTES_H_

#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>

#include "wire/network_order.h"

namespace stubdomain {

// Bytes in a row, without any memory being asked for: every frame that the core
// sends begins with some.
class HeaderBytes {
 public:
  // Ethernet with a VLAN tag, IPv6, TCP with all the options there can be.
  static constexpr size_t kCapacity = 14 + 4 + 40 + 60;

  size_t size() const { return size_; }
  std::span<uint8_t> all() { return {bytes_.data(), size_}; }

  void Append8(uint8_t value) { *Grow(1) = value; }
  void Append16(uint16_t value) { Set16({Grow(2), 2}, 0, value); }
  void Append32(uint32_t value) { Set32({Grow(4), 4}, 0, value); }
  void Append(std::span<const uint8_t> more) {
    std::memcpy(Grow(more.size()), more.data(), more.size());
  }
  void Append(std::initializer_list<uint8_t> more) {
    Append(std::span(more.begin(), more.size()));
  }

 private:
  uint8_t* Grow(size_t more) {
    assert(more <= kCapacity - size_);
    uint8_t* at = bytes_.data() + size_;
    size_ += more;
    return at;
  }

  std::array<uint8_t, kCapacity> bytes_;
  size_t size_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_HEADER_BYTES_H_
