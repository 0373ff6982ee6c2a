// A frame that owns its bytes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_ENGINE_PROXY_OWNED_FRAME_H_
#define STUBDOMAIN_ENGINE_PROXY_OWNED_FRAME_H_

#include <cstdint>
#include <vector>

#include "stubdomain/stubdomain.h"

namespace stubdomain {

struct OwnedFrame {
  std::vector<uint8_t> bytes;
  sd_offload offload{};

  static OwnedFrame CopyOf(const sd_frame& frame) {
    return {{frame.data, frame.data + frame.length}, frame.offload};
  }
  sd_frame view() const { return {bytes.data(), bytes.size(), offload}; }
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_ENGINE_PROXY_OWNED_FRAME_H_
