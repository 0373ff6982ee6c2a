// One message, with file descriptors, over a SOCK_SEQPACKET socket.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "protocol/packet.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

namespace stubdomain {
namespace {

// CMSG_SPACE rounds up, so one descriptor too many can slip in.
constexpr size_t kControlSize = CMSG_SPACE(kMaxDescriptors * sizeof(int));

void TakeDescriptors(msghdr& header, Packet& packet) {
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr;
       item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof(int));
      packet.fds.emplace_back(fd);
    }
  }
  packet.surplus =
      (header.msg_flags & MSG_CTRUNC) || packet.fds.size() > kMaxDescriptors;
  if (packet.surplus) packet.fds.clear();
}

}  // namespace

int SendPacket(int socket, std::string_view data, std::span<const int> fds) {
  iovec part{const_cast<char*>(data.data()), data.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) char control[kControlSize] = {};
  if (!fds.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* item = CMSG_FIRSTHDR(&header);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(item), fds.data(), fds.size_bytes());
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket, &header, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? errno : 0;
}

Received ReceivePacket(int socket, size_t limit, Packet& packet) {
  packet = Packet();
  packet.data.resize(limit);
  iovec part{packet.data.data(), packet.data.size()};
  alignas(cmsghdr) char control[kControlSize];
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t length;
  do {
    length = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    // ECONNRESET comes once, and before what the other side had sent when it
    // hung up without reading all of ours.
  } while (length < 0 && (errno == EINTR || errno == ECONNRESET));
  if (length < 0) {
    packet.data.clear();
    return errno == EAGAIN ? Received::kNothing : Received::kEnd;
  }
  packet.data.resize(length);
  packet.truncated = header.msg_flags & MSG_TRUNC;
  TakeDescriptors(header, packet);
  return length == 0 ? Received::kEnd : Received::kPacket;
}

}  // namespace stubdomain
