// Answers to ARP, neighbour solicitation and ping.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/answers.h"

#include <gtest/gtest.h>

#include "wire/golden_frames.h"

namespace stubdomain {
namespace {

using golden::FromHex;
using golden::kGuestMac;

struct Question {
  explicit Question(std::string_view hex) : bytes(FromHex(hex)) {
    EXPECT_EQ(Parse(bytes, {}, &packet), Malformed::kNo);
  }
  std::vector<uint8_t> bytes;
  Packet packet;
};

TEST(Answers, Arp) {
  EXPECT_EQ(AnswerArp(Question(golden::kArp).packet, kGuestMac).bytes,
            FromHex(golden::kArpAnswer));
}

TEST(Answers, NeighbourSolicitation) {
  EXPECT_EQ(AnswerNeighbourSolicitation(Question(golden::kSolicitation).packet,
                                        kGuestMac)
                .bytes,
            FromHex(golden::kAdvertisement));
}

TEST(Answers, DuplicateDetectionIsAnsweredToAll) {
  EXPECT_EQ(AnswerNeighbourSolicitation(
                Question(golden::kDuplicateDetection).packet, kGuestMac)
                .bytes,
            FromHex(golden::kDuplicateAnswer));
}

TEST(Answers, Ping) {
  EXPECT_EQ(AnswerEcho(Question(golden::kPing).packet, kGuestMac).bytes,
            FromHex(golden::kPong));
  EXPECT_EQ(AnswerEcho(Question(golden::kPing6).packet, kGuestMac).bytes,
            FromHex(golden::kPong6));
}

TEST(Answers, StayInTheirVlan) {
  auto bytes = FromHex(golden::kArp);
  const uint8_t tag[] = {0x81, 0x00, 0x20, 0x64};
  bytes.insert(bytes.begin() + 12, std::begin(tag), std::end(tag));
  Packet packet;
  ASSERT_EQ(Parse(bytes, {}, &packet), Malformed::kNo);
  auto answer = FromHex(golden::kArpAnswer);
  answer.insert(answer.begin() + 12, std::begin(tag), std::end(tag));
  EXPECT_EQ(AnswerArp(packet, kGuestMac).bytes, answer);
}

}  // namespace
}  // namespace stubdomain
