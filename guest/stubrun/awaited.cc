// What a thread waits for in one call.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stubrun/awaited.h"

// Not <netinet/tcp.h>: glibc's tcp_info ends before tcpi_bytes_received.
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#include <cstring>
#include <string_view>

#include "stubrun/epoll_interest.h"
#include "stubrun/proc_path.h"
#include "stubrun/raw_calls.h"

namespace stubdomain {
namespace {

// The kernel's numbers for tcpi_state (include/net/tcp_states.h there).
enum KernelState : uint8_t {
  kEstablished = 1,
  kSynSent = 2,
  kSynReceived = 3,
  kFinWait1 = 4,
  kFinWait2 = 5,
};

int Option(int fd, int option) {
  int value = -1;
  socklen_t length = sizeof(value);
  return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

// An IPv4 address within IPv6 is one of IPv4.
struct Address {
  int family = AF_UNSPEC;
  in6_addr bytes{};

  bool operator==(const Address& other) const {
    return family == other.family &&
           std::memcmp(&bytes, &other.bytes, sizeof(bytes)) == 0;
  }
  bool IsLoopback() const {
    return family == AF_INET ? bytes.s6_addr[0] == 127
                             : IN6_IS_ADDR_LOOPBACK(&bytes);
  }
};

// `function` is getsockname or getpeername; false if there is no such end.
template <typename Function>
bool AddressOf(int fd, Function function, Address& address) {
  sockaddr_storage name{};
  socklen_t length = sizeof(name);
  if (function(fd, reinterpret_cast<sockaddr*>(&name), &length) != 0) {
    return false;
  }
  address.family = name.ss_family;
  if (name.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(name);
    std::memcpy(&address.bytes, &v4.sin_addr, sizeof(v4.sin_addr));
  } else if (name.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(name);
    address.bytes = v6.sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      address.family = AF_INET;
      address.bytes = {};
      std::memcpy(&address.bytes, &v6.sin6_addr.s6_addr[12], 4);
    }
  }
  return true;
}

// Whether the other end is within the guest; nothing for the stub domain.
bool IsWithinGuest(const Address& guest, const Address& peer) {
  return peer.IsLoopback() || peer == guest;
}

// FNV-1a, over what a wait is for.
void Mix(uint64_t& state, uint64_t value) {
  for (int i = 0; i < 8; i++) {
    state = (state ^ (value >> (8 * i) & 0xff)) * 0x100000001b3;
  }
}

// Somebody waits to send, and cannot.
bool WaitsToSend(int fd, unsigned events) {
  return (events & POLLOUT) && !RawIsReady(fd, POLLOUT);
}

}  // namespace

bool Awaited::Add(int fd, unsigned events, int depth) {
  if (fd < 0) return true;
  struct stat status;
  if (fstat(fd, &status) != 0) return false;
  if (S_ISSOCK(status.st_mode)) return AddSocket(fd, events);
  if (S_ISFIFO(status.st_mode)) return true;
  if (S_ISCHR(status.st_mode)) return false;
  return AddAnonymous(fd, depth);
}

bool Awaited::AddSocket(int fd, unsigned events) {
  const int domain = Option(fd, SO_DOMAIN);
  if (domain == AF_UNIX) return true;
  if (domain != AF_INET && domain != AF_INET6) return false;
  const int protocol = Option(fd, SO_PROTOCOL);
  if (protocol == IPPROTO_TCP) return AddTcp(fd, events);
  Address guest;
  Address peer;
  // Without a peer anyone may send it something.
  if (protocol != IPPROTO_UDP || !AddressOf(fd, getsockname, guest) ||
      !AddressOf(fd, getpeername, peer)) {
    return false;
  }
  if (IsWithinGuest(guest, peer)) return true;
  is_counted_ = false;
  return !WaitsToSend(fd, events) && Append(fd, -1);
}

bool Awaited::AddTcp(int fd, unsigned events) {
  Address guest;
  if (!AddressOf(fd, getsockname, guest)) return false;
  if (Option(fd, SO_ACCEPTCONN) == 1) {
    is_counted_ = false;
    return guest.IsLoopback() || Append(fd, -1);
  }
  Address peer;
  // Nothing comes to a socket without a peer.
  if (!AddressOf(fd, getpeername, peer)) return !WaitsToSend(fd, events);
  if (IsWithinGuest(guest, peer)) return true;

  tcp_info info{};
  socklen_t length = sizeof(info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return false;
  if (info.tcpi_state == kSynSent || info.tcpi_state == kSynReceived) {
    return false;
  }
  if (WaitsToSend(fd, events)) return false;
  // Bytes that have not been sent yet: the machine has to send them first.
  int unsent = 0;
  if (ioctl(fd, SIOCOUTQNSD, &unsent) != 0 || unsent != 0) return false;
  if (info.tcpi_state != kEstablished && info.tcpi_state != kFinWait1 &&
      info.tcpi_state != kFinWait2) {
    return true;  // all that the peer sent has come
  }
  constexpr size_t kSentEnd =
      offsetof(tcp_info, tcpi_bytes_sent) + sizeof(info.tcpi_bytes_sent);
  if (length < kSentEnd) is_counted_ = false;
  Mix(state_, fd);
  Mix(state_, info.tcpi_bytes_received);
  Mix(state_, info.tcpi_bytes_sent);
  return Append(fd, static_cast<int64_t>(info.tcpi_bytes_received));
}

bool Awaited::AddAnonymous(int fd, int depth) {
  ProcPath path("fd/", fd);
  char target[64];
  const ssize_t length = readlink(path.text(), target, sizeof(target));
  if (length < 0) return false;
  std::string_view kind(target, static_cast<size_t>(length));
  if (kind.find("[eventpoll]") != kind.npos) return AddEpoll(fd, depth);
  if (kind.find("[timerfd]") != kind.npos) {
    itimerspec left;
    if (timerfd_gettime(fd, &left) != 0) return false;
    AddTimer(FromTimespec(left.it_value));
    return true;
  }
  for (const std::string_view local :
       {"[eventfd]", "[signalfd]", "[pidfd]", "inotify"}) {
    if (kind.find(local) != kind.npos) return true;
  }
  return false;
}

bool Awaited::AddEpoll(int fd, int depth) {
  if (depth == kMaxEpollDepth) return false;
  EpollInterest interest(fd);
  EpollInterest::Entry entry;
  while (interest.Next(entry)) {
    // One-shot, and it has had its shot.
    if (entry.events == 0) continue;
    // The number may mean another file by now, and the old one still be open.
    struct stat status;
    if (fstat(entry.fd, &status) != 0 ||
        (entry.inode != 0 && entry.inode != status.st_ino)) {
      return false;
    }
    if (!Add(entry.fd, entry.events, depth + 1)) return false;
  }
  return interest.complete();
}

void Awaited::AddTimers() {
  itimerval left;
  if (getitimer(ITIMER_REAL, &left) == 0) {
    AddTimer(left.it_value.tv_sec * kSecond + left.it_value.tv_usec * 1000);
  }
}

void Awaited::AddTimer(int64_t left) {
  if (left == 0) return;  // it does not run
  if (next_timer_ == kForever || left < next_timer_) next_timer_ = left;
}

bool Awaited::Append(int fd, int64_t received) {
  if (count_ == kMaxAwaited) return false;
  fds_[count_] = fd;
  received_[count_] = received;
  count_++;
  return true;
}

}  // namespace stubdomain
