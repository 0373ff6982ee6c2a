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
  return (wanted.address.family() == Family::kNone ||
          wanted.address == endpoint.address) &&
         (wanted.port == 0 || wanted.port == endpoint.port);
}

sd_refusal CheckWait(const sd_wait& wait) {
  const FlowId id = FromC(wait.flow);
  const Family guest = id.guest.address.family();
  const Family peer = id.peer.address.family();
  const bool families =
      guest == Family::kNone || peer == Family::kNone || guest == peer;
  const bool listens = wait.accept != SD_ACCEPT_NONE;
  if (id.guest.port == 0 || !families) return SD_REFUSED_BAD_WAIT;
  if (wait.protocol == SD_UDP) {
    return listens || peer == Family::kNone || id.peer.port == 0
               ? SD_REFUSED_BAD_WAIT
               : SD_OK;
  }
  return wait.protocol == SD_TCP && listens ? SD_OK : SD_REFUSED_BAD_WAIT;
}

FlowMatch FindFlow(FlowTable& flows, const sd_flow_id& id) {
  const FlowId wanted = FromC(id);
  int found = 0;
  TcpFlow* match = nullptr;
  // One that cannot be waited for is not meant, if there is one that can.
  sd_refusal refusal = SD_REFUSED_UNKNOWN_FLOW;
  flows.ForEach([&](TcpFlow& flow) {
    if (!(flow.id().peer == wanted.peer) ||
        !Matches(wanted.guest, flow.id().guest)) {
      return;
    }
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
