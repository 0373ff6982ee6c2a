// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "protocol/endpoint.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

using nlohmann::json;

TEST(Endpoint, HostIsWrittenInOneForm) {
  EXPECT_EQ(EndpointFrom("fd00:0::0:1", 80)->host, "fd00::1");
  EXPECT_EQ(EndpointFrom("FD00::A", 80)->host, "fd00::a");
  EXPECT_EQ(EndpointFrom("10.0.2.15", 80)->host, "10.0.2.15");
}

TEST(Endpoint, Ipv4WithinIpv6IsIpv4) {
  EXPECT_EQ(EndpointFrom("::ffff:10.0.2.15", 80),
            EndpointFrom("10.0.2.15", 80));
}

TEST(Endpoint, NamesAndPortZeroAreNone) {
  EXPECT_FALSE(EndpointFrom("localhost", 80));
  EXPECT_FALSE(EndpointFrom("10.0.2.15", 0));
  EXPECT_FALSE(EndpointFrom(std::string("10.0.2.15\0x", 11), 80));
  EXPECT_FALSE(EndpointFrom("", 80));
}

TEST(ParseEndpoint, TakesBothFamilies) {
  EXPECT_EQ(ParseEndpoint("10.0.2.15:65535"), (Endpoint{"10.0.2.15", 65535}));
  EXPECT_EQ(ParseEndpoint("[fd00::1]:80"), (Endpoint{"fd00::1", 80}));
}

TEST(ParseEndpoint, MalformedIsNone) {
  for (const char* text :
       {"", ":", "10.0.2.15", "10.0.2.15:", "10.0.2.15:0", "10.0.2.15:65536",
        "10.0.2.15:8x", "10.0.2.15:-1", "fd00::1:80", "[fd00::1]", "[fd00::1",
        "[10.0.2.15]:80", "[]:80", "host:80"}) {
    EXPECT_FALSE(ParseEndpoint(text)) << text;
  }
}

TEST(FlowFromJson, IsTheInverseOfFlowToJson) {
  const Flow full = {.guest = Endpoint{"fd00::1", 4000},
                     .peer = {"fd00::2", 80}};
  EXPECT_EQ(FlowFromJson(FlowToJson(full), "flow"), full);
  const Flow half = {.udp = true, .peer = {"10.0.2.2", 80}};
  EXPECT_EQ(FlowFromJson(FlowToJson(half), "flow"), half);
}

TEST(FlowFromJson, ErrorsNameThePlace) {
  const json good = {{"host", "10.0.2.2"}, {"port", 80}};
  const auto error = [](const json& flow) -> std::string {
    try {
      FlowFromJson(flow, "flow");
    } catch (const JsonError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(error({{"protocol", "tcp"}, {"peer", good}}), "no error");
  EXPECT_EQ(error({{"guest", good}}), "'flow.peer' is missing");
  EXPECT_EQ(error({{"protocol", "sctp"}, {"peer", good}}),
            "'flow.protocol': expected \"tcp\" or \"udp\"");
  EXPECT_EQ(error({{"peer", good}, {"pear", good}}),
            "'flow.pear' is not known");
  EXPECT_EQ(error({{"peer", {{"port", 80}}}}), "'flow.peer.host' is missing");
  EXPECT_EQ(error({{"peer", {{"host", "10.0.2.2"}}}}),
            "'flow.peer.port' is missing");
  EXPECT_EQ(error({{"peer", {{"host", "x"}, {"port", 80}}}}),
            "'flow.peer.host': expected a numeric IPv4 or IPv6 address");
  EXPECT_EQ(error({{"peer", good}, {"guest", {{"host", "::1"}, {"port", 0}}}}),
            "'flow.guest.port': expected a whole number from 1 to 65535");
}

}  // namespace
}  // namespace stubdomain
