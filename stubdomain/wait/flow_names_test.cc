// What a wait names of a connection.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/flow_names.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "trace/talk.h"

namespace stubdomain {
namespace {

const Endpoint kGuest4{Ip("10.0.2.15"), 40000};
const Endpoint kGuest6{Ip("fd00::15"), 40000};

FlowPattern Of(const char* peer, uint8_t prefix, uint16_t port = 0) {
  return {.id = {.peer = {Ip(peer), port}}, .peer_prefix = prefix};
}

bool Has(const FlowPattern& pattern, const char* peer, uint16_t port = 443) {
  const Address address = Ip(peer);
  const bool ipv6 = address.family() == Family::kIpv6;
  return pattern.Matches(0, {ipv6 ? kGuest6 : kGuest4, {address, port}});
}

TEST(FlowPattern, WhatIsEmptyMayBeAny) {
  EXPECT_TRUE(Has({}, "192.0.2.1"));
  EXPECT_TRUE(Has({}, "2001:db8::1"));
  EXPECT_TRUE(Has(Of("192.0.2.1", 0), "192.0.2.1"));
  EXPECT_FALSE(Has(Of("192.0.2.1", 0), "192.0.2.2"));
  EXPECT_FALSE(Has(Of("192.0.2.1", 0, 80), "192.0.2.1"));
}

TEST(FlowPattern, OnlyThePrefixCounts) {
  const FlowPattern network = Of("192.0.2.77", 24);
  EXPECT_TRUE(Has(network, "192.0.2.0"));
  EXPECT_TRUE(Has(network, "192.0.2.255"));
  EXPECT_FALSE(Has(network, "192.0.3.77"));
  EXPECT_FALSE(Has(network, "2001:db8::1"));
  EXPECT_TRUE(Has(Of("192.0.2.128", 25), "192.0.2.200"));
  EXPECT_FALSE(Has(Of("192.0.2.128", 25), "192.0.2.127"));
  EXPECT_TRUE(Has(Of("192.0.2.1", 32), "192.0.2.1"));
  EXPECT_FALSE(Has(Of("192.0.2.1", 32), "192.0.2.0"));
  EXPECT_TRUE(Has(Of("2001:db8::", 32), "2001:db8:ffff::1"));
  EXPECT_FALSE(Has(Of("2001:db8::", 32), "2001:db9::1"));
  EXPECT_TRUE(Has(Of("128.0.0.0", 1), "255.0.0.1"));
  EXPECT_FALSE(Has(Of("128.0.0.0", 1), "127.0.0.1"));
}

TEST(FlowPattern, ANicIsOneOnly) {
  FlowPattern pattern;
  pattern.nic = 1;
  const FlowId flow{kGuest4, {Ip("192.0.2.1"), 80}};
  EXPECT_TRUE(pattern.Matches(1, flow));
  EXPECT_FALSE(pattern.Matches(0, flow));
}

TEST(FlowPattern, WhatCannotBeIsNotSound) {
  EXPECT_TRUE(IsSound({}));
  EXPECT_TRUE(IsSound(Of("192.0.2.0", 32)));
  EXPECT_FALSE(IsSound(Of("192.0.2.0", 33)));
  EXPECT_TRUE(IsSound(Of("2001:db8::", 128)));
  EXPECT_FALSE(IsSound(Of("2001:db8::", 129)));
  EXPECT_FALSE(IsSound({.peer_prefix = 1}));
  EXPECT_FALSE(IsSound({.id = {kGuest6, {Ip("192.0.2.1"), 80}}}));
  FlowPattern pattern;
  pattern.nic = SD_MAX_NICS;
  EXPECT_FALSE(IsSound(pattern));
}

TEST(FlowPattern, AMappedPrefixIsOneOfIpv4) {
  sd_wait wait{};
  wait.flow.peer.family = 6;
  wait.flow.peer.bytes[10] = wait.flow.peer.bytes[11] = 0xff;
  std::ranges::copy(Ip("192.0.2.0").bytes(), wait.flow.peer.bytes + 12);
  wait.flow.peer.prefix = 96 + 24;
  EXPECT_TRUE(Has(PatternOf(wait), "192.0.2.9"));
  EXPECT_FALSE(Has(PatternOf(wait), "192.0.3.9"));
  wait.flow.peer.prefix = 96;
  EXPECT_FALSE(IsSound(PatternOf(wait)));
}

}  // namespace
}  // namespace stubdomain
