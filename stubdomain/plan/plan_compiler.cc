// From the JSON text of a plan to what a matcher runs.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "plan/action_compiler.h"
#include "plan/examination.h"
#include "plan/hex.h"
#include "plan/http_reader.h"
#include "plan/json_object.h"
#include "plan/plan.h"

namespace stubdomain {
namespace {

using nlohmann::json;
using Kind = PlanCheck::Kind;

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

// "200", "2xx" or "400-499".
void ReadStatus(const std::string& text, const std::string& place,
                PlanCheck* check) {
  const auto digit = [&](size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  const auto number = [&](size_t at) {
    uint16_t value = 0;
    const char* from = text.data() + at;
    const auto [end, error] = std::from_chars(from, from + 3, value);
    return error == std::errc() && end == from + 3 ? value : uint16_t{0};
  };
  if (text.size() == 3 && digit(0) && text.ends_with("xx")) {
    check->low = static_cast<uint16_t>((text[0] - '0') * 100);
    check->high = check->low + 99;
  } else if (text.size() == 3) {
    check->low = check->high = number(0);
  } else if (text.size() == 7 && text[3] == '-') {
    check->low = number(0);
    check->high = number(4);
  }
  if (check->low < 100 || check->high < check->low) {
    Refuse(place, "must be like 200, 2xx or 400-499");
  }
}

bool FitsDatagram(const PlanAction& action) {
  if (action.answer == nullptr) return action.bytes.size() <= kMaxPlanDatagram;
  const ArtificialReply& answer = *action.answer;
  return answer.kind != ArtificialReply::Kind::kHttp &&
         answer.kind != ArtificialReply::Kind::kReset &&
         answer.bytes.size() <= kMaxPlanDatagram;
}

class Compiler {
 public:
  std::shared_ptr<const Plan> Compile(std::string_view text);

 private:
  Condition ReadCondition(const json& value, const std::string& place,
                          int depth);
  void ReadChecks(JsonObject& object, Condition* condition);
  void ReadHeader(JsonObject& object, Condition* condition);
  void ReadAt(JsonObject& object, Condition* condition);
  void ReadPattern(JsonObject& object, Condition* condition);
  std::shared_ptr<const Pattern> ReadRegex(JsonObject& object, const char* key);
  void Add(const std::string& place, PlanCheck check, Condition* condition);
  void AddFlag(JsonObject& object, const char* key, Kind kind,
               Condition* condition);
  ConditionalHandler ReadHandler(const json& value, const std::string& place,
                                 size_t number);
  void CheckActions(const std::vector<PlanAction>& actions,
                    const std::string& list);
  void Need(Format format, const std::string& place, const char* name) const;

  Plan plan_;
  size_t patterns_ = 0;
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
    Need(Format::kHttp, object.Place("method"), "http");
    if (plan_.method->empty() || plan_.method->size() > kMaxMethod) {
      Refuse(object.Place("method"),
             "must have 1 to " + std::to_string(kMaxMethod) + " characters");
    }
  }
  plan_.retries = ReadRetries(object);
  if (const json* match = object.Find("match")) {
    plan_.match = ReadCondition(*match, object.Place("match"), 1);
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
    Add(object.Place("bytes"), {.kind = Kind::kBytes, .number = *bytes},
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
  handler.when = ReadCondition(object.Get("when"), object.Place("when"), 1);
  handler.actions = ReadActions(object, "do", plan_);
  if (handler.actions.empty()) handler.actions = {{Action::kRestore}};
  CheckActions(handler.actions, object.Place("do"));
  object.Finish();
  return handler;
}

void Compiler::CheckActions(const std::vector<PlanAction>& actions,
                            const std::string& list) {
  bool changed = false;
  for (size_t i = 0; i < actions.size(); ++i) {
    const std::string place = list + "[" + std::to_string(i) + "]";
    const Action action = actions[i].action;
    plan_.alerts = plan_.alerts || action == Action::kAlert;
    if (action == Action::kTransform) Need(Format::kHttp, place, "http");
    plan_.for_datagrams = plan_.for_datagrams && FitsDatagram(actions[i]);
    // Each TLS record counts for how the next one is read.
    if ((action == Action::kDiscard || action == Action::kRetry) &&
        (plan_.format == Format::kAny || plan_.format == Format::kTls)) {
      Refuse(place, "only with format raw, http or dns");
    }
    if (!Changes(action)) continue;
    if (changed) Refuse(place, "the message was changed already");
    changed = true;
  }
}

Condition Compiler::ReadCondition(const json& value, const std::string& place,
                                  int depth) {
  if (depth > kMaxConditionDepth) {
    Refuse(place,
           "deeper than " + std::to_string(kMaxConditionDepth) + " conditions");
  }
  JsonObject object(value, place);
  Condition condition;
  ReadChecks(object, &condition);
  for (const char* key : {"all", "any"}) {
    const bool any = std::string_view(key) == "any";
    if (object.Find(key) == nullptr) continue;
    Condition group{.kind =
                        any ? Condition::Kind::kAny : Condition::Kind::kAll};
    for (const auto& [part, at] : object.List(key, kMaxChecks)) {
      group.parts.push_back(ReadCondition(*part, at, depth + 1));
    }
    if (group.parts.empty()) Refuse(object.Place(key), "is empty");
    condition.parts.push_back(std::move(group));
  }
  if (const json* part = object.Find("not")) {
    Condition inverse{.kind = Condition::Kind::kNot};
    inverse.parts.push_back(
        ReadCondition(*part, object.Place("not"), depth + 1));
    condition.parts.push_back(std::move(inverse));
  }
  object.Finish();
  if (condition.parts.empty()) Refuse(place, "is empty");
  return condition;
}

void Compiler::ReadChecks(JsonObject& object, Condition* condition) {
  if (const auto status = object.String("status")) {
    Need(Format::kHttp, object.Place("status"), "http");
    PlanCheck check{.kind = Kind::kStatus};
    ReadStatus(*status, object.Place("status"), &check);
    Add(object.Place("status"), std::move(check), condition);
  }
  const auto number = [&](const char* key, Kind kind, uint64_t least,
                          uint64_t most) {
    const auto value = object.Number(key, least, most);
    if (!value) return false;
    Add(object.Place(key), {.kind = kind, .number = *value}, condition);
    return true;
  };
  if (number("rcode", Kind::kRcode, 0, 15)) {
    Need(Format::kDns, object.Place("rcode"), "dns");
  }
  if (number("id", Kind::kId, 0, UINT16_MAX)) {
    Need(Format::kDns, object.Place("id"), "dns");
  }
  if (number("share", Kind::kShare, 1, 100)) {
    Need(Format::kHttp, object.Place("share"), "http");
  }
  number("bytes", Kind::kBytes, 1, INT64_MAX);
  number("body", Kind::kBody, 1, INT64_MAX);
  const auto time = [&](const char* key, Kind kind) {
    const auto value = object.Number(key, 1, UINT32_MAX);
    if (!value) return;
    const std::chrono::milliseconds duration(*value);
    Add(object.Place(key), {.kind = kind, .duration = duration}, condition);
  };
  time("quiet", Kind::kQuiet);
  time("elapsed", Kind::kElapsed);
  AddFlag(object, "complete", Kind::kComplete, condition);
  AddFlag(object, "fin", Kind::kFin, condition);
  AddFlag(object, "rst", Kind::kReset, condition);
  ReadHeader(object, condition);
  ReadAt(object, condition);
  ReadPattern(object, condition);
}

void Compiler::ReadHeader(JsonObject& object, Condition* condition) {
  const json* value = object.Find("header");
  if (value == nullptr) return;
  JsonObject header(*value, object.Place("header"));
  Need(Format::kHttp, header.place(), "http");
  PlanCheck check{.kind = Kind::kHeader};
  header.Get("name");
  check.name = *header.String("name");
  check.text = header.String("value");
  if (header.Find("pattern") != nullptr) {
    if (check.text) {
      Refuse(header.Place("pattern"), "not together with value");
    }
    check.pattern = ReadRegex(header, "pattern");
  }
  header.Finish();
  Add(header.place(), std::move(check), condition);
}

void Compiler::ReadAt(JsonObject& object, Condition* condition) {
  const json* value = object.Find("at");
  if (value == nullptr) return;
  JsonObject at(*value, object.Place("at"));
  PlanCheck check{.kind = Kind::kAt};
  at.Get("bytes");
  check.text = ReadHex(*at.String("bytes"), at.Place("bytes"));
  if (check.text->size() > kMaxFront) {
    Refuse(at.Place("bytes"),
           "longer than " + std::to_string(kMaxFront) + " bytes");
  }
  check.number =
      at.Number("offset", 0, kMaxFront - check.text->size()).value_or(0);
  at.Finish();
  Add(at.place(), std::move(check), condition);
}

void Compiler::ReadPattern(JsonObject& object, Condition* condition) {
  const json* value = object.Find("pattern");
  if (value == nullptr) return;
  JsonObject pattern(*value, object.Place("pattern"));
  if (plan_.format == Format::kTls) {
    Refuse(pattern.place(), "what is in TLS records cannot be read");
  }
  PlanCheck check{.kind = Kind::kPattern};
  check.pattern = ReadRegex(pattern, "regex");
  check.number = pattern.Number("first", 1, kMaxPatternFirst).value_or(0);
  pattern.Finish();
  Add(pattern.place(), std::move(check), condition);
}

std::shared_ptr<const Pattern> Compiler::ReadRegex(JsonObject& object,
                                                   const char* key) {
  object.Get(key);
  const std::string text = *object.String(key);
  if (++patterns_ > kMaxPatterns) {
    Refuse(object.Place(key),
           "more than " + std::to_string(kMaxPatterns) + " patterns");
  }
  std::string error;
  auto pattern = Pattern::Compile(text, &error);
  if (pattern == nullptr) Refuse(object.Place(key), error);
  return pattern;
}

void Compiler::Add(const std::string& place, PlanCheck check,
                   Condition* condition) {
  if (plan_.checks.size() >= kMaxChecks) {
    Refuse(place, "more than " + std::to_string(kMaxChecks) + " checks");
  }
  condition->parts.push_back(
      {.kind = Condition::Kind::kCheck,
       .check = static_cast<uint32_t>(plan_.checks.size())});
  plan_.checks.push_back(std::move(check));
}

void Compiler::AddFlag(JsonObject& object, const char* key, Kind kind,
                       Condition* condition) {
  const auto flag = object.Boolean(key);
  if (!flag) return;
  Condition wanted;
  Add(object.Place(key), {.kind = kind}, &wanted);
  if (!*flag) wanted.kind = Condition::Kind::kNot;
  condition->parts.push_back(std::move(wanted));
}

void Compiler::Need(Format format, const std::string& place,
                    const char* name) const {
  const bool recognized =
      plan_.format == Format::kAny && format != Format::kDns;
  if (plan_.format != format && !recognized) {
    Refuse(place, std::string("only with format ") + name);
  }
}

}  // namespace

size_t Plan::weight() const {
  // The head of a message is there three times: as it came, taken apart, and
  // what is not understood yet of it.
  size_t weight = 3 * kMaxHttpHead + 8 * source.size();
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
