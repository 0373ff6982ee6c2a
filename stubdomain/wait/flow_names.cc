// How the C API names connections.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/flow_names.h"

#include <algorithm>
#include <array>
#include <span>

namespace stubdomain {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0,    0,
                                                   0, 0, 0, 0, 0xff, 0xff};

Endpoint FromC(const sd_address& address) {
  const std::span<const uint8_t> bytes(address.bytes);
  const bool mapped =
      std::ranges::equal(bytes.first(kMappedPrefix.size()), kMappedPrefix);
  Endpoint endpoint;
  endpoint.port = address.port;
  if (address.family == 4) {
    endpoint.address = Address::Ipv4(bytes);
  } else if (address.family == 6) {
    endpoint.address = mapped
                           ? Address::Ipv4(bytes.subspan(kMappedPrefix.size()))
                           : Address::Ipv6(bytes);
  }
  return endpoint;
}

sd_address ToC(const Endpoint& endpoint) {
  sd_address address{};
  address.family = static_cast<uint8_t>(endpoint.address.family());
  std::ranges::copy(endpoint.address.bytes(), address.bytes);
  address.port = endpoint.port;
  return address;
}

// A mapped address counts as what it maps.
uint8_t PrefixFromC(const sd_address& address) {
  const bool mapped =
      address.family == 6 && FromC(address).address.family() == Family::kIpv4;
  if (address.prefix == 0 || !mapped) return address.prefix;
  constexpr uint8_t kMapped = 8 * kMappedPrefix.size();
  // Of less, IPv4 has no bits: more than it can have.
  return address.prefix > kMapped ? address.prefix - kMapped : UINT8_MAX;
}

bool MatchesAddress(const Address& wanted, uint8_t prefix,
                    const Address& address) {
  if (prefix == 0) return wanted == address;
  if (wanted.family() != address.family()) return false;
  const size_t bytes = prefix / 8;
  const auto a = wanted.bytes();
  const auto b = address.bytes();
  if (!std::ranges::equal(a.first(bytes), b.first(bytes))) return false;
  return prefix % 8 == 0 || (a[bytes] ^ b[bytes]) >> (8 - prefix % 8) == 0;
}

// What is empty in `wanted` may be any.
bool MatchesEnd(const Endpoint& wanted, uint8_t prefix,
                const Endpoint& endpoint) {
  return (wanted.address.family() == Family::kNone ||
          MatchesAddress(wanted.address, prefix, endpoint.address)) &&
         (wanted.port == 0 || wanted.port == endpoint.port);
}

sd_refusal RefusalFor(const TcpFlow& flow) {
  switch (flow.unfit()) {
    case AdoptRefusal::kNoSyn:
      return SD_REFUSED_FLOW_UNTRACKED;
    case AdoptRefusal::kMultipath:
      return SD_REFUSED_FLOW_MULTIPATH;
    case AdoptRefusal::kAuthenticated:
      return SD_REFUSED_FLOW_AUTHENTICATED;
    default:
      break;
  }
  if (!flow.answered()) return SD_REFUSED_FLOW_NOT_ESTABLISHED;
  return SD_OK;
}

}  // namespace

sd_flow_id ToC(const FlowId& id) { return {ToC(id.guest), ToC(id.peer)}; }

FlowId FromC(const sd_flow_id& id) { return {FromC(id.guest), FromC(id.peer)}; }

bool Matches(const Endpoint& wanted, const Endpoint& endpoint) {
  return MatchesEnd(wanted, 0, endpoint);
}

FlowPattern PatternOf(const sd_wait& wait) {
  FlowPattern pattern{.id = FromC(wait.flow),
                      .guest_prefix = PrefixFromC(wait.flow.guest),
                      .peer_prefix = PrefixFromC(wait.flow.peer)};
  if (wait.nic != 0) pattern.nic = wait.nic - 1;
  return pattern;
}

bool IsSound(const FlowPattern& pattern) {
  const auto fits = [](const Endpoint& end, uint8_t prefix) {
    return prefix <= 8 * end.address.bytes().size();
  };
  const Family guest = pattern.id.guest.address.family();
  const Family peer = pattern.id.peer.address.family();
  return fits(pattern.id.guest, pattern.guest_prefix) &&
         fits(pattern.id.peer, pattern.peer_prefix) &&
         (guest == Family::kNone || peer == Family::kNone || guest == peer) &&
         (!pattern.nic || *pattern.nic < SD_MAX_NICS);
}

bool FlowPattern::Matches(unsigned port, const FlowId& flow) const {
  return (!nic || *nic == port) &&
         MatchesEnd(id.guest, guest_prefix, flow.guest) &&
         MatchesEnd(id.peer, peer_prefix, flow.peer);
}

sd_refusal CheckWait(const sd_wait& wait) {
  const FlowPattern pattern = PatternOf(wait);
  if (!IsSound(pattern)) return SD_REFUSED_BAD_WAIT;
  const bool listens = wait.accept != SD_ACCEPT_NONE;
  if (wait.protocol == SD_TCP && !listens) return SD_OK;
  return pattern.id.guest.port == 0 || (wait.protocol == SD_UDP && listens)
             ? SD_REFUSED_BAD_WAIT
             : SD_OK;
}

FlowMatch FindFlow(FlowTable& flows, const sd_flow_id& id) {
  return FindFlow(flows, FlowPattern{.id = FromC(id)});
}

FlowMatch FindFlow(FlowTable& flows, const FlowPattern& pattern) {
  int found = 0;
  TcpFlow* match = nullptr;
  // One that cannot be waited for is not meant, if there is one that can.
  sd_refusal refusal = SD_REFUSED_UNKNOWN_FLOW;
  flows.ForEach([&](TcpFlow& flow) {
    if (!pattern.Matches(flow.port(), flow.id())) return;
    if (const sd_refusal reason = RefusalFor(flow); reason != SD_OK) {
      refusal = reason;
      return;
    }
    ++found;
    match = &flow;
  });
  if (found == 0) return {refusal, nullptr};
  if (found > 1) return {SD_REFUSED_AMBIGUOUS_FLOW, nullptr};
  return {SD_OK, match};
}

}  // namespace stubdomain
