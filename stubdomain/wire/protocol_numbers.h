// The numbers that the protocols assign.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_PROTOCOL_NUMBERS_H_
#define STUBDOMAIN_WIRE_PROTOCOL_NUMBERS_H_

#include <cstddef>
#include <cstdint>

namespace stubdomain {

inline constexpr uint16_t kEtherIpv4 = 0x0800;
inline constexpr uint16_t kEtherArp = 0x0806;
inline constexpr uint16_t kEtherVlan = 0x8100;
inline constexpr uint16_t kEtherIpv6 = 0x86dd;

inline constexpr uint8_t kProtocolIcmp = 1;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint8_t kProtocolUdp = 17;
inline constexpr uint8_t kProtocolIcmpv6 = 58;

inline constexpr uint8_t kExtensionHopByHop = 0;
inline constexpr uint8_t kExtensionRouting = 43;
inline constexpr uint8_t kExtensionFragment = 44;
inline constexpr uint8_t kExtensionAuthentication = 51;
inline constexpr uint8_t kExtensionDestination = 60;

inline constexpr uint8_t kIcmpEchoReply = 0;
inline constexpr uint8_t kIcmpUnreachable = 3;
inline constexpr uint8_t kIcmpPortUnreachable = 3;      // a code of it
inline constexpr uint8_t kIcmpFragmentationNeeded = 4;  // a code of it
inline constexpr uint8_t kIcmpEchoRequest = 8;
inline constexpr uint8_t kIcmpTimeExceeded = 11;
inline constexpr uint8_t kIcmpParameterProblem = 12;
inline constexpr uint8_t kIcmpv6Unreachable = 1;
inline constexpr uint8_t kIcmpv6PortUnreachable = 4;  // a code of it
inline constexpr uint8_t kIcmpv6TooBig = 2;
inline constexpr uint8_t kIcmpv6TimeExceeded = 3;
inline constexpr uint8_t kIcmpv6ParameterProblem = 4;
inline constexpr uint8_t kIcmpv6EchoRequest = 128;
inline constexpr uint8_t kIcmpv6EchoReply = 129;
inline constexpr uint8_t kIcmpv6NeighbourSolicitation = 135;
inline constexpr uint8_t kIcmpv6NeighbourAdvertisement = 136;

// TCP's header without options, and where its fields are.
inline constexpr size_t kTcpHeader = 20;
inline constexpr size_t kTcpFlagsAt = 13;
inline constexpr size_t kTcpChecksumAt = 16;

// Kinds of TCP options.
inline constexpr uint8_t kOptionEnd = 0;
inline constexpr uint8_t kOptionNoOperation = 1;
inline constexpr uint8_t kOptionMss = 2;
inline constexpr uint8_t kOptionWindowScale = 3;
inline constexpr uint8_t kOptionSackPermitted = 4;
inline constexpr uint8_t kOptionSack = 5;
inline constexpr uint8_t kOptionTimestamps = 8;
inline constexpr uint8_t kOptionMd5 = 19;
inline constexpr uint8_t kOptionAuthentication = 29;
inline constexpr uint8_t kOptionMultipath = 30;

inline constexpr uint16_t kArpRequest = 1;
inline constexpr uint16_t kArpReply = 2;

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_PROTOCOL_NUMBERS_H_
