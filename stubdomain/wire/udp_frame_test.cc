// Datagrams that the core makes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/udp_frame.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "trace/frames.h"

namespace stubdomain {
namespace {

class UdpFrameTest : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Families, UdpFrameTest,
                         testing::Values("192.0.2.7", "2001:db8::7"));

TEST_P(UdpFrameTest, SaysWhatItWasMadeOf) {
  const Route route{.link = {kGuestMac, kPeerMac, uint16_t{5}},
                    .source = {Ip(GetParam()), 53},
                    .destination = {Ip(GetParam()), 40000}};
  // Also with the sums that are written differently: zero, and an odd length.
  for (uint32_t last = 0; last < 65536; ++last) {
    const std::vector<uint8_t> payload = {1, static_cast<uint8_t>(last >> 8),
                                          static_cast<uint8_t>(last)};
    const Frame frame = UdpFrame(route, payload);
    const Packet packet = Parsed(frame);
    const auto* datagram = std::get_if<UdpDatagram>(&packet.body);
    ASSERT_NE(datagram, nullptr);
    ASSERT_TRUE(ChecksumOk(packet));
    ASSERT_EQ(packet.link, route.link);
    ASSERT_EQ(FlowToGuest(packet), (FlowId{route.destination, route.source}));
    ASSERT_EQ(std::vector(datagram->payload.begin(), datagram->payload.end()),
              payload);
  }
}

TEST_P(UdpFrameTest, CanBeEmpty) {
  const Frame frame = UdpFrame({.link = kLinkToGuest,
                                .source = {Ip(GetParam()), 53},
                                .destination = {Ip(GetParam()), 40000}},
                               {});
  EXPECT_TRUE(ChecksumOk(Parsed(frame)));
}

}  // namespace
}  // namespace stubdomain
