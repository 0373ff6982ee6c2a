// Addresses.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/address.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

TEST(Address, HasTheBytesOfItsFamily) {
  const std::array<uint8_t, 16> bytes{1, 2, 3, 4, 5};
  EXPECT_EQ(Address().bytes().size(), 0u);
  EXPECT_EQ(Address::Ipv4(bytes).bytes().size(), 4u);
  EXPECT_EQ(Address::Ipv6(bytes).bytes().size(), 16u);
  EXPECT_EQ(Address::Ipv4(bytes).bytes()[3], 4);
}

TEST(Address, OfTwoFamiliesAreNeverEqual) {
  const std::array<uint8_t, 16> bytes{1, 2, 3, 4};
  EXPECT_NE(Address::Ipv4(bytes), Address::Ipv6(bytes));
  // What lies behind an IPv4 address does not count.
  const std::array<uint8_t, 16> others{1, 2, 3, 4, 5};
  EXPECT_EQ(Address::Ipv4(bytes), Address::Ipv4(others));
}

TEST(Address, KnowsWhatNamesManyMachines) {
  const auto ipv4 = [](uint8_t first) {
    return Address::Ipv4(std::array<uint8_t, 4>{first, 0, 0, 1});
  };
  EXPECT_FALSE(ipv4(10).is_multicast());
  EXPECT_FALSE(ipv4(223).is_multicast());
  EXPECT_TRUE(ipv4(224).is_multicast());
  EXPECT_TRUE(ipv4(239).is_multicast());
  EXPECT_TRUE(ipv4(255).is_multicast());
  EXPECT_TRUE(Address::Ipv6(std::array<uint8_t, 16>{0xff, 2}).is_multicast());
  EXPECT_FALSE(Address::Ipv6(std::array<uint8_t, 16>{0xfe}).is_multicast());
  EXPECT_TRUE((MacAddress{{0x33, 0x33, 0, 0, 0, 1}}).is_multicast());
  EXPECT_FALSE((MacAddress{{2, 0, 0, 0, 0, 1}}).is_multicast());
}

}  // namespace
}  // namespace stubdomain
