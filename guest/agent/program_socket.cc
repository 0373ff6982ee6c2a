// Where a program's socket stands.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/program_socket.h"

// Not <netinet/tcp.h>: glibc's tcp_info ends before tcpi_bytes_received.
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstddef>

namespace stubdomain {
namespace {

// The kernel's numbers for tcpi_state (include/net/tcp_states.h there).
enum KernelState : uint8_t {
  kEstablished = 1,
  kFinWait1 = 4,
  kFinWait2 = 5,
  kTimeWait = 6,
  kClose = 7,
  kCloseWait = 8,
  kLastAck = 9,
  kClosing = 11,
};

int IntOption(int fd, int option) {
  int value = -1;
  socklen_t length = sizeof(value);
  if (getsockopt(fd, SOL_SOCKET, option, &value, &length) != 0) return -1;
  return value;
}

// Tells a failed socket from one that was never connected. SO_ERROR and
// recv() would take the error away from the program; poll() only looks.
bool HasError(int fd) {
  pollfd entry{fd, 0, 0};
  return poll(&entry, 1, 0) == 1 && (entry.revents & POLLERR);
}

// What FIONREAD tells; 0 on a listening socket, which has nothing to read.
uint64_t ReadableOf(int fd) {
  int bytes = 0;
  if (ioctl(fd, SIOCINQ, &bytes) != 0 || bytes < 0) return 0;
  return static_cast<uint64_t>(bytes);
}

// `function` is getsockname or getpeername; nothing if there is no such end.
template <typename Function>
std::optional<Endpoint> EndOf(int fd, Function function) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  if (function(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return std::nullopt;
  }
  return EndpointFrom(address);
}

// Nothing if there is no peer.
std::optional<Flow> FlowOf(int fd) {
  const auto guest = EndOf(fd, getsockname);
  const auto peer = EndOf(fd, getpeername);
  if (!guest || !peer) return std::nullopt;
  return Flow{.guest = guest, .peer = *peer};
}

bool IsListener(int fd) {
  return IntOption(fd, SO_ACCEPTCONN) == 1 &&
         IntOption(fd, SO_PROTOCOL) == IPPROTO_TCP;
}

std::variant<SocketWait, Ended> ProbeListener(int fd) {
  const auto guest = EndOf(fd, getsockname);
  if (!guest) {
    throw RequestError(Reason::kInvalid,
                       "the socket does not listen on IPv4 or IPv6");
  }
  pollfd entry{fd, POLLIN, 0};
  if (poll(&entry, 1, 0) == 1) {
    return Ended{std::nullopt, Outcome::kReplied, 0};
  }
  return SocketWait{{.guest = guest, .peer = {}}, std::nullopt, true};
}

bool IsUdp(int fd) {
  const int domain = IntOption(fd, SO_DOMAIN);
  return (domain == AF_INET || domain == AF_INET6) &&
         IntOption(fd, SO_PROTOCOL) == IPPROTO_UDP;
}

std::variant<SocketWait, Ended> ProbeUdp(int fd) {
  std::optional<Flow> flow = FlowOf(fd);
  if (!flow) {
    throw RequestError(Reason::kInvalid, "the socket is not connected");
  }
  // An empty datagram can be read as well.
  pollfd entry{fd, POLLIN, 0};
  if (poll(&entry, 1, 0) == 1) {
    const bool failed = (entry.revents & POLLERR) != 0;
    return Ended{std::nullopt, failed ? Outcome::kReset : Outcome::kReplied,
                 ReadableOf(fd)};
  }
  flow->udp = true;
  return SocketWait{*flow, std::nullopt};
}

}  // namespace

KernelTcpSocket::KernelTcpSocket(int fd) : fd_(fd) {
  const int domain = IntOption(fd, SO_DOMAIN);
  if ((domain != AF_INET && domain != AF_INET6) ||
      IntOption(fd, SO_PROTOCOL) != IPPROTO_TCP) {
    throw RequestError(Reason::kInvalid,
                       "the descriptor is not a TCP or UDP socket over IPv4 or "
                       "IPv6");
  }
}

TcpSocket::Info KernelTcpSocket::GetInfo() {
  tcp_info info{};
  socklen_t length = sizeof(info);
  if (getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) {
    throw RequestError(Reason::kInvalid, "the socket tells no TCP_INFO");
  }
  Info result;
  constexpr size_t kReceivedEnd = offsetof(tcp_info, tcpi_bytes_received) +
                                  sizeof(info.tcpi_bytes_received);
  if (length >= kReceivedEnd) result.received = info.tcpi_bytes_received;
  switch (info.tcpi_state) {
    case kEstablished:
    case kFinWait1:
    case kFinWait2:
      result.state = State::kOpen;
      break;
    case kTimeWait:
    case kCloseWait:
    case kLastAck:
    case kClosing:
      result.state = State::kPeerClosed;
      break;
    default:
      result.state = info.tcpi_state == kClose && HasError(fd_)
                         ? State::kFailed
                         : State::kUnconnected;
  }
  return result;
}

uint64_t KernelTcpSocket::Readable() { return ReadableOf(fd_); }

std::optional<Flow> KernelTcpSocket::GetFlow() { return FlowOf(fd_); }

std::variant<SocketWait, Ended> ProbeSocket(TcpSocket& socket, uint64_t wanted,
                                            std::optional<uint64_t> before) {
  // Order matters. What was received is read before what is readable: a byte
  // that comes in between is then counted as reply rather than missed.
  const TcpSocket::Info info = socket.GetInfo();
  if (!info.received) before.reset();
  const uint64_t readable =
      before ? *info.received - std::min(*before, *info.received)
             : socket.Readable();
  if (readable >= wanted) {
    return Ended{std::nullopt, Outcome::kReplied, readable};
  }
  switch (info.state) {
    case TcpSocket::State::kOpen:
      break;
    case TcpSocket::State::kPeerClosed:
      return Ended{std::nullopt, Outcome::kClosed, readable};
    case TcpSocket::State::kFailed:
      return Ended{std::nullopt, Outcome::kReset, readable};
    case TcpSocket::State::kUnconnected:
      throw RequestError(Reason::kInvalid, "the socket is not connected");
  }
  const std::optional<Flow> flow = socket.GetFlow();
  if (!flow) {
    throw RequestError(Reason::kInvalid, "the socket is not connected");
  }
  SocketWait wait{*flow, info.received};
  // What is readable but too little counts as the reply's beginning. Should
  // more of it have come since GetInfo(), the wait only ends too early.
  if (wait.received) *wait.received -= std::min(readable, *wait.received);
  return wait;
}

std::variant<SocketWait, Ended> ProbeSocket(int fd, uint64_t wanted,
                                            std::optional<uint64_t> received) {
  if (IsUdp(fd)) return ProbeUdp(fd);
  if (IsListener(fd)) return ProbeListener(fd);
  KernelTcpSocket socket(fd);
  return ProbeSocket(socket, wanted, received);
}

}  // namespace stubdomain
