// Connections that do not look like the guest's own loopback, for tests, and
// the agent that hears of their waits.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_STUBRUN_NETWORK_FOR_TEST_H_
#define STUBDOMAIN_GUEST_STUBRUN_NETWORK_FOR_TEST_H_

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdlib>
#include <string_view>

#include "agent/serving_agent.h"
#include "protocol/unique_fd.h"

namespace stubdomain {

// Whether there is a network with these addresses.
extern bool has_network;
inline constexpr in_addr_t kGuestAddress = 0xc0000202;  // 192.0.2.2
inline constexpr in_addr_t kPeerAddress = 0xc0000201;

inline sockaddr_in NameOf(in_addr_t address, uint16_t port = 0) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(address);
  name.sin_port = htons(port);
  return name;
}

// A socket of the address; listens if `type` is SOCK_STREAM and `listens`.
inline UniqueFd SocketAt(in_addr_t address, int type, bool listens,
                         sockaddr_in* bound = nullptr) {
  UniqueFd fd(socket(AF_INET, type | SOCK_CLOEXEC, 0));
  sockaddr_in name = NameOf(address);
  socklen_t length = sizeof(name);
  EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&name), length), 0);
  EXPECT_EQ(listens ? listen(fd.get(), 8) : 0, 0);
  if (bound) {
    getsockname(fd.get(), reinterpret_cast<sockaddr*>(bound), &length);
  }
  return fd;
}

inline void Connect(int fd, const sockaddr_in& name) {
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)),
            0);
}

// A connection; blocks, as sockets do at first.
struct Connection {
  explicit Connection(in_addr_t peer_address = kPeerAddress,
                      in_addr_t guest_address = kGuestAddress) {
    sockaddr_in name;
    const UniqueFd listener = SocketAt(peer_address, SOCK_STREAM, true, &name);
    guest = SocketAt(guest_address, SOCK_STREAM, false);
    Connect(guest.get(), name);
    peer = UniqueFd(accept(listener.get(), nullptr, nullptr));
  }
  void Reply(std::string_view data) {
    EXPECT_EQ(send(peer.get(), data.data(), data.size(), 0),
              static_cast<ssize_t>(data.size()));
  }

  UniqueFd guest;
  UniqueFd peer;
};

class StubrunTest : public testing::Test, public ServingAgent {
 protected:
  StubrunTest() : ServingAgent(getenv("STUBDOMAIN_AGENT_SOCKET")) {
    StartAgent();
  }
  void SetUp() override {
    if (!has_network) GTEST_SKIP() << "needs a network namespace";
  }

  // The requests for a wait so far.
  std::vector<nlohmann::json> Waits() {
    std::vector<nlohmann::json> waits;
    for (const auto& request : device_.Requests()) {
      if (request.at("op") == "wait") waits.push_back(request);
    }
    return waits;
  }
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_STUBRUN_NETWORK_FOR_TEST_H_
