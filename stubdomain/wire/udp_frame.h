// Building frames of UDP.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_UDP_FRAME_H_
#define STUBDOMAIN_WIRE_UDP_FRAME_H_

#include <cstdint>
#include <span>

#include "wire/tcp_frame.h"

namespace stubdomain {

// A datagram with its checksum in place. The frame is at most the MTU long:
// that is for the caller to see to.
Frame UdpFrame(const Route& route, std::span<const uint8_t> payload);

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_UDP_FRAME_H_
