// Addresses of machines and of connections.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_ADDRESS_H_
#define STUBDOMAIN_WIRE_ADDRESS_H_

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

namespace stubdomain {

struct MacAddress {
  std::array<uint8_t, 6> bytes{};

  constexpr bool is_multicast() const { return (bytes[0] & 1) != 0; }
  friend constexpr bool operator==(const MacAddress&,
                                   const MacAddress&) = default;
};

enum class Family : uint8_t { kNone = 0, kIpv4 = 4, kIpv6 = 6 };

// An IPv4 or IPv6 address, in network order; unused bytes are zero.
class Address {
 public:
  constexpr Address() = default;
  // `bytes` has at least 4 or 16 bytes.
  static Address Ipv4(std::span<const uint8_t> bytes) {
    std::array<uint32_t, 4> words{};
    std::memcpy(words.data(), bytes.data(), 4);
    return {Family::kIpv4, std::bit_cast<Bytes>(words)};
  }
  static Address Ipv6(std::span<const uint8_t> bytes) {
    Bytes copy;
    std::memcpy(copy.data(), bytes.data(), copy.size());
    return {Family::kIpv6, copy};
  }

  constexpr Family family() const { return family_; }
  // 4, 16 or no bytes.
  std::span<const uint8_t> bytes() const;
  bool is_multicast() const;

  // All of it as two numbers, for hashing.
  constexpr std::array<uint64_t, 2> words() const {
    return std::bit_cast<std::array<uint64_t, 2>>(bytes_);
  }

  // By numbers: every frame compares addresses.
  friend constexpr bool operator==(const Address& a, const Address& b) {
    const auto x = a.words();
    const auto y = b.words();
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0 && a.family_ == b.family_;
  }

 private:
  using Bytes = std::array<uint8_t, 16>;

  Address(Family family, const Bytes& bytes) : bytes_(bytes), family_(family) {}

  // First, and always written as a whole: a processor that copies what was just
  // written in other pieces has to wait, and every frame's addresses are
  // copied.
  Bytes bytes_{};
  Family family_ = Family::kNone;
};

struct Endpoint {
  Address address;
  uint16_t port = 0;

  friend constexpr bool operator==(const Endpoint&, const Endpoint&) = default;
};

// A connection of the guest.
struct FlowId {
  Endpoint guest;
  Endpoint peer;

  friend constexpr bool operator==(const FlowId&, const FlowId&) = default;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_ADDRESS_H_
