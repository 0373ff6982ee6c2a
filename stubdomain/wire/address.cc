// Addresses of machines and of connections.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/address.h"

#include <algorithm>

namespace stubdomain {

Address Address::Ipv4(std::span<const uint8_t> bytes) {
  Address address;
  address.family_ = Family::kIpv4;
  std::copy_n(bytes.begin(), 4, address.bytes_.begin());
  return address;
}

Address Address::Ipv6(std::span<const uint8_t> bytes) {
  Address address;
  address.family_ = Family::kIpv6;
  std::copy_n(bytes.begin(), 16, address.bytes_.begin());
  return address;
}

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
