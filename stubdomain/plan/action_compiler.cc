// From the JSON text of actions to what a matcher runs.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/action_compiler.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "plan/hex.h"
#include "plan/script.h"
#include "plan/transform_compiler.h"

namespace stubdomain {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<std::string_view, Action>, 11> kActions = {
    {{"buffer", Action::kBuffer},
     {"alert", Action::kAlert},
     {"ignore", Action::kIgnore},
     {"restore", Action::kRestore},
     {"discard", Action::kDiscard},
     {"transform", Action::kTransform},
     {"send", Action::kSend},
     {"answer", Action::kAnswer},
     {"retry", Action::kRetry},
     {"importance", Action::kImportance},
     {"script", Action::kScript}}};
constexpr uint64_t kMaxStatus = 999;
constexpr uint64_t kMaxRcode = 15;
constexpr size_t kMaxType = 128;

void ReadHttp(JsonObject& object, ArtificialReply* reply) {
  const json* value = object.Find("http");
  if (value == nullptr) return;
  JsonObject http(*value, object.Place("http"));
  reply->kind = ArtificialReply::Kind::kHttp;
  reply->status = static_cast<uint16_t>(
      http.Number("status", 200, kMaxStatus).value_or(504));
  reply->bytes = http.String("body").value_or("");
  reply->type = http.String("type").value_or("");
  // It becomes a line of the head.
  const bool printable = std::ranges::all_of(
      reply->type, [](char c) { return c >= ' ' && c <= '~'; });
  if (!printable || reply->type.size() > kMaxType) {
    Refuse(http.Place("type"), "must be at most " + std::to_string(kMaxType) +
                                   " printable characters");
  }
  http.Finish();
}

std::shared_ptr<const ArtificialReply> ReadAnswer(JsonObject& object,
                                                  const Plan& plan) {
  using Kind = ArtificialReply::Kind;
  ArtificialReply reply;
  int ways = 0;
  if (auto bytes = ReadBytes(object)) {
    reply.bytes = std::move(*bytes);
    ++ways;
  }
  if (object.Find("http") != nullptr) {
    if (plan.format != Format::kHttp && plan.format != Format::kAny) {
      Refuse(object.Place("http"), "only with format http");
    }
    ReadHttp(object, &reply);
    ++ways;
  }
  if (const auto rcode = object.Number("rcode", 0, kMaxRcode)) {
    if (plan.format != Format::kDns) {
      Refuse(object.Place("rcode"), "only with format dns");
    }
    reply.kind = Kind::kDns;
    reply.rcode = static_cast<uint8_t>(*rcode);
    ++ways;
  }
  if (object.Boolean("rst").value_or(false)) {
    reply.kind = Kind::kReset;
    ++ways;
  }
  if (ways != 1) {
    Refuse(object.place(), "needs one of bytes, text, http, rcode and rst");
  }
  if (const auto close = object.Boolean("close")) {
    if (reply.kind == Kind::kReset) {
      Refuse(object.Place("close"), "not together with rst");
    }
    reply.close = *close;
  }
  return std::make_shared<const ArtificialReply>(std::move(reply));
}

std::string ReadScript(JsonObject& object) {
  object.Get("source");
  std::string source = *object.String("source");
  if (source.size() > kMaxScriptLength) {
    Refuse(object.Place("source"),
           "longer than " + std::to_string(kMaxScriptLength) + " bytes");
  }
  if (const std::string error = CheckScript(source); !error.empty()) {
    Refuse(object.Place("source"), error);
  }
  return source;
}

PlanAction ReadParameters(Action action, JsonObject& object, const Plan& plan) {
  PlanAction read{.action = action};
  switch (action) {
    case Action::kSend: {
      auto bytes = ReadBytes(object);
      if (!bytes) Refuse(object.place(), "needs one of bytes and text");
      read.bytes = std::move(*bytes);
      break;
    }
    case Action::kTransform:
      read.transform = ReadTransform(object);
      break;
    case Action::kAnswer:
      read.answer = ReadAnswer(object, plan);
      break;
    case Action::kImportance:
      object.Get("value");
      read.importance =
          static_cast<uint8_t>(*object.Number("value", 0, kMaxImportance));
      break;
    case Action::kScript:
      read.bytes = ReadScript(object);
      break;
    case Action::kRetry:
      if (!plan.retries || !plan.retries->repeatable) {
        Refuse(object.place(), "only with retries.repeatable of the plan");
      }
      read.after = plan.retries->after.value_or(Duration::zero());
      if (const auto after = object.Number("after", 0, UINT32_MAX)) {
        read.after = std::chrono::milliseconds(*after);
      }
      break;
    default:
      break;
  }
  return read;
}

// The name alone, or an object with what the action needs.
PlanAction ReadAction(const json& value, const std::string& place,
                      const Plan& plan) {
  if (!value.is_string() && !value.is_object()) {
    Refuse(place, "must be a string or an object");
  }
  const json nothing = json::object();
  JsonObject object(value.is_object() ? value : nothing, place);
  if (value.is_object()) object.Get("action");
  const Action action =
      value.is_object()
          ? *object.OneOf("action", kActions)
          : JsonObject::Named(value.get<std::string>(), place, kActions);
  PlanAction read = ReadParameters(action, object, plan);
  object.Finish();
  return read;
}

// What becomes of the message is settled then.
bool Ends(Action action) {
  return action == Action::kIgnore || action == Action::kAnswer ||
         action == Action::kRetry;
}

}  // namespace

std::optional<std::string> ReadBytes(JsonObject& object) {
  const auto bytes = object.String("bytes");
  auto text = object.String("text");
  if (bytes && text) Refuse(object.Place("text"), "not together with bytes");
  if (bytes) return ReadHex(*bytes, object.Place("bytes"));
  if (text && text->empty()) Refuse(object.Place("text"), "is empty");
  return text;
}

std::optional<RetryRule> ReadRetries(JsonObject& plan) {
  const json* value = plan.Find("retries");
  if (value == nullptr) return std::nullopt;
  JsonObject object(*value, plan.Place("retries"));
  RetryRule rule;
  object.Get("times");
  rule.times = static_cast<uint8_t>(*object.Number("times", 1, kMaxRetries));
  if (const auto after = object.Number("after", 1, UINT32_MAX)) {
    rule.after = std::chrono::milliseconds(*after);
  }
  rule.repeatable = object.Boolean("repeatable").value_or(false);
  object.Finish();
  return rule;
}

std::vector<PlanAction> ReadActions(JsonObject& object, const char* key,
                                    const Plan& plan) {
  std::vector<PlanAction> actions;
  for (const auto& [value, place] : object.List(key, kMaxActions)) {
    if (!actions.empty() && Ends(actions.back().action)) {
      Refuse(place, "nothing can follow ignore, answer or retry");
    }
    actions.push_back(ReadAction(*value, place, plan));
  }
  return actions;
}

std::vector<PlanAction> ReadLate(JsonObject& object, const Plan& plan) {
  std::vector<PlanAction> actions = ReadActions(object, "late", plan);
  for (size_t i = 0; i < actions.size(); ++i) {
    if (actions[i].action != Action::kAlert &&
        actions[i].action != Action::kAnswer) {
      Refuse(object.Place("late") + "[" + std::to_string(i) + "]",
             "only alert and answer, once it is late");
    }
  }
  return actions;
}

}  // namespace stubdomain
