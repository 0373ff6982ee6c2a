// One message with at most one file descriptor over a SOCK_SEQPACKET socket.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_PROTOCOL_PACKET_H_
#define STUBDOMAIN_GUEST_PROTOCOL_PACKET_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "protocol/unique_fd.h"

namespace stubdomain {

struct Packet {
  std::string data;
  UniqueFd fd;             // the descriptor that came along, if any
  bool truncated = false;  // it was longer than the caller's limit
  bool surplus = false;    // it carried more than one descriptor; none is kept
};

enum class Received {
  kPacket,
  kNothing,  // a non-blocking socket has nothing to read
  kEnd,      // the other side closed, or the socket failed
};

// Sends without ever raising SIGPIPE. `fd` < 0: none goes along; otherwise
// the caller keeps its own. Returns 0 or an errno value.
int SendPacket(int socket, std::string_view data, int fd = -1);

// Receives one message of at most `limit` bytes. Descriptors are close-on-exec.
// An empty message counts as the end, as SOCK_SEQPACKET cannot tell them apart.
Received ReceivePacket(int socket, size_t limit, Packet& packet);

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_PROTOCOL_PACKET_H_
