// What the agent does.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/agent.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <variant>

#include "agent/log.h"
#include "agent/program_socket.h"
#include "hw/stubdomain/regs.h"
#include "protocol/json_reader.h"

namespace stubdomain {

using nlohmann::json;

namespace {

constexpr uint32_t kInterrupts =
    STUBDOMAIN_INT_RESTORED | STUBDOMAIN_INT_ENDED | STUBDOMAIN_INT_SUSPENDING;
// Rounds of "status" and "cancel" at the start: the device shows its open
// waits in pages, and has no more than a few of them.
constexpr int kMaxLeftoverRounds = 64;

// The only member of the plan that the agent must understand; whatever else is
// in it is the device's to judge.
uint64_t WantedBytes(const json& plan) {
  return JsonReader(plan, "plan").Number("bytes", 1, UINT64_MAX).value_or(1);
}

// Of a set, an error says which socket it is about.
template <typename Body>
auto WithPlace(size_t count, size_t index, const Body& body) {
  try {
    return body();
  } catch (const RequestError& error) {
    if (count <= 1) throw;
    throw RequestError(error.reason(),
                       "socket " + std::to_string(index) + ": " + error.what());
  }
}

}  // namespace

Agent::Agent(Device& device, WallClock& clock, Environment environment)
    : device_(device),
      clock_(clock),
      mailbox_(device),
      environment_(std::move(environment)),
      program_threads_({.list = environment_.list_threads,
                        .enlist =
                            [this](const std::string& name) {
                              try {
                                return Enlist(name);
                              } catch (const RequestError& error) {
                                Log(std::string("registering a thread: ") +
                                    error.what());
                                return 0u;
                              }
                            },
                        .leave =
                            [this](uint32_t number) {
                              Undo({{"op", "leave"}, {"thread", number}});
                            },
                        .now = environment_.now}) {}

void Agent::Start() {
  json hello = {{"op", "hello"}};
  if (environment_.prepares) hello["prepare"] = true;
  mailbox_.Call(hello);
  CancelLeftovers();
  device_.Write(STUBDOMAIN_REG_INT_ENABLE, kInterrupts);
  // A restore may have happened while no agent was there.
  OnInterrupt();
}

void Agent::Stop() {
  device_.Write(STUBDOMAIN_REG_INT_ENABLE, 0);
  buffers_.clear();
  for (const auto& [stub, client] : clients_) {
    Cancel(stub);
    BeginReturn(client, Ended{stub, Outcome::kCancelled, 0});
  }
  clients_.clear();
  stubs_.clear();
  GiveBack();
  try {
    mailbox_.Call({{"op", "bye"}});
  } catch (const RequestError& error) {
    Log(std::string("saying bye to the device: ") + error.what());
  }
}

void Agent::CancelLeftovers() {
  for (int round = 0; round < kMaxLeftoverRounds; round++) {
    const json status = mailbox_.Call({{"op", "status"}});
    const json* stubs = JsonReader(status, "").Array("stubs");
    if (stubs == nullptr) return;
    bool found = false;
    for (const json& item : *stubs) {
      JsonReader reader(item, "stubs");
      const auto stub = reader.Number("stub", 0, UINT32_MAX);
      if (!stub || reader.String("owner") != "guest") continue;
      Cancel(static_cast<uint32_t>(*stub));
      found = true;
    }
    if (!found) return;
  }
}

void Agent::Cancel(uint32_t stub) {
  // Refused: the wait ended by itself just now.
  Undo({{"op", "cancel"}, {"stub", stub}});
}

void Agent::Undo(const json& request) {
  try {
    mailbox_.Call(request);
  } catch (const RequestError& error) {
    if (error.reason() != Reason::kRefused) {
      Log(request.dump() + ": " + error.what());
    }
  }
}

void Agent::Register(ClientId client, uid_t uid,
                     const RegisterRequest& request) {
  if (threads_.contains(client)) {
    throw RequestError(Reason::kInvalid, "one thread per connection");
  }
  const uint32_t number = Enlist(request.name);
  threads_.emplace(client, Thread{number, uid, request.name});
  environment_.answer(client, Registered{number}, false, -1);
}

uint32_t Agent::Enlist(const std::string& name) {
  json message = {{"op", "register"}};
  if (!name.empty()) message["name"] = name;
  const json response = mailbox_.Call(message);
  const auto thread = JsonReader(response, "").Number("thread", 1, UINT32_MAX);
  if (!thread) {
    throw RequestError(Reason::kDevice, "the device named no thread");
  }
  return static_cast<uint32_t>(*thread);
}

void Agent::EndThreadsWait(ClientId client) {
  const auto node = waiting_threads_.extract(client);
  if (!node.empty()) program_threads_.EndWait(node.mapped());
}

void Agent::CheckThread(uid_t uid, uint32_t thread) const {
  const bool known =
      std::any_of(threads_.begin(), threads_.end(), [&](const auto& entry) {
        return entry.second.number == thread &&
               (uid == 0 || entry.second.owner == uid);
      });
  if (!known) {
    throw RequestError(Reason::kDenied,
                       "'thread': no thread of yours is registered so");
  }
}

void Agent::Inhibit(ClientId client) {
  if (inhibitors_.contains(client)) {
    throw RequestError(Reason::kInvalid, "one inhibit per connection");
  }
  mailbox_.Call({{"op", "inhibit"}});
  inhibitors_.insert(client);
  environment_.answer(client, Inhibited(), false, -1);
}

void Agent::OnRequest(ClientId client, const Caller& caller,
                      const Packet& packet) {
  const uid_t uid = caller.uid;
  try {
    if (packet.truncated) {
      throw RequestError(Reason::kInvalid, "the message is longer than " +
                                               std::to_string(kMaxRequest) +
                                               " bytes");
    }
    if (packet.surplus) {
      throw RequestError(Reason::kInvalid, "more than " +
                                               std::to_string(kMaxDescriptors) +
                                               " descriptors came along");
    }
    const Request request = ParseRequest(packet.data);
    if (const auto* wait = std::get_if<WaitRequest>(&request)) {
      Wait(client, caller, *wait, packet.fds);
    } else if (const auto* listen = std::get_if<ListenRequest>(&request)) {
      Listen(client, uid, *listen);
    } else if (std::holds_alternative<CancelRequest>(request)) {
      CancelWait(client);
    } else if (const auto* thread = std::get_if<RegisterRequest>(&request)) {
      Register(client, uid, *thread);
    } else if (std::holds_alternative<InhibitRequest>(request)) {
      Inhibit(client);
    } else if (const auto* check = std::get_if<CheckRequest>(&request)) {
      mailbox_.Call({{"op", "check"}, {"plan", check->plan}});
      environment_.answer(client, Checked(), false, -1);
    } else if (std::holds_alternative<HistoryRequest>(request)) {
      SendHistory(client);
    } else {
      SendStatus(client);
    }
  } catch (const JsonError& error) {
    environment_.answer(client, RequestError(Reason::kInvalid, error.what()),
                        true, -1);
  } catch (const RequestError& error) {
    environment_.answer(client, error, true, -1);
  }
}

void Agent::Wait(ClientId client, const Caller& caller,
                 const WaitRequest& request,
                 std::span<const UniqueFd> sockets) {
  const uid_t uid = caller.uid;
  int memory = -1;
  if (request.buffer != 0) {
    if (sockets.size() != 2 || request.detach) {
      throw RequestError(Reason::kInvalid,
                         "'buffer': expected one socket, and then its memory");
    }
    memory = sockets.back().get();
    sockets = sockets.first(1);
  }
  if (sockets.empty() != request.flow.has_value()) {
    throw RequestError(Reason::kInvalid,
                       "a wait names its connection by a socket that comes "
                       "along, or by 'flow'");
  }
  if (request.detach && sockets.size() != 1) {
    throw RequestError(Reason::kInvalid, "'detach' is for one socket");
  }
  if (!request.received.empty() && request.received.size() != sockets.size()) {
    throw RequestError(Reason::kInvalid,
                       "'received': expected one for each socket");
  }
  if (request.thread != 0 && request.tid != 0) {
    throw RequestError(Reason::kInvalid,
                       "'tid': not for a thread that registered");
  }
  if (request.thread != 0) CheckThread(uid, request.thread);
  const uint64_t wanted = WantedBytes(request.plan);
  std::vector<json> messages;
  for (size_t i = 0; i < std::max<size_t>(sockets.size(), 1); i++) {
    auto probe = WithPlace(sockets.size(), i, [&] {
      return sockets.empty()
                 ? ProbeFlow(uid, request)
                 : Probe(sockets[i].get(), wanted,
                         request.received.empty() ? std::nullopt
                                                  : request.received[i]);
    });
    if (auto* ended = std::get_if<Ended>(&probe)) {
      if (sockets.size() > 1) ended->socket = i;
      environment_.answer(client, *ended, true, -1);
      return;
    }
    json& message = std::get<json>(probe);
    if (request.thread != 0) message["thread"] = request.thread;
    if (request.importance != 0) message["importance"] = request.importance;
    if (request.elapsed_ms != 0) message["elapsed"] = request.elapsed_ms;
    if (!request.depth.empty()) message["depth"] = request.depth;
    if (request.evict_delay_ms) {
      message["evict-delay"] = *request.evict_delay_ms;
    }
    if (request.expected_ms != 0) message["expected"] = request.expected_ms;
    if (!request.request_class.empty()) {
      message["class"] = request.request_class;
    }
    messages.push_back(std::move(message));
  }
  if (request.buffer != 0) {
    OfferBuffer(client, request.buffer, memory, messages.front());
  }
  if (request.detach) {
    DetachAndWait(client, uid, request, std::move(messages.front()),
                  sockets.front().get());
    return;
  }
  if (request.tid == 0 || stubs_.contains(client)) {
    Lay(client, request, std::move(messages));
    return;
  }
  const uint32_t thread = program_threads_.BeginWait(
      caller.pid, static_cast<pid_t>(request.tid), &waiting_threads_[client]);
  if (thread != 0) {
    for (json& message : messages) message["thread"] = thread;
  }
  try {
    Lay(client, request, std::move(messages));
  } catch (const RequestError&) {
    EndThreadsWait(client);
    throw;
  }
}

std::variant<json, Ended> Agent::ProbeFlow(uid_t uid,
                                           const WaitRequest& request) {
  std::optional<SocketEntry> entry;
  if (request.flow->guest && !request.flow->udp) {
    entry = environment_.find_socket(*request.flow->guest, request.flow->peer);
  }
  // Only root may wait for connections that are not its own: how many bytes
  // come, and when, is a secret of the program that has the connection.
  if (uid != 0 && (!entry || entry->owner != uid)) {
    throw RequestError(Reason::kDenied,
                       "no established connection of yours has these "
                       "addresses; pass its socket instead");
  }
  if (entry && entry->readable >= WantedBytes(request.plan)) {
    return Ended{std::nullopt, Outcome::kReplied, entry->readable};
  }
  return json{{"flow", FlowToJson(*request.flow)}};
}

std::variant<json, Ended> Agent::Probe(int socket, uint64_t wanted,
                                       std::optional<uint64_t> received) {
  const auto probe = ProbeSocket(socket, wanted, received);
  if (const auto* ended = std::get_if<Ended>(&probe)) return *ended;
  const auto& wait = std::get<SocketWait>(probe);
  if (wait.listening) {
    json guest = {{"port", wait.flow.guest->port}};
    if (!IsAnyAddress(wait.flow.guest->host)) {
      guest["host"] = wait.flow.guest->host;
    }
    return json{{"flow", {{"guest", guest}}}, {"accept", "hold"}};
  }
  json message = {{"flow", FlowToJson(wait.flow)}};
  if (wait.received)
    message["received"] = *wait.received + forgotten_.Of(socket);
  return message;
}

void Agent::Listen(ClientId client, uid_t uid, const ListenRequest& request) {
  // The stub domain would answer for another user's port.
  if (uid != 0) {
    throw RequestError(Reason::kDenied,
                       "only root may wait for new connections");
  }
  json message = {{"flow", {{"guest", {{"port", request.port}}}}},
                  {"accept", request.answer ? "answer" : "hold"}};
  if (request.guest_port != 0) message["guest-port"] = request.guest_port;
  Lay(client, request, {std::move(message)});
}

template <typename Request>
void Agent::Lay(ClientId client, const Request& request,
                std::vector<json> messages) {
  if (stubs_.contains(client)) {
    throw RequestError(Reason::kInvalid, "one wait per connection");
  }
  std::vector<uint32_t> laid;
  try {
    for (size_t i = 0; i < messages.size(); i++) {
      json& message = messages[i];
      message["op"] = "wait";
      message["plan"] = request.plan;
      // With the last one: a machine that sleeps lays no more.
      message["suspend"] = request.suspend && i + 1 == messages.size();
      if (request.timeout_ms != 0) message["timeout"] = request.timeout_ms;
      laid.push_back(
          WithPlace(messages.size(), i, [&] { return LayOne(message); }));
    }
  } catch (const RequestError&) {
    for (const uint32_t stub : laid) Cancel(stub);
    throw;
  }
  for (const uint32_t stub : laid) clients_[stub] = client;
  environment_.answer(client, Accepted{laid}, false, -1);
  stubs_[client] = std::move(laid);
}

uint32_t Agent::LayOne(const json& message) {
  const json response = mailbox_.Call(message);
  const auto stub = JsonReader(response, "").Number("stub", 0, UINT32_MAX);
  if (!stub) {
    throw RequestError(Reason::kDevice, "the device named no stub");
  }
  return static_cast<uint32_t>(*stub);
}

void Agent::CancelOthers(ClientId client, uint32_t ended) {
  for (const uint32_t stub : stubs_.at(client)) {
    if (stub == ended) continue;
    clients_.erase(stub);
    Cancel(stub);
  }
}

void Agent::SendStatus(ClientId client) {
  json status = mailbox_.Call({{"op", "status"}});
  status["waits"] = clients_.size();
  status["interrupts"] = environment_.interrupts;
  status["inhibits"] = inhibitors_.size();
  status["threads"] = json::array();
  const auto add = [&](uint32_t number, const std::string& name) {
    status["threads"].push_back({{"thread", number}, {"name", name}});
  };
  for (const auto& [client, thread] : threads_) add(thread.number, thread.name);
  for (const auto& [number, name] : program_threads_.Registered()) {
    add(number, name);
  }
  environment_.answer(client, Status{std::move(status)}, false, -1);
}

void Agent::SendHistory(ClientId client) {
  const json response = mailbox_.Call({{"op", "history"}});
  const json* decisions = JsonReader(response, "").Array("decisions");
  if (decisions == nullptr) {
    throw RequestError(Reason::kDevice, "the device told no decisions");
  }
  environment_.answer(client, History{*decisions}, false, -1);
}

void Agent::OnGone(ClientId client) {
  buffers_.erase(client);
  if (inhibitors_.erase(client)) Undo({{"op", "allow"}});
  if (const auto node = threads_.extract(client)) {
    Undo({{"op", "leave"}, {"thread", node.mapped().number}});
  }
  const auto stub = TakeBack(client);
  // The answer reaches nobody, and so the new socket is closed.
  if (stub && BeginReturn(client, Ended{*stub, Outcome::kCancelled, 0})) {
    GiveBack();
  }
}

void Agent::CancelWait(ClientId client) {
  const auto stub = TakeBack(client);
  if (!stub) return;  // its outcome is on the way
  const Ended ended{*stub, Outcome::kCancelled, 0};
  if (BeginReturn(client, ended)) {
    GiveBack();
  } else {
    environment_.answer(client, ended, true, -1);
  }
}

std::optional<uint32_t> Agent::TakeBack(ClientId client) {
  const auto node = stubs_.extract(client);
  if (node.empty()) return std::nullopt;
  EndThreadsWait(client);
  buffers_.erase(client);
  for (const uint32_t stub : node.mapped()) {
    clients_.erase(stub);
    Cancel(stub);
  }
  return node.mapped().front();
}

void Agent::OnInterrupt() {
  for (int round = 0; round < kMaxInterruptRounds; round++) {
    const uint32_t causes = device_.Read(STUBDOMAIN_REG_INT_STATUS);
    if ((causes & kInterrupts) == 0) return;
    device_.Write(STUBDOMAIN_REG_INT_ACK, causes);
    try {
      if (causes & STUBDOMAIN_INT_RESTORED) {
        OnRestored();
      } else if (causes & STUBDOMAIN_INT_SUSPENDING) {
        OnSuspending();
      }
      FetchResults();
    } catch (const RequestError& error) {
      Log(error.what());
    } catch (const JsonError& error) {
      Log(std::string("the device's results: ") + error.what());
    }
  }
}

void Agent::OnSuspending() {
  environment_.run_hooks(Hook::kSuspending);
  mailbox_.Call({{"op", "prepared"}});
}

void Agent::OnRestored() {
  // The clock first: hooks need it, and after "ready" the kept replies flow,
  // and programs go on.
  if (const int error = StepWallClock(device_, clock_)) {
    Log(std::string("cannot set the wall clock: ") + std::strerror(error));
  }
  environment_.run_hooks(Hook::kRestored);
  mailbox_.Call({{"op", "ready"}});
}

void Agent::FetchResults() {
  const json response = mailbox_.Call({{"op", "results"}});
  const json* list = JsonReader(response, "").Array("ended");
  if (list == nullptr) return;
  for (const json& item : *list) {
    JsonReader reader(item, "ended");
    const auto stub = reader.Number("stub", 0, UINT32_MAX);
    const auto outcome = OutcomeFromName(reader.String("outcome").value_or(""));
    const auto bytes = reader.Number("bytes", 0, UINT64_MAX);
    if (!stub || !outcome || !bytes) throw JsonError("'ended' is incomplete");
    const auto number = static_cast<uint32_t>(*stub);
    const auto found = clients_.find(number);
    if (found == clients_.end()) continue;  // its client hung up meanwhile
    const ClientId client = found->second;
    clients_.erase(found);
    CancelOthers(client, number);
    const auto stubs = std::move(stubs_.extract(client).mapped());
    EndThreadsWait(client);
    buffers_.erase(client);
    Ended ended{number, *outcome, *bytes};
    if (const json* claim = reader.Object("claim")) {
      ended.handler =
          JsonReader(*claim, "ended.claim").String("handler").value_or("");
    }
    if (stubs.size() > 1) {
      ended.socket =
          std::find(stubs.begin(), stubs.end(), number) - stubs.begin();
    }
    if (!BeginReturn(client, ended)) {
      environment_.answer(client, ended, true, -1);
    }
  }
  GiveBack();
}

}  // namespace stubdomain
