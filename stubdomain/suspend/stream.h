// The migration stream of a suspend file: everything in it but pages and
// bitmaps, in pieces with their offsets.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_SUSPEND_STREAM_H_
#define STUBDOMAIN_SUSPEND_STREAM_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "suspend/layout.h"

namespace stubdomain {

struct SuspendPiece {
  uint64_t offset = 0;
  std::vector<uint8_t> bytes;
};

class SuspendStream {
 public:
  // `head` is what QEMU writes before its first section, `devices` what it
  // writes behind the RAM section. On refusal *stream is null.
  static sd_suspend_refusal Make(const SuspendLayout& layout, bool footers,
                                 std::span<const uint8_t> head,
                                 std::span<const uint8_t> devices,
                                 std::unique_ptr<SuspendStream>* stream);

  const std::vector<SuspendPiece>& pieces() const { return pieces_; }

 private:
  std::vector<SuspendPiece> pieces_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_SUSPEND_STREAM_H_
