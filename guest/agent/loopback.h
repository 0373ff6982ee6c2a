// A TCP connection over loopback, for tests.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_LOOPBACK_H_
#define STUBDOMAIN_GUEST_AGENT_LOOPBACK_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include "protocol/endpoint.h"
#include "protocol/unique_fd.h"

namespace stubdomain {

// `guest` is the connecting end. Throws if the machine has no such loopback.
class Loopback {
 public:
  enum class Kind { kIpv4, kIpv6, kIpv4WithinIpv6 };

  explicit Loopback(Kind kind = Kind::kIpv4) {
    const int family = kind == Kind::kIpv4 ? AF_INET : AF_INET6;
    const UniqueFd listener(socket(family, SOCK_STREAM, 0));
    guest_ = UniqueFd(socket(family, SOCK_STREAM, 0));
    sockaddr_storage address{};
    socklen_t length = MakeAddress(kind, address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener.get(), generic, length) != 0 ||
        listen(listener.get(), 1) != 0 ||
        getsockname(listener.get(), generic, &length) != 0 ||
        connect(guest_.get(), generic, length) != 0) {
      throw std::runtime_error("no loopback");
    }
    peer_ = UniqueFd(accept(listener.get(), nullptr, nullptr));
  }

  int guest() const { return guest_.get(); }
  int peer() const { return peer_.get(); }

  Flow flow() const {
    return {.guest = NameOf(guest_.get(), getsockname),
            .peer = *NameOf(guest_.get(), getpeername)};
  }

  // From the peer; returns once the guest can read it.
  void Reply(std::string_view data) {
    if (send(peer_.get(), data.data(), data.size(), 0) !=
        static_cast<ssize_t>(data.size())) {
      throw std::runtime_error("send");
    }
    AwaitGuest(POLLIN);
  }

  std::string Read(size_t length) {
    std::string data(length, '\0');
    data.resize(recv(guest_.get(), data.data(), length, 0));
    return data;
  }

  void ClosePeer() {
    peer_.Reset();
    AwaitGuest(POLLRDHUP);
  }

  void ResetByPeer() {
    const linger now{1, 0};
    setsockopt(peer_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    peer_.Reset();
    AwaitGuest(POLLERR);
  }

 private:
  static socklen_t MakeAddress(Kind kind, sockaddr_storage& address) {
    if (kind == Kind::kIpv4) {
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      std::memcpy(&address, &v4, sizeof(v4));
      return sizeof(v4);
    }
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    inet_pton(AF_INET6, kind == Kind::kIpv6 ? "::1" : "::ffff:127.0.0.1",
              &v6.sin6_addr);
    std::memcpy(&address, &v6, sizeof(v6));
    return sizeof(v6);
  }

  template <typename Function>
  static std::optional<Endpoint> NameOf(int fd, Function function) {
    sockaddr_storage address{};
    socklen_t length = sizeof(address);
    function(fd, reinterpret_cast<sockaddr*>(&address), &length);
    return EndpointFrom(address);
  }

  void AwaitGuest(short events) {
    pollfd entry{guest_.get(), events, 0};
    poll(&entry, 1, -1);
  }

  UniqueFd guest_;
  UniqueFd peer_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_LOOPBACK_H_
