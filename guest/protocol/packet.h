// One message, with file descriptors, over a SOCK_SEQPACKET socket.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_PROTOCOL_PACKET_H_
#define STUBDOMAIN_GUEST_PROTOCOL_PACKET_H_

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/unique_fd.h"

namespace stubdomain {

// Descriptors that one message may carry.
inline constexpr size_t kMaxDescriptors = 64;

struct Packet {
  std::string data;
  std::vector<UniqueFd> fds;  // that came along
  bool truncated = false;     // it was longer than the caller's limit
  bool surplus = false;  // it carried more than kMaxDescriptors; none is kept
};

enum class Received {
  kPacket,
  kNothing,  // a non-blocking socket has nothing to read
  kEnd,      // the other side closed, or the socket failed
};

// Sends without ever raising SIGPIPE. The caller keeps its own `fds`, of which
// there are kMaxDescriptors at most. Returns 0 or an errno value.
int SendPacket(int socket, std::string_view data,
               std::span<const int> fds = {});

// Receives one message of at most `limit` bytes. Descriptors are close-on-exec.
// An empty message counts as the end, as SOCK_SEQPACKET cannot tell them apart.
Received ReceivePacket(int socket, size_t limit, Packet& packet);

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_PROTOCOL_PACKET_H_
