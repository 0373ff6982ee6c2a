// One end of a connection, and a connection, as a guest sees it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_PROTOCOL_ENDPOINT_H_
#define STUBDOMAIN_GUEST_PROTOCOL_ENDPOINT_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/json_reader.h"

namespace stubdomain {

// `host` is always in the one form that inet_ntop() writes, and an IPv4
// address within IPv6 (::ffff:1.2.3.4) is written as IPv4: on the network it
// is one. So two endpoints are the same if their members are.
struct Endpoint {
  std::string host;
  uint16_t port = 0;

  bool operator==(const Endpoint&) const = default;
};

struct Flow {
  bool udp = false;               // else TCP
  std::optional<Endpoint> guest;  // absent: any connection to `peer`
  Endpoint peer;

  bool operator==(const Flow&) const = default;
};

Endpoint EndpointFrom(const in_addr& address, uint16_t port);
Endpoint EndpointFrom(const in6_addr& address, uint16_t port);
// Nothing if it is neither IPv4 nor IPv6.
std::optional<Endpoint> EndpointFrom(const sockaddr_storage& address);
// Nothing if `host` is not a numeric address or the port is 0.
std::optional<Endpoint> EndpointFrom(const std::string& host, uint16_t port);
// 0.0.0.0 or ::, which is where a socket listens that takes any address.
bool IsAnyAddress(std::string_view host);
// "192.0.2.1:80" or "[2001:db8::1]:80".
std::optional<Endpoint> ParseEndpoint(std::string_view text);

// StubdomainFlow of qapi/stubdomain.json.
nlohmann::json FlowToJson(const Flow& flow);
// Throws JsonError; `place` is where `json` stands in the message.
Flow FlowFromJson(const nlohmann::json& json, const std::string& place);

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_PROTOCOL_ENDPOINT_H_
