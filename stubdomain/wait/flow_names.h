// How the C API names connections.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WAIT_FLOW_NAMES_H_
#define STUBDOMAIN_WAIT_FLOW_NAMES_H_

#include <cstdint>
#include <optional>

#include "stubdomain/stubdomain.h"
#include "tcp/flow_table.h"
#include "wire/address.h"

namespace stubdomain {

sd_flow_id ToC(const FlowId& id);
// An IPv4-mapped IPv6 address counts as the IPv4 address (a program sees its
// connection like that through an IPv6 socket). What is "any" is empty.
FlowId FromC(const sd_flow_id& id);

// Whether `endpoint` is what `wanted` names; what is empty there may be any.
bool Matches(const Endpoint& wanted, const Endpoint& endpoint);

// What a wait names of a connection, or of datagrams.
struct FlowPattern {
  FlowId id;  // what may be any is empty
  // Bits of the addresses that count; 0: all.
  uint8_t guest_prefix = 0;
  uint8_t peer_prefix = 0;
  std::optional<unsigned> nic;

  bool Matches(unsigned port, const FlowId& flow) const;
};

FlowPattern PatternOf(const sd_wait& wait);
// Whether what it names can be.
bool IsSound(const FlowPattern& pattern);

// Whether a wait for something else than a reply is in order in itself.
sd_refusal CheckWait(const sd_wait& wait);

struct FlowMatch {
  sd_refusal refusal;
  TcpFlow* flow;  // not null if and only if nothing is refused
};

// The one connection that is like that.
FlowMatch FindFlow(FlowTable& flows, const FlowPattern& pattern);
// The same, of a connection whose peer is named in full.
FlowMatch FindFlow(FlowTable& flows, const sd_flow_id& id);

}  // namespace stubdomain

#endif  // STUBDOMAIN_WAIT_FLOW_NAMES_H_
