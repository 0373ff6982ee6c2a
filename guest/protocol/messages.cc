// The messages between programs of the guest and its agent.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "protocol/messages.h"

#include <array>

#include "protocol/json_reader.h"

namespace stubdomain {

using nlohmann::json;

namespace {

constexpr std::array kOutcomeNames = {"replied", "closed", "reset", "timeout",
                                      "cancelled"};
constexpr std::array kReasonNames = {"invalid", "denied", "busy", "refused",
                                     "device"};

template <typename Enum, size_t kCount>
std::optional<Enum> FromName(const std::array<const char*, kCount>& names,
                             std::string_view name) {
  for (size_t i = 0; i < names.size(); i++) {
    if (name == names[i]) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

// Error texts can quote what a client sent, which need not be UTF-8.
std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

const char* OutcomeName(Outcome outcome) {
  return kOutcomeNames[static_cast<size_t>(outcome)];
}

std::optional<Outcome> OutcomeFromName(std::string_view name) {
  return FromName<Outcome>(kOutcomeNames, name);
}

const char* ReasonName(Reason reason) {
  return kReasonNames[static_cast<size_t>(reason)];
}

std::optional<Reason> ReasonFromName(std::string_view name) {
  return FromName<Reason>(kReasonNames, name);
}

namespace {

// What every wait can say.
template <typename Wait>
void EncodeOptions(const Wait& wait, json& object) {
  if (wait.timeout_ms != 0) object["timeout"] = wait.timeout_ms;
  if (!wait.plan.empty()) object["plan"] = wait.plan;
  if (!wait.suspend) object["suspend"] = false;
}

template <typename Wait>
void ParseOptions(JsonReader& reader, Wait& wait) {
  wait.timeout_ms = static_cast<uint32_t>(
      reader.Number("timeout", 0, UINT32_MAX).value_or(0));
  if (const json* plan = reader.Object("plan")) wait.plan = *plan;
  wait.suspend = reader.Boolean("suspend").value_or(true);
}

void ParseReceived(JsonReader& reader, WaitRequest& wait) {
  const json* received = reader.Array("received");
  if (received == nullptr) return;
  for (const json& item : *received) {
    if (item.is_null()) {
      wait.received.emplace_back();
    } else if (item.is_number_unsigned()) {
      wait.received.emplace_back(item.get<uint64_t>());
    } else {
      throw JsonError("'received': expected whole numbers, or null");
    }
  }
}

WaitRequest ParseWait(JsonReader& reader) {
  WaitRequest wait;
  if (const json* flow = reader.Object("flow")) {
    wait.flow = FlowFromJson(*flow, "flow");
  }
  wait.detach = reader.Boolean("detach").value_or(false);
  ParseReceived(reader, wait);
  const auto number = [&](const char* key, uint64_t max) {
    return static_cast<uint32_t>(reader.Number(key, 0, max).value_or(0));
  };
  wait.thread = number("thread", UINT32_MAX);
  wait.tid = number("tid", INT32_MAX);
  wait.importance = number("importance", kMaxImportance);
  wait.buffer =
      static_cast<uint32_t>(reader.Number("buffer", 1, kMaxBuffer).value_or(0));
  wait.elapsed_ms = number("elapsed", UINT32_MAX);
  wait.depth = reader.String("depth").value_or("");
  if (const auto delay = reader.Number("evict-delay", 0, UINT32_MAX)) {
    wait.evict_delay_ms = static_cast<uint32_t>(*delay);
  }
  wait.expected_ms = number("expected", UINT32_MAX);
  wait.request_class = reader.String("class").value_or("");
  ParseOptions(reader, wait);
  return wait;
}

RegisterRequest ParseRegister(JsonReader& reader) {
  RegisterRequest request{reader.String("name").value_or("")};
  if (request.name.size() > kMaxThreadName) {
    throw JsonError("'name': expected " + std::to_string(kMaxThreadName) +
                    " bytes at most");
  }
  return request;
}

ListenRequest ParseListen(JsonReader& reader) {
  ListenRequest listen;
  const auto port = reader.Number("port", 1, UINT16_MAX);
  if (!port) reader.Missing("port");
  listen.port = static_cast<uint16_t>(*port);
  const auto accept = reader.String("accept");
  if (!accept) reader.Missing("accept");
  if (*accept != "hold" && *accept != "answer") {
    throw JsonError("'accept': expected \"hold\" or \"answer\"");
  }
  listen.answer = *accept == "answer";
  listen.guest_port = static_cast<uint16_t>(
      reader.Number("guest-port", 1, UINT16_MAX).value_or(0));
  ParseOptions(reader, listen);
  return listen;
}

}  // namespace

std::string Encode(const Request& request) {
  json object;
  if (const auto* wait = std::get_if<WaitRequest>(&request)) {
    object = {{"op", "wait"}};
    if (wait->flow) object["flow"] = FlowToJson(*wait->flow);
    if (wait->detach) object["detach"] = true;
    if (wait->thread != 0) object["thread"] = wait->thread;
    if (wait->tid != 0) object["tid"] = wait->tid;
    if (wait->buffer != 0) object["buffer"] = wait->buffer;
    if (wait->importance != 0) object["importance"] = wait->importance;
    if (wait->elapsed_ms != 0) object["elapsed"] = wait->elapsed_ms;
    if (!wait->depth.empty()) object["depth"] = wait->depth;
    if (wait->evict_delay_ms) object["evict-delay"] = *wait->evict_delay_ms;
    if (wait->expected_ms != 0) object["expected"] = wait->expected_ms;
    if (!wait->request_class.empty()) object["class"] = wait->request_class;
    for (const auto& received : wait->received) {
      object["received"].push_back(received ? json(*received) : json());
    }
    EncodeOptions(*wait, object);
  } else if (const auto* listen = std::get_if<ListenRequest>(&request)) {
    object = {{"op", "listen"},
              {"port", listen->port},
              {"accept", listen->answer ? "answer" : "hold"}};
    if (listen->guest_port != 0) object["guest-port"] = listen->guest_port;
    EncodeOptions(*listen, object);
  } else if (std::holds_alternative<CancelRequest>(request)) {
    object = {{"op", "cancel"}};
  } else if (const auto* thread = std::get_if<RegisterRequest>(&request)) {
    object = {{"op", "register"}};
    if (!thread->name.empty()) object["name"] = thread->name;
  } else if (std::holds_alternative<InhibitRequest>(request)) {
    object = {{"op", "inhibit"}};
  } else if (const auto* check = std::get_if<CheckRequest>(&request)) {
    object = {{"op", "check"}, {"plan", check->plan}};
  } else if (std::holds_alternative<HistoryRequest>(request)) {
    object = {{"op", "history"}};
  } else {
    object = {{"op", "status"}};
  }
  return Dump(object);
}

Request ParseRequest(std::string_view text) {
  const json object = ParseJsonObject(text);
  JsonReader reader(object, "");
  const auto op = reader.String("op");
  if (!op) reader.Missing("op");
  Request request = StatusRequest();
  if (*op == "wait") {
    request = ParseWait(reader);
  } else if (*op == "listen") {
    request = ParseListen(reader);
  } else if (*op == "cancel") {
    request = CancelRequest();
  } else if (*op == "register") {
    request = ParseRegister(reader);
  } else if (*op == "inhibit") {
    request = InhibitRequest();
  } else if (*op == "check") {
    const json* plan = reader.Object("plan");
    if (plan == nullptr) reader.Missing("plan");
    request = CheckRequest{*plan};
  } else if (*op == "history") {
    request = HistoryRequest();
  } else if (*op != "status") {
    throw JsonError(
        "'op': expected \"wait\", \"listen\", \"cancel\", \"register\", "
        "\"inhibit\", \"status\", \"check\" or \"history\"");
  }
  reader.Finish();
  return request;
}

std::string Encode(const Answer& answer) {
  json object;
  if (const auto* accepted = std::get_if<Accepted>(&answer)) {
    if (accepted->stubs.size() == 1) {
      object = {{"stub", accepted->stubs.front()}};
    } else {
      object = {{"stubs", accepted->stubs}};
    }
  } else if (const auto* ended = std::get_if<Ended>(&answer)) {
    object = {{"outcome", OutcomeName(ended->outcome)},
              {"bytes", ended->bytes}};
    if (ended->stub) object["stub"] = *ended->stub;
    if (ended->socket) object["socket"] = *ended->socket;
    if (!ended->handler.empty()) object["handler"] = ended->handler;
  } else if (const auto* registered = std::get_if<Registered>(&answer)) {
    object = {{"thread", registered->thread}};
  } else if (std::holds_alternative<Inhibited>(answer)) {
    object = {{"inhibited", true}};
  } else if (const auto* status = std::get_if<Status>(&answer)) {
    object = {{"status", status->status}};
  } else if (std::holds_alternative<Checked>(answer)) {
    object = {{"checked", true}};
  } else if (const auto* history = std::get_if<History>(&answer)) {
    object = {{"history", history->decisions}};
  } else {
    const auto& error = std::get<RequestError>(answer);
    object = {{"error", error.what()}, {"reason", ReasonName(error.reason())}};
  }
  return Dump(object);
}

namespace {

Accepted ParseStubs(const json& stubs) {
  Accepted accepted;
  for (const json& stub : stubs) {
    if (!stub.is_number_unsigned()) {
      throw JsonError("'stubs': expected whole numbers");
    }
    accepted.stubs.push_back(stub.get<uint32_t>());
  }
  if (accepted.stubs.empty()) throw JsonError("'stubs': there are none");
  return accepted;
}

}  // namespace

Answer ParseAnswer(std::string_view text) {
  const json object = ParseJsonObject(text);
  JsonReader reader(object, "");
  if (const auto error = reader.String("error")) {
    const auto reason =
        ReasonFromName(reader.String("reason").value_or(std::string()));
    return RequestError(reason.value_or(Reason::kDevice), *error);
  }
  if (const json* status = reader.Object("status")) return Status{*status};
  if (const auto thread = reader.Number("thread", 0, UINT32_MAX)) {
    return Registered{static_cast<uint32_t>(*thread)};
  }
  if (reader.Boolean("inhibited")) return Inhibited();
  if (reader.Boolean("checked")) return Checked();
  if (const json* history = reader.Array("history")) return History{*history};
  const auto stub = reader.Number("stub", 0, UINT32_MAX);
  if (const auto name = reader.String("outcome")) {
    const auto outcome = OutcomeFromName(*name);
    if (!outcome) throw JsonError("'outcome': '" + *name + "' is not known");
    const auto bytes = reader.Number("bytes", 0, UINT64_MAX);
    if (!bytes) reader.Missing("bytes");
    return Ended{stub, *outcome, *bytes,
                 reader.Number("socket", 0, kMaxSockets - 1),
                 reader.String("handler").value_or("")};
  }
  if (const json* stubs = reader.Array("stubs")) return ParseStubs(*stubs);
  if (!stub) reader.Missing("stub");
  return Accepted{{static_cast<uint32_t>(*stub)}};
}

}  // namespace stubdomain
