// A program's side of the agent's protocol.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "lib/client.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>
#include <vector>

#include "protocol/json_reader.h"
#include "protocol/packet.h"

namespace stubdomain {
namespace {

int SocketOption(int fd, int option) {
  int value = 0;
  socklen_t length = sizeof(value);
  return getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : 0;
}

// Whether the kernel counts what the socket has received: TCP connections.
bool IsCounted(int fd) {
  return SocketOption(fd, SO_TYPE) != SOCK_DGRAM &&
         SocketOption(fd, SO_ACCEPTCONN) == 0;
}

uint64_t ReadableBytes(int fd) {
  int bytes = 0;
  if (ioctl(fd, FIONREAD, &bytes) != 0 || bytes < 0) return 0;
  return static_cast<uint64_t>(bytes);
}

void SendTo(int connection, const Request& request, std::span<const int> fds) {
  const int error = SendPacket(connection, Encode(request), fds);
  if (error == 0) return;
  // An agent that is too busy, or done with the wait, has answered so and hung
  // up.
  if (error == EPIPE || error == ECONNRESET) return;
  throw std::system_error(error, std::generic_category(),
                          "sending to the agent");
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

void Client::Send(const Request& request, std::span<const int> fds) {
  SendTo(socket_.get(), request, fds);
}

void SendCancel(int connection) { SendTo(connection, CancelRequest(), {}); }

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
  if (socket != nullptr && !packet.fds.empty()) {
    *socket = std::move(packet.fds.front());
  }
  return answer;
}

Answer Client::Receive(UniqueFd* socket) {
  while (true) {
    pollfd entry{socket_.get(), POLLIN, 0};
    poll(&entry, 1, -1);
    if (auto answer = TryReceive(socket)) return *answer;
  }
}

Ended Client::ReceiveEnd(std::span<const int> fds) {
  // The kernel counts neither datagrams nor new connections, so one that came
  // right before the wait was laid is only seen here.
  std::vector<pollfd> entries = {{socket_.get(), POLLIN, 0}};
  for (const int fd : fds) {
    entries.push_back({IsCounted(fd) ? -1 : fd, POLLIN, 0});
  }
  while (true) {
    poll(entries.data(), entries.size(), -1);
    if (const auto answer = TryReceive()) {
      if (const auto* ended = std::get_if<Ended>(&*answer)) return *ended;
      continue;
    }
    for (size_t i = 1; i < entries.size(); i++) {
      if (entries[i].revents == 0) continue;
      const bool failed = (entries[i].revents & POLLERR) != 0;
      Ended ended{std::nullopt, failed ? Outcome::kReset : Outcome::kReplied,
                  failed ? 0 : ReadableBytes(entries[i].fd)};
      if (fds.size() > 1) ended.socket = i - 1;
      return ended;
    }
  }
}

Client Inhibit(const std::string& path) {
  Client client(path);
  client.Send(InhibitRequest());
  if (!std::holds_alternative<Inhibited>(client.Receive())) {
    throw JsonError("the agent did not say that it inhibits suspends");
  }
  return client;
}

nlohmann::json QueryStatus(const std::string& path) {
  Client client(path);
  client.Send(StatusRequest());
  const Answer answer = client.Receive();
  const auto* status = std::get_if<Status>(&answer);
  if (status == nullptr) throw JsonError("the agent answered no status");
  return status->status;
}

void CheckPlan(const std::string& path, const nlohmann::json& plan) {
  Client client(path);
  client.Send(CheckRequest{plan});
  if (!std::holds_alternative<Checked>(client.Receive())) {
    throw JsonError("the agent did not say what is of the plan");
  }
}

nlohmann::json QueryHistory(const std::string& path) {
  Client client(path);
  client.Send(HistoryRequest());
  const Answer answer = client.Receive();
  const auto* history = std::get_if<History>(&answer);
  if (history == nullptr) throw JsonError("the agent answered no history");
  return history->decisions;
}

}  // namespace stubdomain
