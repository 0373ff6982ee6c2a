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

std::string Encode(const Request& request) {
  const auto* wait = std::get_if<WaitRequest>(&request);
  if (wait == nullptr) return Dump({{"op", "status"}});
  json object = {{"op", "wait"}};
  if (wait->flow) object["flow"] = FlowToJson(*wait->flow);
  if (wait->timeout_ms != 0) object["timeout"] = wait->timeout_ms;
  if (!wait->plan.empty()) object["plan"] = wait->plan;
  if (!wait->suspend) object["suspend"] = false;
  return Dump(object);
}

Request ParseRequest(std::string_view text) {
  const json object = ParseJsonObject(text);
  JsonReader reader(object, "");
  const auto op = reader.String("op");
  if (!op) reader.Missing("op");
  if (*op == "status") {
    reader.Finish();
    return StatusRequest();
  }
  if (*op != "wait") {
    throw JsonError("'op': expected \"wait\" or \"status\"");
  }
  WaitRequest wait;
  if (const json* flow = reader.Object("flow")) {
    wait.flow = FlowFromJson(*flow, "flow");
  }
  wait.timeout_ms = static_cast<uint32_t>(
      reader.Number("timeout", 0, UINT32_MAX).value_or(0));
  if (const json* plan = reader.Object("plan")) wait.plan = *plan;
  wait.suspend = reader.Boolean("suspend").value_or(true);
  reader.Finish();
  return wait;
}

std::string Encode(const Answer& answer) {
  json object;
  if (const auto* accepted = std::get_if<Accepted>(&answer)) {
    object = {{"stub", accepted->stub}};
  } else if (const auto* ended = std::get_if<Ended>(&answer)) {
    object = {{"outcome", OutcomeName(ended->outcome)},
              {"bytes", ended->bytes}};
    if (ended->stub) object["stub"] = *ended->stub;
  } else if (const auto* status = std::get_if<Status>(&answer)) {
    object = {{"status", status->status}};
  } else {
    const auto& error = std::get<RequestError>(answer);
    object = {{"error", error.what()}, {"reason", ReasonName(error.reason())}};
  }
  return Dump(object);
}

Answer ParseAnswer(std::string_view text) {
  const json object = ParseJsonObject(text);
  JsonReader reader(object, "");
  if (const auto error = reader.String("error")) {
    const auto reason =
        ReasonFromName(reader.String("reason").value_or(std::string()));
    return RequestError(reason.value_or(Reason::kDevice), *error);
  }
  if (const json* status = reader.Object("status")) return Status{*status};
  const auto stub = reader.Number("stub", 0, UINT32_MAX);
  if (const auto name = reader.String("outcome")) {
    const auto outcome = OutcomeFromName(*name);
    if (!outcome) throw JsonError("'outcome': '" + *name + "' is not known");
    const auto bytes = reader.Number("bytes", 0, UINT64_MAX);
    if (!bytes) reader.Missing("bytes");
    return Ended{stub, *outcome, *bytes};
  }
  if (!stub) reader.Missing("stub");
  return Accepted{static_cast<uint32_t>(*stub)};
}

}  // namespace stubdomain
