// TCP sockets of the guest by address, from /proc/net/tcp and tcp6.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_PROC_NET_H_
#define STUBDOMAIN_GUEST_AGENT_PROC_NET_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/endpoint.h"

namespace stubdomain {

struct SocketEntry {
  uid_t owner;
  uint64_t readable;  // bytes that can be read now
};

// The established connection from `guest` to `peer` in the agent's network
// namespace. `directory` holds the files "tcp" and "tcp6".
std::optional<SocketEntry> FindSocket(
    const Endpoint& guest, const Endpoint& peer,
    const std::string& directory = "/proc/net");

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_PROC_NET_H_
