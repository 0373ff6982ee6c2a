// Addresses of machines and of connections.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/address.h"

namespace stubdomain {

std::span<const uint8_t> Address::bytes() const {
  switch (family_) {
    case Family::kNone:
      return {};
    case Family::kIpv4:
      return {bytes_.data(), 4};
    case Family::kIpv6:
      return bytes_;
  }
  return {};
}

bool Address::is_multicast() const {
  switch (family_) {
    case Family::kNone:
      return false;
    case Family::kIpv4:
      // The limited broadcast address counts: it names no single machine.
      return (bytes_[0] & 0xf0) == 0xe0 || bytes_[0] == 0xff;
    case Family::kIpv6:
      return bytes_[0] == 0xff;
  }
  return false;
}

}  // namespace stubdomain
