// Runs the tests of stubrun's calls in a network of their own, where two
// addresses are not the guest's own loopback.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "protocol/unique_fd.h"
#include "stubrun/network_for_test.h"

namespace stubdomain {
namespace {

void SetAddress(int fd, const char* name, in_addr_t address) {
  ifreq request{};
  std::strcpy(request.ifr_name, name);
  auto& value = reinterpret_cast<sockaddr_in&>(request.ifr_addr);
  value.sin_family = AF_INET;
  value.sin_addr.s_addr = htonl(address);
  ioctl(fd, SIOCSIFADDR, &request);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  ioctl(fd, SIOCSIFFLAGS, &request);
}

// Users other than root need a user namespace for it, if they may have one.
void EnterNetwork() {
  if (unshare(CLONE_NEWNET) != 0 &&
      unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    return;
  }
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM, 0));
  SetAddress(fd.get(), "lo", INADDR_LOOPBACK);
  SetAddress(fd.get(), "lo:1", kGuestAddress);
  SetAddress(fd.get(), "lo:2", kPeerAddress);
  has_network = true;
}

}  // namespace

bool has_network = false;

}  // namespace stubdomain

int main(int argc, char** argv) {
  // stubrun's library reads it once, at the start.
  if (getenv("STUBDOMAIN_AGENT_SOCKET") == nullptr) {
    std::string name = testing::TempDir() + "stubrun-XXXXXX";
    setenv("STUBDOMAIN_AGENT_SOCKET",
           (std::string(mkdtemp(name.data())) + "/agent.sock").c_str(), 1);
    execv("/proc/self/exe", argv);
    return 1;
  }
  stubdomain::EnterNetwork();
  testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  std::filesystem::remove_all(
      std::filesystem::path(getenv("STUBDOMAIN_AGENT_SOCKET")).parent_path());
  return result;
}
