// A program's side of the agent's protocol.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/client.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "protocol/json_reader.h"
#include "protocol/packet.h"

namespace stubdomain {
namespace {

bool HasDatagrams(int fd) {
  int type = 0;
  socklen_t length = sizeof(type);
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 &&
         type == SOCK_DGRAM;
}

uint64_t DatagramLength(int fd) {
  int bytes = 0;
  if (ioctl(fd, FIONREAD, &bytes) != 0 || bytes < 0) return 0;
  return static_cast<uint64_t>(bytes);
}

}  // namespace

std::string AgentSocket() {
  const char* path = secure_getenv("STUBDOMAIN_AGENT_SOCKET");
  return path != nullptr ? path : kDefaultSocket;
}

Client::Client(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    throw NoAgent(path + ": the path is too long for a socket");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  socket_ = UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  int result;
  do {
    result = connect(socket_.get(), reinterpret_cast<sockaddr*>(&address),
                     sizeof(address));
  } while (result != 0 && errno == EINTR);
  if (result != 0) {
    throw NoAgent("no agent at " + path + ": " + std::strerror(errno));
  }
}

void Client::Send(const Request& request, int fd) {
  const int error = SendPacket(socket_.get(), Encode(request), fd);
  if (error == 0) return;
  // An agent that is too busy has answered so, and hung up.
  if (error == EPIPE || error == ECONNRESET) return;
  throw std::system_error(error, std::generic_category(),
                          "sending to the agent");
}

std::optional<Answer> Client::TryReceive(UniqueFd* socket) {
  pollfd entry{socket_.get(), POLLIN, 0};
  if (poll(&entry, 1, 0) <= 0) return std::nullopt;
  Packet packet;
  if (ReceivePacket(socket_.get(), kMaxAnswer, packet) != Received::kPacket) {
    throw NoAgent("the agent went away");
  }
  if (packet.truncated) throw JsonError("the agent's answer is too long");
  Answer answer = ParseAnswer(packet.data);
  if (const auto* error = std::get_if<RequestError>(&answer)) throw *error;
  if (socket != nullptr && packet.fd) *socket = std::move(packet.fd);
  return answer;
}

Answer Client::Receive(UniqueFd* socket) {
  while (true) {
    pollfd entry{socket_.get(), POLLIN, 0};
    poll(&entry, 1, -1);
    if (auto answer = TryReceive(socket)) return *answer;
  }
}

Ended Client::ReceiveEnd(int fd) {
  // The kernel counts no datagrams, so one that came right before the wait
  // was laid is only seen here.
  const bool datagrams = fd >= 0 && HasDatagrams(fd);
  while (true) {
    std::array<pollfd, 2> entries = {
        {{socket_.get(), POLLIN, 0}, {datagrams ? fd : -1, POLLIN, 0}}};
    poll(entries.data(), entries.size(), -1);
    if (const auto answer = TryReceive()) {
      if (const auto* ended = std::get_if<Ended>(&*answer)) return *ended;
    } else if (entries[1].revents & POLLERR) {
      return {std::nullopt, Outcome::kReset, 0};
    } else if (entries[1].revents & POLLIN) {
      return {std::nullopt, Outcome::kReplied, DatagramLength(fd)};
    }
  }
}

nlohmann::json QueryStatus(const std::string& path) {
  Client client(path);
  client.Send(StatusRequest(), -1);
  const Answer answer = client.Receive();
  const auto* status = std::get_if<Status>(&answer);
  if (status == nullptr) throw JsonError("the agent answered no status");
  return status->status;
}

}  // namespace stubdomain
