// TCP's options: reading and writing them.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_TCP_OPTIONS_H_
#define STUBDOMAIN_WIRE_TCP_OPTIONS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "wire/header_bytes.h"
#include "wire/seq.h"

namespace stubdomain {

inline constexpr int kMaxSackBlocks = 4;
inline constexpr uint8_t kMaxWindowShift = 14;  // RFC 7323, 2.3

struct Timestamps {
  uint32_t value = 0;
  uint32_t echo = 0;

  friend bool operator==(const Timestamps&, const Timestamps&) = default;
};

// Up to four blocks, the most recent first (RFC 2018).
struct SackBlocks {
  std::array<SeqRange, kMaxSackBlocks> blocks{};
  uint8_t count = 0;

  void Add(SeqRange block) {
    if (count < kMaxSackBlocks) blocks[count++] = block;
  }
  std::span<const SeqRange> all() const { return {blocks.data(), count}; }
};

struct TcpOptions {
  std::optional<uint16_t> mss;
  std::optional<uint8_t> window_shift;  // at most kMaxWindowShift
  std::optional<Timestamps> timestamps;
  bool sack_permitted = false;
  SackBlocks sack;
  // Options that change what the payload or the checksum mean; a connection
  // with them can be watched, but not spoken for.
  bool multipath = false;      // MPTCP
  bool authenticated = false;  // TCP-MD5 or TCP-AO
};

// Reads the options of a header. False: malformed.
bool ParseTcpOptions(std::span<const uint8_t> bytes, TcpOptions* options);

// Appends the options, padded to a multiple of four bytes. As many SACK blocks
// as fit into the header are written.
void WriteTcpOptions(const TcpOptions& options, HeaderBytes* bytes);
// Bytes that it appends.
size_t TcpOptionsLength(const TcpOptions& options);

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_TCP_OPTIONS_H_
