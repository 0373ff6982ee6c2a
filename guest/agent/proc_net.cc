// TCP sockets of the guest by address, from /proc/net/tcp and tcp6.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/proc_net.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace stubdomain {
namespace {

constexpr char kEstablished[] = "01";

// "0F02000A:01BB", with an IPv6 address as four such words. Each word is the
// address's bytes in network order, printed as a number of the machine.
std::optional<Endpoint> ParseHexEndpoint(const std::string& text) {
  const size_t colon = text.find(':');
  if (colon != 8 && colon != 32) return std::nullopt;
  uint32_t words[4];
  for (size_t i = 0; i < colon / 8; i++) {
    const std::string digits = text.substr(i * 8, 8);
    words[i] = static_cast<uint32_t>(std::strtoul(digits.c_str(), nullptr, 16));
  }
  const auto port = static_cast<uint16_t>(
      std::strtoul(text.c_str() + colon + 1, nullptr, 16));
  if (colon == 8) {
    in_addr address;
    std::memcpy(&address, words, sizeof(address));
    return EndpointFrom(address, port);
  }
  in6_addr address;
  std::memcpy(&address, words, sizeof(address));
  return EndpointFrom(address, port);
}

std::optional<SocketEntry> FindInFile(const std::string& path,
                                      const Endpoint& guest,
                                      const Endpoint& peer) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);  // the heading
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string number, local, remote, state, queues, timer, retransmits;
    uid_t owner;
    if (!(fields >> number >> local >> remote >> state >> queues >> timer >>
          retransmits >> owner)) {
      continue;
    }
    if (state != kEstablished || ParseHexEndpoint(local) != guest ||
        ParseHexEndpoint(remote) != peer) {
      continue;
    }
    // "transmit:receive"
    const size_t colon = queues.find(':');
    const uint64_t readable =
        colon == queues.npos
            ? 0
            : std::strtoull(queues.c_str() + colon + 1, nullptr, 16);
    return SocketEntry{owner, readable};
  }
  return std::nullopt;
}

}  // namespace

std::optional<SocketEntry> FindSocket(const Endpoint& guest,
                                      const Endpoint& peer,
                                      const std::string& directory) {
  // An IPv4 connection of an IPv6 socket is in tcp6.
  if (auto entry = FindInFile(directory + "/tcp", guest, peer)) return entry;
  return FindInFile(directory + "/tcp6", guest, peer);
}

}  // namespace stubdomain
