// Answers to ARP, neighbour solicitation and ping, and that nobody is there.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/answers.h"

#include <gtest/gtest.h>

#include "trace/frames.h"
#include "wire/golden_frames.h"
#include "wire/protocol_numbers.h"
#include "wire/udp_frame.h"

namespace stubdomain {
namespace {

using golden::FromHex;

struct Question {
  explicit Question(std::string_view hex) : bytes(FromHex(hex)) {
    EXPECT_EQ(Parse(bytes, {}, &packet), Malformed::kNo);
  }
  std::vector<uint8_t> bytes;
  Packet packet;
};

TEST(Answers, Arp) {
  EXPECT_EQ(AnswerArp(Question(golden::kArp).packet, golden::kGuestMac).bytes,
            FromHex(golden::kArpAnswer));
}

TEST(Answers, NeighbourSolicitation) {
  EXPECT_EQ(AnswerNeighbourSolicitation(Question(golden::kSolicitation).packet,
                                        golden::kGuestMac)
                .bytes,
            FromHex(golden::kAdvertisement));
}

TEST(Answers, DuplicateDetectionIsAnsweredToAll) {
  EXPECT_EQ(AnswerNeighbourSolicitation(
                Question(golden::kDuplicateDetection).packet, golden::kGuestMac)
                .bytes,
            FromHex(golden::kDuplicateAnswer));
}

TEST(Answers, Ping) {
  EXPECT_EQ(AnswerEcho(Question(golden::kPing).packet, golden::kGuestMac).bytes,
            FromHex(golden::kPong));
  EXPECT_EQ(
      AnswerEcho(Question(golden::kPing6).packet, golden::kGuestMac).bytes,
      FromHex(golden::kPong6));
}

class UnreachableTest : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Families, UnreachableTest,
                         testing::Values("192.0.2.7", "2001:db8::7"));

TEST_P(UnreachableTest, QuotesTheDatagram) {
  const Route route{.link = {kPeerMac, kGuestMac, uint16_t{5}},
                    .source = {Ip(GetParam()), 40000},
                    .destination = {Ip(GetParam()), 53}};
  for (const size_t size : {0, 1, 400, 1400}) {
    const Frame asked = UdpFrame(route, std::vector<uint8_t>(size, 'x'));
    const Frame frame = AnswerUnreachable(Parsed(asked), kPeerMac);
    const Packet packet = Parsed(frame);
    const auto* error = std::get_if<IcmpError>(&packet.body);
    ASSERT_NE(error, nullptr);
    EXPECT_TRUE(ChecksumOk(packet));
    EXPECT_LE(frame.bytes.size(), 14u + 4u + 576u);
    EXPECT_EQ(packet.link.destination, kGuestMac);
    EXPECT_EQ(packet.link.vlan, uint16_t{5});
    EXPECT_EQ(error->protocol, kProtocolUdp);
    EXPECT_EQ(FlowToGuest(packet), (FlowId{route.source, route.destination}));
  }
}

TEST(Answers, StayInTheirVlan) {
  auto bytes = FromHex(golden::kArp);
  const uint8_t tag[] = {0x81, 0x00, 0x20, 0x64};
  bytes.insert(bytes.begin() + 12, std::begin(tag), std::end(tag));
  Packet packet;
  ASSERT_EQ(Parse(bytes, {}, &packet), Malformed::kNo);
  auto answer = FromHex(golden::kArpAnswer);
  answer.insert(answer.begin() + 12, std::begin(tag), std::end(tag));
  EXPECT_EQ(AnswerArp(packet, golden::kGuestMac).bytes, answer);
}

}  // namespace
}  // namespace stubdomain
