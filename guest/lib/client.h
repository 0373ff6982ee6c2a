// A program's side of the agent's protocol, for the library and stubctl.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_LIB_CLIENT_H_
#define STUBDOMAIN_GUEST_LIB_CLIENT_H_

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>

#include "protocol/messages.h"
#include "protocol/unique_fd.h"

namespace stubdomain {

// The agent cannot be reached, or went away.
class NoAgent : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// STUBDOMAIN_AGENT_SOCKET, or the default.
std::string AgentSocket();

// A connection to the agent, with one request at a time.
class Client {
 public:
  // Throws NoAgent.
  explicit Client(const std::string& path);
  // Takes over a connection that Release() gave away.
  explicit Client(UniqueFd socket) : socket_(std::move(socket)) {}

  // `fds` go along. Throws NoAgent, and std::system_error for one that cannot
  // be passed.
  void Send(const Request& request, std::span<const int> fds = {});
  // The next answer; nothing if there is none yet. Throws NoAgent, JsonError,
  // and as RequestError what the agent answered with.
  // `socket`: where the descriptor goes that came along, if any.
  std::optional<Answer> TryReceive(UniqueFd* socket = nullptr);
  // The same, but waits for it. Signals do not end that.
  Answer Receive(UniqueFd* socket = nullptr);

  // How a wait that was sent with `fds` ends. Throws as above.
  Ended ReceiveEnd(std::span<const int> fds);

  int fd() const { return socket_.get(); }
  UniqueFd Release() { return std::move(socket_); }

 private:
  UniqueFd socket_;
};

// Takes back the wait of a connection, of which another thread may wait for the
// end. Throws std::system_error if it is no connection.
void SendCancel(int connection);

// The machine is not suspended by a wait while the connection is open. Throws
// as Client does, and JsonError.
Client Inhibit(const std::string& path);

// Throws as Client does, and JsonError.
nlohmann::json QueryStatus(const std::string& path);

// Whether the host would take the plan. Throws as Client does, and JsonError.
void CheckPlan(const std::string& path, const nlohmann::json& plan);

// What was decided about suspends, the oldest first. Throws as before.
nlohmann::json QueryHistory(const std::string& path);

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_LIB_CLIENT_H_
