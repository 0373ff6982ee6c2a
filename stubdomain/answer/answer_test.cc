// Answering in the name of a stopped guest, and knowing its addresses.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "answer/answer.h"

#include <gtest/gtest.h>

#include "trace/frames.h"

namespace stubdomain {
namespace {

const Link kLinkFromGuest{kPeerMac, kGuestMac, {}};

// A frame that the guest sends from `source`.
Frame FromGuest(const Address& source, const Link& link = kLinkFromGuest) {
  const bool ipv6 = source.family() == Family::kIpv6;
  return UdpTo(link, {source, 1000}, {Ip(ipv6 ? "fd00::2" : "10.0.2.2"), 53});
}

void Learn(OwnAddresses& own, unsigned port, const Frame& frame) {
  own.Learn(port, Parsed(frame));
}

TEST(AnswerTest, ArpForTheGuestsAddress) {
  OwnAddresses own;
  Learn(own, 0, FromGuest(Ip("10.0.2.15")));
  const Frame request = ArpFor(Ip("10.0.2.15"));
  const auto answer = AnswerFor(own, 0, Parsed(request));
  ASSERT_TRUE(answer.has_value());
  const Packet packet = Parsed(*answer);
  EXPECT_EQ(packet.link.source, kGuestMac);
  EXPECT_EQ(packet.link.destination, kPeerMac);

  EXPECT_FALSE(AnswerFor(own, 1, Parsed(request)).has_value());
  const Frame other = ArpFor(Ip("10.0.2.16"));
  EXPECT_FALSE(AnswerFor(own, 0, Parsed(other)).has_value());
}

TEST(AnswerTest, ArpThatTheGuestAskedTellsItsAddress) {
  OwnAddresses own;
  Learn(own, 0, ArpFor(Ip("10.0.2.99")));
  EXPECT_EQ(*own.Find(0, kLinkToGuest, Ip("10.0.2.2")), kPeerMac);
}

TEST(AnswerTest, NeighbourSolicitationForTheGuestsAddress) {
  OwnAddresses own;
  Learn(own, 0, FromGuest(Ip("fd00::15")));
  const Frame question = NeighbourSolicitationFor(Ip("fd00::15"));
  const auto answer = AnswerFor(own, 0, Parsed(question));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(Parsed(*answer).ip->source, Ip("fd00::15"));
  EXPECT_EQ(Parsed(*answer).ip->destination, Ip("fe80::2"));
  EXPECT_TRUE(ChecksumOk(Parsed(*answer)));

  Frame damaged = question;
  damaged.bytes[damaged.bytes.size() - 20] ^= 1;  // a reserved bit
  EXPECT_FALSE(AnswerFor(own, 0, Parsed(damaged)).has_value());
  const Frame other = NeighbourSolicitationFor(Ip("fd00::16"));
  EXPECT_FALSE(AnswerFor(own, 0, Parsed(other)).has_value());
}

TEST(AnswerTest, PingOfBothFamilies) {
  OwnAddresses own;
  Learn(own, 0, FromGuest(Ip("10.0.2.15")));
  Learn(own, 0, FromGuest(Ip("fd00::15")));
  for (const auto& [source, target] : {std::pair{"192.0.2.1", "10.0.2.15"},
                                       std::pair{"2001:db8::1", "fd00::15"}}) {
    const Frame ping = PingTo(kLinkToGuest, Ip(source), Ip(target));
    const auto answer = AnswerFor(own, 0, Parsed(ping));
    ASSERT_TRUE(answer.has_value());
    const Packet packet = Parsed(*answer);
    EXPECT_EQ(packet.link, kLinkFromGuest);
    EXPECT_EQ(packet.ip->source, Ip(target));
    EXPECT_EQ(packet.ip->destination, Ip(source));
    EXPECT_TRUE(ChecksumOk(packet));
  }
}

TEST(AnswerTest, NoPingThatIsDamagedOrNotForTheGuestAlone) {
  OwnAddresses own;
  Learn(own, 0, FromGuest(Ip("10.0.2.15")));
  const auto answered = [&own](const Frame& ping) {
    return AnswerFor(own, 0, Parsed(ping)).has_value();
  };
  const Frame good = PingTo(kLinkToGuest, Ip("192.0.2.1"), Ip("10.0.2.15"));
  ASSERT_TRUE(answered(good));
  Frame damaged = good;
  damaged.bytes.back() ^= 1;
  EXPECT_FALSE(answered(damaged));
  Link broadcast = kLinkToGuest;
  broadcast.destination.bytes.fill(0xff);
  EXPECT_FALSE(answered(PingTo(broadcast, Ip("192.0.2.1"), Ip("10.0.2.15"))));
  EXPECT_FALSE(
      answered(PingTo(kLinkToGuest, Ip("192.0.2.1"), Ip("10.0.2.16"))));
  EXPECT_FALSE(
      answered(PingTo(kLinkToGuest, Ip("224.0.0.1"), Ip("10.0.2.15"))));
}

TEST(OwnAddressesTest, AreTakenFromValidSourcesOnly) {
  OwnAddresses own;
  Learn(own, 0, FromGuest(Ip("0.0.0.0")));
  Learn(own, 0, FromGuest(Ip("224.0.0.5")));
  Learn(own, 0, FromGuest(Ip("::")));
  Link multicast = kLinkFromGuest;
  multicast.source.bytes[0] |= 1;
  Learn(own, 0, FromGuest(Ip("10.0.2.15"), multicast));
  EXPECT_EQ(own.size(), 0u);
}

TEST(OwnAddressesTest, AreOfOneNicAndVlan) {
  OwnAddresses own;
  Link vlan = kLinkFromGuest;
  vlan.vlan = 7;
  Learn(own, 0, FromGuest(Ip("10.0.2.15"), vlan));
  Link same_with_priority = kLinkToGuest;
  same_with_priority.vlan = 0xe007;
  EXPECT_NE(own.Find(0, same_with_priority, Ip("10.0.2.15")), nullptr);
  EXPECT_TRUE(own.IsFor(0, same_with_priority));
  EXPECT_EQ(own.Find(0, kLinkToGuest, Ip("10.0.2.15")), nullptr);
  EXPECT_FALSE(own.IsFor(0, kLinkToGuest));
  EXPECT_FALSE(own.IsFor(1, same_with_priority));
}

TEST(OwnAddressesTest, AnAddressMovesToAnotherMac) {
  OwnAddresses own;
  Learn(own, 0, FromGuest(Ip("10.0.2.15")));
  Link moved = kLinkFromGuest;
  moved.source.bytes[5] = 9;
  Learn(own, 0, FromGuest(Ip("10.0.2.15"), moved));
  EXPECT_EQ(own.size(), 1u);
  EXPECT_EQ(own.Find(0, kLinkToGuest, Ip("10.0.2.15"))->bytes[5], 9);
}

TEST(OwnAddressesTest, BeyondTheBoundTheOneUsedLongestAgoIsForgotten) {
  OwnAddresses own;
  const auto address = [](size_t i) {
    return Ip("10.0.3." + std::to_string(i));
  };
  for (size_t i = 1; i <= kMaxOwnAddresses; ++i) {
    Learn(own, 0, FromGuest(address(i)));
  }
  Learn(own, 0, FromGuest(address(1)));
  EXPECT_EQ(own.size(), kMaxOwnAddresses);
  Learn(own, 0, FromGuest(address(200)));
  EXPECT_EQ(own.size(), kMaxOwnAddresses);
  EXPECT_NE(own.Find(0, kLinkToGuest, address(1)), nullptr);
  EXPECT_EQ(own.Find(0, kLinkToGuest, address(2)), nullptr);
  EXPECT_NE(own.Find(0, kLinkToGuest, address(200)), nullptr);
}

}  // namespace
}  // namespace stubdomain
