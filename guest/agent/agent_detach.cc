// What the agent does: connections that wait without a socket.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <exception>
#include <string>
#include <utility>

#include "agent/agent.h"
#include "agent/log.h"
#include "protocol/json_reader.h"

namespace stubdomain {

using nlohmann::json;

void Agent::DetachAndWait(ClientId client, uid_t uid,
                          const WaitRequest& request, json message,
                          int socket) {
  const json flow = message.at("flow");
  SocketInRepair repair(socket);
  mailbox_.Call({{"op", "detach"}, {"flow", flow}});
  try {
    // Looked at now: nothing more comes to it.
    Detached detached{repair.Look(), flow, uid, forgotten_.Of(socket)};
    Lay(client, request, {std::move(message)});
    detached_.emplace(client, std::move(detached));
    repair.Disconnect();
  } catch (const std::exception&) {
    // The socket stays as it was.
    mailbox_.Call({{"op", "reattach"}, {"flow", flow}});
    throw;
  }
}

bool Agent::BeginReturn(ClientId client, const Ended& ended) {
  auto node = detached_.extract(client);
  if (node.empty()) return false;
  returning_.push_back(
      {client, ended, std::move(node.mapped()), environment_.now() + kMaxBusy});
  return true;
}

void Agent::GiveBack() {
  for (auto it = returning_.begin(); it != returning_.end();) {
    try {
      const UniqueFd socket = Reattach(it->detached);
      environment_.answer(it->client, it->ended, true, socket.get());
    } catch (const RequestError& error) {
      if (error.reason() == Reason::kBusy && environment_.now() < it->give_up) {
        ++it;
        continue;
      }
      Log(std::string("a connection gets no socket: ") + error.what());
      environment_.answer(it->client, error, true, -1);
    }
    it = returning_.erase(it);
  }
}

UniqueFd Agent::Reattach(const Detached& detached) {
  json request = {{"op", "parameters"}, {"flow", detached.flow}};
  const json response = mailbox_.Call(request);
  UniqueFd socket;
  try {
    JsonReader reader(response, "");
    const json* object = reader.Object("parameters");
    if (object == nullptr) reader.Missing("parameters");
    socket = RecreateSocket(detached.socket, ParametersFromJson(*object),
                            detached.owner);
  } catch (const JsonError& error) {
    throw RequestError(Reason::kDevice,
                       std::string("the device's response: ") + error.what());
  }
  request["op"] = "reattach";
  mailbox_.Call(request);
  LeaveRepair(socket.get());
  forgotten_.Remember(socket.get(), detached.forgotten +
                                        detached.socket.received -
                                        detached.socket.unread.size());
  return socket;
}

}  // namespace stubdomain
