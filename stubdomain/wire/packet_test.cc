// The parser: whole frames, every cut of them, and wrong bytes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/packet.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "wire/golden_frames.h"

namespace stubdomain {
namespace {

using golden::FromHex;

std::string Text(std::span<const uint8_t> bytes) {
  return {bytes.begin(), bytes.end()};
}

// A frame and what is read from it.
struct Parsed {
  explicit Parsed(std::string_view hex, const Offload& offload = {})
      : Parsed(FromHex(hex), offload) {}
  explicit Parsed(std::vector<uint8_t> frame, const Offload& offload = {})
      : bytes(std::move(frame)), malformed(Parse(bytes, offload, &packet)) {}

  std::vector<uint8_t> bytes;
  Packet packet;
  Malformed malformed;
};

TEST(Parse, ASyn) {
  const Parsed p(golden::kSyn);
  ASSERT_EQ(p.malformed, Malformed::kNo);
  EXPECT_EQ(p.packet.link.destination, golden::kPeerMac);
  EXPECT_EQ(p.packet.link.source, golden::kGuestMac);
  EXPECT_FALSE(p.packet.link.vlan);
  EXPECT_EQ(p.packet.ip->source,
            Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, 15}));
  EXPECT_EQ(p.packet.ip->destination,
            Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, 2}));
  const TcpSegment& tcp = *p.packet.tcp();
  EXPECT_EQ(tcp.source_port, 40000);
  EXPECT_EQ(tcp.destination_port, 80);
  EXPECT_EQ(tcp.seq, Seq(0x01020304));
  EXPECT_EQ(tcp.flags, kSyn);
  EXPECT_EQ(tcp.window, 64240);
  EXPECT_EQ(tcp.options.mss, 1460);
  EXPECT_EQ(tcp.options.window_shift, 7);
  EXPECT_TRUE(tcp.options.sack_permitted);
  EXPECT_EQ(tcp.options.timestamps, (Timestamps{100, 0}));
  EXPECT_EQ(tcp.length(), 1u);
  EXPECT_TRUE(ChecksumOk(p.packet));
}

TEST(Parse, DataInAVlan) {
  const Parsed p(golden::kVlanData);
  ASSERT_EQ(p.malformed, Malformed::kNo);
  EXPECT_EQ(p.packet.link.vlan, 0x2064);
  const TcpSegment& tcp = *p.packet.tcp();
  EXPECT_EQ(tcp.seq, Seq(0x0a0b0c0d));
  EXPECT_EQ(tcp.ack, Seq(0x01020305));
  EXPECT_EQ(tcp.flags, kPsh | kAck);
  EXPECT_EQ(Text(tcp.payload), "hello");
  EXPECT_EQ(tcp.end(), Seq(0x0a0b0c12));
  EXPECT_EQ(tcp.options.timestamps, (Timestamps{200, 100}));
  ASSERT_EQ(tcp.options.sack.count, 2);
  EXPECT_EQ(tcp.options.sack.blocks[1], (SeqRange{Seq(30), Seq(40)}));
  EXPECT_TRUE(ChecksumOk(p.packet));
}

TEST(Parse, IpOptionsAreSkippedAndPaddingIsNotPayload) {
  const Parsed p(golden::kIpOptions);
  ASSERT_EQ(p.malformed, Malformed::kNo);
  EXPECT_EQ(Text(p.packet.tcp()->payload), "hi");
  EXPECT_TRUE(ChecksumOk(p.packet));
}

TEST(Parse, Ipv6WithAndWithoutExtensions) {
  for (const auto hex : {golden::kIpv6Data, golden::kIpv6Extensions}) {
    const Parsed p(hex);
    ASSERT_EQ(p.malformed, Malformed::kNo);
    EXPECT_EQ(p.packet.ip->source.family(), Family::kIpv6);
    EXPECT_EQ(p.packet.ip->source.bytes()[15], 2);
    EXPECT_EQ(Text(p.packet.tcp()->payload), "hello");
    EXPECT_TRUE(ChecksumOk(p.packet));
  }
}

TEST(Parse, Udp) {
  const Parsed p(golden::kUdp);
  ASSERT_EQ(p.malformed, Malformed::kNo);
  const auto& udp = std::get<UdpDatagram>(p.packet.body);
  EXPECT_EQ(udp.source_port, 53);
  EXPECT_EQ(udp.destination_port, 1234);
  EXPECT_EQ(Text(udp.payload), "quer");
  EXPECT_TRUE(ChecksumOk(p.packet));
}

TEST(Parse, Questions) {
  EXPECT_EQ(
      std::get<EchoRequest>(Parsed(golden::kPing).packet.body).body.size(), 9u);
  EXPECT_EQ(
      std::get<EchoRequest>(Parsed(golden::kPing6).packet.body).body.size(),
      9u);
  const Parsed arp(golden::kArp);
  const auto& request = std::get<ArpRequest>(arp.packet.body);
  EXPECT_EQ(request.sender_mac, golden::kPeerMac);
  EXPECT_EQ(request.target.bytes()[3], 15);
  const Parsed ns(golden::kSolicitation);
  const auto& solicitation = std::get<NeighbourSolicitation>(ns.packet.body);
  EXPECT_EQ(solicitation.target.bytes()[15], 0x15);
  EXPECT_EQ(solicitation.source_mac, golden::kPeerMac);
  const Parsed dad(golden::kDuplicateDetection);
  EXPECT_FALSE(
      std::get<NeighbourSolicitation>(dad.packet.body).source_mac.has_value());
}

TEST(Parse, AnswersAreNotQuestions) {
  for (const auto hex : {golden::kPong, golden::kPong6, golden::kAdvertisement,
                         golden::kArpAnswer}) {
    const Parsed p(hex);
    EXPECT_EQ(p.malformed, Malformed::kNo);
    EXPECT_TRUE(std::holds_alternative<std::monostate>(p.packet.body));
  }
}

TEST(Parse, AFragmentIsNotLookedInto) {
  for (const int flags : {0x20, 0x00}) {
    auto bytes = FromHex(golden::kSyn);
    bytes[20] = static_cast<uint8_t>(flags);  // more fragments, or none
    bytes[21] = flags == 0 ? 1 : 0;           // and then an offset
    // The checksum: 0x4000 became 0x2000 or 0x0001.
    const int sum = 0x22ac + 0x4000 - (flags << 8 | bytes[21]);
    bytes[24] = static_cast<uint8_t>(sum >> 8);
    bytes[25] = static_cast<uint8_t>(sum);
    const Parsed p(bytes);
    EXPECT_EQ(p.malformed, Malformed::kNo);
    EXPECT_FALSE(p.packet.ip);
    EXPECT_EQ(p.packet.tcp(), nullptr);
    const auto& fragment = std::get<Fragment>(p.packet.body);
    EXPECT_EQ(fragment.first, flags != 0);
    EXPECT_EQ(fragment.protocol, 6);
  }
}

TEST(Parse, AnIpv6FragmentIsNotLookedInto) {
  auto bytes = FromHex(golden::kIpv6Extensions);
  bytes[14 + 40] = 44;  // what follows the first extension
  const Parsed p(bytes);
  EXPECT_EQ(p.malformed, Malformed::kNo);
  EXPECT_FALSE(p.packet.ip);
}

TEST(Parse, ExtensionHeadersAreBounded) {
  const auto frame = [](int extensions) {
    auto bytes = FromHex(golden::kIpv6Data);
    const auto header = bytes.begin() + 14 + 40;
    bytes[14 + 6] = 60;
    std::vector<uint8_t> all;
    for (int i = 1; i <= extensions; ++i) {
      const uint8_t next = i == extensions ? 6 : 60;
      all.insert(all.end(), {next, 0, 1, 4, 0, 0, 0, 0});
    }
    bytes[14 + 5] = static_cast<uint8_t>(bytes[14 + 5] + all.size());
    bytes.insert(header, all.begin(), all.end());
    return bytes;
  };
  EXPECT_NE(Parsed(frame(kMaxExtensionHeaders)).packet.tcp(), nullptr);
  const Parsed p(frame(kMaxExtensionHeaders + 1));
  EXPECT_EQ(p.malformed, Malformed::kIp);
  EXPECT_EQ(p.packet.tcp(), nullptr);
}

TEST(Parse, AFrameThatIsTooLongIsNotLookedInto) {
  auto bytes = FromHex(golden::kSyn);
  bytes.resize(kMaxFrame);
  EXPECT_EQ(Parsed(bytes).malformed, Malformed::kNo);
  bytes.resize(kMaxFrame + 1);
  const Parsed p(bytes);
  EXPECT_EQ(p.malformed, Malformed::kTooLong);
  EXPECT_EQ(p.packet.tcp(), nullptr);
}

TEST(Parse, EveryCutIsMalformed) {
  for (const auto hex : golden::kAll) {
    const auto bytes = FromHex(hex);
    // The padding of one of them may be cut.
    const size_t end =
        hex == golden::kIpOptions ? bytes.size() - 4 : bytes.size();
    for (size_t length = 0; length < end; ++length) {
      const Parsed p(std::vector(
          bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length)));
      EXPECT_NE(p.malformed, Malformed::kNo) << hex << " cut at " << length;
      EXPECT_TRUE(std::holds_alternative<std::monostate>(p.packet.body));
    }
  }
}

// Memory checkers make this a test of the bounds.
TEST(Parse, WrongBytesAreReadWithinBounds) {
  std::mt19937 random(1);
  for (const auto hex : golden::kAll) {
    const auto good = FromHex(hex);
    for (size_t at = 0; at < good.size(); ++at) {
      for (int value = 0; value < 256; value += 5) {
        auto bytes = good;
        bytes[at] = static_cast<uint8_t>(value);
        const Parsed p(bytes);
        ChecksumOk(p.packet);
        if (const TcpSegment* tcp = p.packet.tcp()) {
          EXPECT_LE(tcp->payload.size(), bytes.size());
        }
      }
    }
    for (int i = 0; i < 300; ++i) {
      auto bytes = good;
      bytes.resize(14 + random() % good.size());
      for (size_t at = 12; at < bytes.size(); ++at) {
        if (random() % 4 == 0) bytes[at] = static_cast<uint8_t>(random());
      }
      ChecksumOk(Parsed(bytes).packet);
    }
  }
}

TEST(Parse, AWrongIpChecksumIsMalformed) {
  auto bytes = FromHex(golden::kSyn);
  bytes[24] ^= 1;
  EXPECT_EQ(Parsed(bytes).malformed, Malformed::kIp);
}

TEST(Parse, ANeighbourSolicitationFromAfarIsMalformed) {
  auto bytes = FromHex(golden::kSolicitation);
  bytes[14 + 7] = 254;
  EXPECT_EQ(Parsed(bytes).malformed, Malformed::kTransport);
}

TEST(ChecksumOk, EachWrongBitIsSeen) {
  for (const auto hex : {golden::kSyn, golden::kVlanData, golden::kIpv6Data,
                         golden::kUdp, golden::kPing, golden::kPing6}) {
    const auto good = FromHex(hex);
    EXPECT_TRUE(ChecksumOk(Parsed(good).packet));
    for (int bit = 0; bit < 8; ++bit) {
      auto bytes = good;
      bytes.back() = static_cast<uint8_t>(bytes.back() ^ (1 << bit));
      EXPECT_FALSE(ChecksumOk(Parsed(bytes).packet)) << hex;
    }
  }
}

TEST(ChecksumOk, AnOffloadVouchesForIt) {
  auto bytes = FromHex(golden::kSyn);
  bytes.back() ^= 1;
  EXPECT_FALSE(ChecksumOk(Parsed(bytes).packet));
  EXPECT_TRUE(ChecksumOk(Parsed(bytes, {.needs_csum = true}).packet));
  EXPECT_TRUE(ChecksumOk(Parsed(bytes, {.data_valid = true}).packet));
}

TEST(ChecksumOk, UdpMayHaveNoneInIpv4) {
  auto bytes = FromHex(golden::kUdp);
  bytes[40] = bytes[41] = 0;
  EXPECT_TRUE(ChecksumOk(Parsed(bytes).packet));
}

}  // namespace
}  // namespace stubdomain
