// The two ends of the guest's network, as seen from the stub domain.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_SIDE_H_
#define STUBDOMAIN_WIRE_SIDE_H_

#include <cstdint>

namespace stubdomain {

enum class Side : uint8_t { kGuest, kPeer };

constexpr Side Other(Side side) {
  return side == Side::kGuest ? Side::kPeer : Side::kGuest;
}

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_SIDE_H_
