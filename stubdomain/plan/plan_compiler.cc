// From the JSON text of a plan to what a matcher runs.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "plan/action_compiler.h"
#include "plan/condition_compiler.h"
#include "plan/http_reader.h"
#include "plan/json_object.h"
#include "plan/plan.h"
#include "plan/script.h"

namespace stubdomain {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<std::string_view, Format>, 4> kFormats = {
    {{"raw", Format::kRaw},
     {"http", Format::kHttp},
     {"dns", Format::kDns},
     {"tls", Format::kTls}}};
constexpr std::array<std::pair<std::string_view, Otherwise>, 3> kOtherwise = {
    {{"ignore", Otherwise::kIgnore},
     {"alert", Otherwise::kAlert},
     {"restore", Otherwise::kRestore}}};
constexpr size_t kMaxMethod = 32;

bool FitsDatagram(const PlanAction& action) {
  // What a script answers is known once it does.
  if (action.action == Action::kScript) return true;
  if (action.answer == nullptr) return action.bytes.size() <= kMaxPlanDatagram;
  const ArtificialReply& answer = *action.answer;
  return answer.kind != ArtificialReply::Kind::kHttp &&
         answer.bytes.size() <= kMaxPlanDatagram;
}

class Compiler {
 public:
  std::shared_ptr<const Plan> Compile(std::string_view text);

 private:
  ConditionalHandler ReadHandler(const json& value, const std::string& place,
                                 size_t number);
  void CheckAfter(const std::vector<PlanAction>& actions,
                  const std::string& list);
  void CheckActions(const std::vector<PlanAction>& actions,
                    const std::string& list);

  Plan plan_;
  ConditionCompiler conditions_{&plan_};
};

std::shared_ptr<const Plan> Compiler::Compile(std::string_view text) {
  if (text.size() > kMaxPlanBytes) {
    Refuse("plan", "longer than " + std::to_string(kMaxPlanBytes) + " bytes");
  }
  const json value = json::parse(text, nullptr, false);
  if (value.is_discarded()) Refuse("plan", "is not JSON");
  JsonObject object(value, "plan");
  plan_.source = text;
  plan_.format = object.OneOf("format", kFormats).value_or(Format::kAny);
  plan_.method = object.String("method");
  if (plan_.method) {
    conditions_.Need(Format::kHttp, object.Place("method"), "http");
    if (plan_.method->empty() || plan_.method->size() > kMaxMethod) {
      Refuse(object.Place("method"),
             "must have 1 to " + std::to_string(kMaxMethod) + " characters");
    }
  }
  plan_.retries = ReadRetries(object);
  if (const json* match = object.Find("match")) {
    plan_.match = conditions_.Read(*match, object.Place("match"));
  }
  for (const auto& [handler, place] : object.List("handlers", kMaxHandlers)) {
    plan_.handlers.push_back(
        ReadHandler(*handler, place, plan_.handlers.size()));
  }
  if (const auto bytes = object.Number("bytes", 1, INT64_MAX)) {
    if (!plan_.handlers.empty()) {
      Refuse(object.Place("bytes"), "not together with handlers");
    }
    ConditionalHandler handler{.name = "bytes"};
    conditions_.Add(object.Place("bytes"),
                    {.kind = PlanCheck::Kind::kBytes, .number = *bytes},
                    &handler.when);
    handler.actions = {{Action::kRestore}};
    plan_.handlers.push_back(std::move(handler));
  }
  plan_.otherwise =
      object.OneOf("otherwise", kOtherwise).value_or(Otherwise::kRestore);
  plan_.late = ReadLate(object, plan_);
  CheckActions(plan_.late, object.Place("late"));
  plan_.alerts = plan_.alerts || plan_.otherwise == Otherwise::kAlert;
  object.Finish();
  return std::make_shared<const Plan>(std::move(plan_));
}

ConditionalHandler Compiler::ReadHandler(const json& value,
                                         const std::string& place,
                                         size_t number) {
  JsonObject object(value, place);
  ConditionalHandler handler;
  handler.name = object.String("name").value_or(std::to_string(number));
  if (handler.name.empty() || handler.name.size() > kMaxNameLength) {
    Refuse(object.Place("name"),
           "must have 1 to " + std::to_string(kMaxNameLength) + " bytes");
  }
  handler.when = conditions_.Read(object.Get("when"), object.Place("when"));
  handler.actions = ReadActions(object, "do", plan_);
  if (handler.actions.empty()) handler.actions = {{Action::kRestore}};
  CheckActions(handler.actions, object.Place("do"));
  object.Finish();
  return handler;
}

// What comes behind a restore acts while the guest runs.
void Compiler::CheckAfter(const std::vector<PlanAction>& actions,
                          const std::string& list) {
  const auto restore =
      std::ranges::find(actions, Action::kRestore, &PlanAction::action);
  if (restore == actions.end()) return;
  bool waits = false;
  for (auto at = restore + 1; at != actions.end(); ++at) {
    const std::string place =
        list + "[" + std::to_string(at - actions.begin()) + "]";
    switch (at->action) {
      case Action::kRestore:
      case Action::kIgnore:
      case Action::kRetry:
      case Action::kImportance:
        Refuse(place, "not behind restore");
      case Action::kSend:
        if (waits) Refuse(place, "the guest speaks for itself by then");
        break;
      case Action::kAlert:
        break;
      default:
        waits = true;
    }
    plan_.after_restore = true;
  }
}

void Compiler::CheckActions(const std::vector<PlanAction>& actions,
                            const std::string& list) {
  CheckAfter(actions, list);
  bool changed = false;
  for (size_t i = 0; i < actions.size(); ++i) {
    const std::string place = list + "[" + std::to_string(i) + "]";
    const Action action = actions[i].action;
    plan_.alerts = plan_.alerts || action == Action::kAlert;
    if (action == Action::kTransform)
      conditions_.Need(Format::kHttp, place, "http");
    plan_.for_datagrams = plan_.for_datagrams && FitsDatagram(actions[i]);
    // Each TLS record counts for how the next one is read.
    if ((action == Action::kDiscard || action == Action::kRetry ||
         action == Action::kScript) &&
        (plan_.format == Format::kAny || plan_.format == Format::kTls)) {
      Refuse(place, "only with format raw, http or dns");
    }
    if (action == Action::kScript) {
      plan_.alerts = true;
      if (plan_.script.empty()) plan_.script = place;
    }
    if (!Changes(action) && action != Action::kScript) continue;
    if (changed) Refuse(place, "the message was changed already");
    changed = Changes(action);
  }
}

}  // namespace

size_t Plan::weight() const {
  // The head of a message is there three times: as it came, taken apart, and
  // what is not understood yet of it.
  size_t weight = 3 * kMaxHttpHead + 8 * source.size();
  if (!script.empty()) weight += kMaxScriptMessage;
  for (const PlanCheck& check : checks) {
    if (check.pattern != nullptr) weight += kPatternMemory;
  }
  return weight;
}

Compiled CompilePlan(std::string_view text) {
  try {
    return {.plan = Compiler().Compile(text)};
  } catch (const Refused& refused) {
    return {.error = refused.text};
  }
}

}  // namespace stubdomain
