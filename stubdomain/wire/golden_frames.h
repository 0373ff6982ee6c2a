// For tests: whole frames, computed independently of the code under test.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_GOLDEN_FRAMES_H_
#define STUBDOMAIN_WIRE_GOLDEN_FRAMES_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "wire/address.h"

namespace stubdomain::golden {

inline std::vector<uint8_t> FromHex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(
        static_cast<uint8_t>(digit(hex[i]) << 4 | digit(hex[i + 1])));
  }
  return bytes;
}

// The guest is 10.0.2.15 or fd00::15, the peer 10.0.2.2 or fd00::2.
inline constexpr MacAddress kGuestMac{{2, 0, 0, 0, 0, 1}};
inline constexpr MacAddress kPeerMac{{2, 0, 0, 0, 0, 2}};

// Guest to peer, port 40000 to 80: SYN with MSS 1460, SACK permitted,
// timestamps 100/0, window scale 7.
inline constexpr std::string_view kSyn =
    "02000000000202000000000108004500003c00004000400622ac0a00020f0a00"
    "02029c4000500102030400000000a002faf094040000020405b40402080a0000"
    "00640000000001030307";
// Peer to guest: VLAN 0x2064, timestamps 200/100, SACK 10-20 and 30-40,
// "hello".
inline constexpr std::string_view kVlanData =
    "0200000000010200000000028100206408004500004d000040004006229b0a00"
    "02020a00020f00509c400a0b0c0d01020305d01802000a6700000101080a0000"
    "00c800000064010105120000000a000000140000001e0000002868656c6c6f";
// IPv4 with options, "hi", and four bytes of Ethernet padding.
inline constexpr std::string_view kIpOptions =
    "02000000000102000000000208004600002e0000400040068db50a0002020a00"
    "020f9404000000509c4000000001000000025010000392c20000686900000000";
inline constexpr std::string_view kIpv6Data =
    "02000000000102000000000286dd6000000000190640fd000000000000000000"
    "000000000002fd00000000000000000000000000001500509c40000000070000"
    "000850180009d534000068656c6c6f";
// The same behind hop-by-hop and destination options.
inline constexpr std::string_view kIpv6Extensions =
    "02000000000102000000000286dd6000000000290040fd000000000000000000"
    "000000000002fd0000000000000000000000000000153c000104000000000600"
    "01040000000000509c40000000070000000850180009d534000068656c6c6f";
// Peer to guest, port 53 to 1234, "quer".
inline constexpr std::string_view kUdp =
    "02000000000102000000000208004500002000004000401122bd0a0002020a00"
    "020f003504d2000c0bd771756572";

inline constexpr std::string_view kPing =
    "02000000000102000000000208004500002100004000400122cc0a0002020a00"
    "020f0800e5f91234000170696e6721";
inline constexpr std::string_view kPong =
    "02000000000202000000000108004500002100004000400122cc0a00020f0a00"
    "02020000edf91234000170696e6721";
inline constexpr std::string_view kPing6 =
    "02000000000102000000000286dd60000000000d3a40fd000000000000000000"
    "000000000002fd000000000000000000000000000015800085c3000500067069"
    "6e6721";
inline constexpr std::string_view kPong6 =
    "02000000000202000000000186dd60000000000d3a40fd000000000000000000"
    "000000000015fd000000000000000000000000000002810084c3000500067069"
    "6e6721";

// Who has fd00::15, the answer, the same as duplicate detection, its answer.
inline constexpr std::string_view kSolicitation =
    "3333ff00001502000000000286dd6000000000203afffd000000000000000000"
    "000000000002ff0200000000000000000001ff00001587007d6f00000000fd00"
    "00000000000000000000000000150101020000000002";
inline constexpr std::string_view kAdvertisement =
    "02000000000202000000000186dd6000000000203afffd000000000000000000"
    "000000000015fd00000000000000000000000000000288001c7460000000fd00"
    "00000000000000000000000000150201020000000001";
inline constexpr std::string_view kDuplicateDetection =
    "3333ff00001502000000000286dd6000000000183aff00000000000000000000"
    "000000000000ff0200000000000000000001ff00001587007d7d00000000fd00"
    "0000000000000000000000000015";
inline constexpr std::string_view kDuplicateAnswer =
    "33330000000102000000000186dd6000000000203afffd000000000000000000"
    "000000000015ff02000000000000000000000000000188005a7320000000fd00"
    "00000000000000000000000000150201020000000001";

inline constexpr std::string_view kArp =
    "ffffffffffff020000000002080600010800060400010200000000020a000202"
    "0000000000000a00020f";
inline constexpr std::string_view kArpAnswer =
    "020000000002020000000001080600010800060400020200000000010a00020f"
    "0200000000020a000202";

inline constexpr std::string_view kAll[] = {
    kSyn, kVlanData, kIpOptions, kIpv6Data,     kIpv6Extensions,
    kUdp, kPing,     kPing6,     kSolicitation, kDuplicateDetection,
    kArp};

}  // namespace stubdomain::golden

#endif  // STUBDOMAIN_WIRE_GOLDEN_FRAMES_H_
