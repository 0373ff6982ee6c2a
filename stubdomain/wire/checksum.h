// The Internet checksum (RFC 1071).
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_CHECKSUM_H_
#define STUBDOMAIN_WIRE_CHECKSUM_H_

#include <bit>
#include <cstdint>
#include <span>

#include "wire/address.h"

namespace stubdomain {

// A one's complement sum of 16-bit words in network order.
class Checksum {
 public:
  // Adds bytes that begin at an even offset of what is summed. Only the last
  // piece may have an odd length.
  Checksum& Add(std::span<const uint8_t> bytes);
  Checksum& Add16(uint16_t word) {
    if constexpr (std::endian::native == std::endian::little) {
      word = static_cast<uint16_t>(word << 8 | word >> 8);
    }
    sum_ += word;
    return *this;
  }
  // The pseudo header of the transport layer (RFC 9293, 3.1; RFC 8200, 8.1).
  Checksum& AddPseudoHeader(const Address& source, const Address& destination,
                            uint8_t protocol, uint32_t length);

  // The folded sum: 0xffff over data that includes a right checksum. It is
  // also what a partial checksum field holds, over the pseudo header alone.
  uint16_t sum() const;
  // What goes into a checksum field.
  uint16_t complement() const { return static_cast<uint16_t>(~sum()); }

 private:
  // Of words as they lie in memory: one's complement sums do not care about
  // byte order as long as it is the same throughout (RFC 1071, 2.B), so sum()
  // swaps once.
  uint64_t sum_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_CHECKSUM_H_
