// One end of a connection, and a connection, as a guest sees it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "protocol/endpoint.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace stubdomain {

using nlohmann::json;

Endpoint EndpointFrom(const in_addr& address, uint16_t port) {
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &address, text, sizeof(text));
  return {text, port};
}

Endpoint EndpointFrom(const in6_addr& address, uint16_t port) {
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    in_addr inner;
    std::memcpy(&inner, &address.s6_addr[12], sizeof(inner));
    return EndpointFrom(inner, port);
  }
  char text[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, &address, text, sizeof(text));
  return {text, port};
}

std::optional<Endpoint> EndpointFrom(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof(v4));
    return EndpointFrom(v4.sin_addr, ntohs(v4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, &address, sizeof(v6));
    return EndpointFrom(v6.sin6_addr, ntohs(v6.sin6_port));
  }
  return std::nullopt;
}

bool IsAnyAddress(std::string_view host) {
  return host == "0.0.0.0" || host == "::";
}

std::optional<Endpoint> EndpointFrom(const std::string& host, uint16_t port) {
  // inet_pton() would stop at an embedded zero byte.
  if (port == 0 || host.find('\0') != host.npos) return std::nullopt;
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    return EndpointFrom(v4, port);
  }
  in6_addr v6;
  if (inet_pton(AF_INET6, host.c_str(), &v6) == 1) {
    return EndpointFrom(v6, port);
  }
  return std::nullopt;
}

std::optional<Endpoint> ParseEndpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  const bool brackets = host.starts_with('[') && host.ends_with(']');
  if (brackets) host = host.substr(1, host.size() - 2);
  // Without the brackets, where IPv6 ends and the port begins is a guess.
  if (brackets != (host.find(':') != host.npos)) return std::nullopt;
  return EndpointFrom(std::string(host), port);
}

namespace {

json EndpointToJson(const Endpoint& endpoint) {
  return {{"host", endpoint.host}, {"port", endpoint.port}};
}

Endpoint EndpointFromJson(const json& object, const std::string& place) {
  JsonReader reader(object, place);
  const auto host = reader.String("host");
  const auto port = reader.Number("port", 1, UINT16_MAX);
  reader.Finish();
  if (!host) reader.Missing("host");
  if (!port) reader.Missing("port");
  auto endpoint = EndpointFrom(*host, static_cast<uint16_t>(*port));
  if (!endpoint) {
    throw JsonError("'" + reader.Place("host") +
                    "': expected a numeric IPv4 or IPv6 address");
  }
  return *endpoint;
}

}  // namespace

json FlowToJson(const Flow& flow) {
  json object = {{"peer", EndpointToJson(flow.peer)}};
  if (flow.udp) object["protocol"] = "udp";
  if (flow.guest) object["guest"] = EndpointToJson(*flow.guest);
  return object;
}

Flow FlowFromJson(const json& object, const std::string& place) {
  JsonReader reader(object, place);
  const auto protocol = reader.String("protocol");
  const json* guest = reader.Object("guest");
  const json* peer = reader.Object("peer");
  reader.Finish();
  if (protocol && *protocol != "tcp" && *protocol != "udp") {
    throw JsonError("'" + reader.Place("protocol") +
                    "': expected \"tcp\" or \"udp\"");
  }
  if (peer == nullptr) reader.Missing("peer");
  Flow flow;
  flow.udp = protocol == "udp";
  if (guest != nullptr) {
    flow.guest = EndpointFromJson(*guest, reader.Place("guest"));
  }
  flow.peer = EndpointFromJson(*peer, reader.Place("peer"));
  return flow;
}

}  // namespace stubdomain
