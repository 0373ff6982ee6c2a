// The agent's Unix socket and its loop.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "protocol/packet.h"

namespace stubdomain {
namespace {

constexpr int kBacklog = 64;

[[noreturn]] void Throw(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

UniqueFd Listen(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    errno = ENAMETOOLONG;
    Throw(path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  std::filesystem::create_directories(
      std::filesystem::path(path).parent_path());
  // Left by an agent that was killed. A living one cannot be there: it would
  // hold the device's lock.
  struct stat old;
  if (lstat(path.c_str(), &old) == 0 && S_ISSOCK(old.st_mode)) {
    unlink(path.c_str());
  }
  UniqueFd listener(
      socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener ||
      bind(listener.get(), reinterpret_cast<sockaddr*>(&address),
           sizeof(address)) != 0 ||
      chmod(path.c_str(), 0666) != 0 || listen(listener.get(), kBacklog) != 0) {
    Throw(path);
  }
  return listener;
}

}  // namespace

Server::Server(const std::string& path)
    : path_(path), listener_(Listen(path)) {}

Server::~Server() { unlink(path_.c_str()); }

void Server::SendAnswer(Agent::ClientId id, const Answer& answer, bool last,
                        int fd) {
  const auto found = clients_.find(id);
  if (found == clients_.end() || found->second.hung_up) return;
  Client& client = found->second;
  // A client that lets its answers pile up loses its connection.
  const std::span fds(&fd, fd >= 0 ? 1 : 0);
  if (SendPacket(client.socket.get(), Encode(answer), fds) != 0 || last) {
    client.hung_up = true;
  }
}

void Server::Accept() {
  UniqueFd socket(
      accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) return;
  ucred peer{};
  socklen_t length = sizeof(peer);
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
    return;
  }
  const auto same_user = std::count_if(
      clients_.begin(), clients_.end(),
      [&](const auto& entry) { return entry.second.caller.uid == peer.uid; });
  if (clients_.size() >= kMaxClients ||
      (peer.uid != 0 && static_cast<size_t>(same_user) >= kMaxClientsPerUser)) {
    SendPacket(
        socket.get(),
        Encode(RequestError(Reason::kBusy, "too many programs wait already")));
    return;
  }
  clients_.emplace(next_id_++, Client{std::move(socket), {peer.uid, peer.pid}});
}

void Server::Serve(Agent& agent, Agent::ClientId id, Client& client) {
  Packet packet;
  switch (ReceivePacket(client.socket.get(), kMaxRequest, packet)) {
    case Received::kPacket:
      agent.OnRequest(id, client.caller, packet);
      break;
    case Received::kNothing:
      break;
    case Received::kEnd:
      client.hung_up = true;
      break;
  }
}

void Server::RemoveHungUp(Agent& agent) {
  for (auto it = clients_.begin(); it != clients_.end();) {
    if (it->second.hung_up) {
      agent.OnGone(it->first);
      it = clients_.erase(it);
    } else {
      ++it;
    }
  }
}

void Server::Run(Agent& agent, const std::vector<Watch>& watches,
                 int interval_ms, const std::function<void()>& on_tick) {
  while (running_) {
    std::vector<pollfd> entries;
    for (const Watch& watch : watches) {
      entries.push_back({watch.fd, POLLIN, 0});
    }
    entries.push_back({listener_.get(), POLLIN, 0});
    std::vector<Agent::ClientId> ids;
    for (const auto& [id, client] : clients_) {
      entries.push_back({client.socket.get(), POLLIN, 0});
      ids.push_back(id);
    }
    int limit = interval_ms;
    const auto limit_to = [&limit](int ms) {
      if (limit < 0 || ms < limit) limit = ms;
    };
    if (agent.giving_back()) limit_to(kBusyIntervalMs);
    if (agent.watching()) limit_to(static_cast<int>(kLook.count()));
    const int ready = poll(entries.data(), entries.size(), limit);
    if (ready < 0 && errno != EINTR) Throw("poll");
    if (ready > 0) {
      size_t i = 0;
      for (const Watch& watch : watches) {
        if (entries[i++].revents) watch.on_readable();
      }
      if (entries[i++].revents) Accept();
      for (const Agent::ClientId id : ids) {
        Client& client = clients_.at(id);
        if (entries[i++].revents && !client.hung_up) Serve(agent, id, client);
      }
    }
    if (interval_ms >= 0) on_tick();
    agent.GiveBack();
    agent.Look();
    RemoveHungUp(agent);
  }
}

}  // namespace stubdomain
