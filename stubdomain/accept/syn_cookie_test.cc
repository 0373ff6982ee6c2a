// SYN cookies: what they keep, for whom and how long.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "accept/syn_cookie.h"

#include <gtest/gtest.h>

#include <array>
#include <numeric>

#include "trace/talk.h"

namespace stubdomain {
namespace {

constexpr SipKey kKey{1, 2, 3};
constexpr Time kNow{std::chrono::seconds(1000000)};

FlowId IdOf(const char* guest, const char* peer) {
  return {{Ip(guest), 80}, {Ip(peer), 50000}};
}

// The first and the last line of the algorithm's published test vectors.
TEST(SipHash, AgreesWithTheReference) {
  SipKey key;
  std::iota(key.begin(), key.end(), uint8_t{0});
  std::array<uint8_t, 15> data;
  std::iota(data.begin(), data.end(), uint8_t{0});
  EXPECT_EQ(SipHash(key, {}), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(SipHash(key, data), 0xa129ca6149be45e5u);
}

TEST(SynCookie, KeepsWhatTheSynSaid) {
  for (const FlowId& id :
       {IdOf("10.0.2.15", "192.0.2.1"), IdOf("fd00::15", "2001:db8::1")}) {
    for (const PeerOptions& options :
         {PeerOptions{.mss = 536}, PeerOptions{1460, 7, true},
          PeerOptions{1220, 14, false}, PeerOptions{8940, 0, true}}) {
      const Seq cookie = MakeSynCookie(kKey, id, Seq(77), options, kNow);
      EXPECT_EQ(CheckSynCookie(kKey, id, Seq(77), cookie, kNow), options);
    }
  }
}

TEST(SynCookie, AnMssIsRoundedDown) {
  const FlowId id = IdOf("10.0.2.15", "192.0.2.1");
  for (const auto& [said, kept] : {std::pair<uint16_t, uint16_t>{1459, 1440},
                                   {65535, 8940},
                                   {100, 64},
                                   {1, 64}}) {
    const Seq cookie = MakeSynCookie(kKey, id, Seq(77), {.mss = said}, kNow);
    EXPECT_EQ(CheckSynCookie(kKey, id, Seq(77), cookie, kNow)->mss, kept);
  }
}

TEST(SynCookie, IsGoodForOnePeerAndOneSyn) {
  const FlowId id = IdOf("10.0.2.15", "192.0.2.1");
  const Seq cookie = MakeSynCookie(kKey, id, Seq(77), {}, kNow);
  FlowId other = id;
  ++other.peer.port;
  EXPECT_FALSE(CheckSynCookie(kKey, other, Seq(77), cookie, kNow));
  EXPECT_FALSE(CheckSynCookie(kKey, id, Seq(78), cookie, kNow));
  EXPECT_FALSE(CheckSynCookie(SipKey{}, id, Seq(77), cookie, kNow));
  for (uint32_t bit = 0; bit < 32; ++bit) {
    EXPECT_FALSE(CheckSynCookie(kKey, id, Seq(77),
                                Seq(cookie.value() ^ 1u << bit), kNow));
  }
}

TEST(SynCookie, GrowsOld) {
  const FlowId id = IdOf("10.0.2.15", "192.0.2.1");
  const Seq cookie = MakeSynCookie(kKey, id, Seq(77), {}, kNow);
  EXPECT_TRUE(
      CheckSynCookie(kKey, id, Seq(77), cookie, kNow + kCookieLifetime));
  EXPECT_FALSE(
      CheckSynCookie(kKey, id, Seq(77), cookie, kNow + 2 * kCookieLifetime));
}

}  // namespace
}  // namespace stubdomain
