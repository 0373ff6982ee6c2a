// What the fuzzer made up, read piece by piece.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_FUZZ_INPUT_H_
#define STUBDOMAIN_FUZZ_INPUT_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace stubdomain {

// Behind the end there are zeros.
class Input {
 public:
  explicit Input(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  std::span<const uint8_t> Bytes(size_t length) {
    const auto taken = bytes_.first(std::min(length, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }
  std::span<const uint8_t> Rest() { return Bytes(bytes_.size()); }
  uint8_t U8() {
    const auto taken = Bytes(1);
    return taken.empty() ? 0 : taken[0];
  }
  uint16_t U16() { return static_cast<uint16_t>(U8() << 8 | U8()); }
  uint32_t U32() { return uint32_t{U16()} << 16 | U16(); }
  uint8_t Below(uint8_t limit) { return U8() % limit; }
  bool Bool() { return (U8() & 1) != 0; }

 private:
  std::span<const uint8_t> bytes_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_FUZZ_INPUT_H_
