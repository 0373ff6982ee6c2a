// The agent's Unix socket and its loop.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_SERVER_H_
#define STUBDOMAIN_GUEST_AGENT_SERVER_H_

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "protocol/unique_fd.h"

namespace stubdomain {

// Connections at a time, and of these for one user other than root. Who comes
// beyond is answered with Reason::kBusy.
inline constexpr size_t kMaxClients = 256;
inline constexpr size_t kMaxClientsPerUser = 64;

class Server {
 public:
  // Listens at `path`, and makes its directory. Any user may connect: what a
  // user may wait for is decided per wait. Throws std::system_error.
  explicit Server(const std::string& path);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Sends an answer; for Agent::Environment.
  void SendAnswer(Agent::ClientId client, const Answer& answer, bool last,
                  int fd);

  // Something else to wait for in the loop.
  struct Watch {
    int fd;  // may be -1
    std::function<void()> on_readable;
  };
  // Serves until Stop(). `on_tick` runs after every `interval_ms` at the
  // latest; -1: never.
  void Run(Agent& agent, const std::vector<Watch>& watches, int interval_ms,
           const std::function<void()>& on_tick);
  void Stop() { running_ = false; }

 private:
  struct Client {
    UniqueFd socket;
    Agent::Caller caller;
    bool hung_up = false;  // by us: closed at the end of the round
  };

  void Accept();
  void Serve(Agent& agent, Agent::ClientId id, Client& client);
  void RemoveHungUp(Agent& agent);

  const std::string path_;
  UniqueFd listener_;
  std::map<Agent::ClientId, Client> clients_;
  Agent::ClientId next_id_ = 1;
  bool running_ = true;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_SERVER_H_
