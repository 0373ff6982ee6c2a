// From the JSON text of conditions to what a matcher runs.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/condition_compiler.h"

#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "plan/examination.h"
#include "plan/hex.h"

namespace stubdomain {
namespace {

using nlohmann::json;
using Kind = PlanCheck::Kind;
using Errors = PlanCheck::Errors;

constexpr std::array<std::pair<std::string_view, Errors>, 4> kErrors = {
    {{"any", Errors::kAny},
     {"unreachable", Errors::kUnreachable},
     {"port-unreachable", Errors::kPortUnreachable},
     {"time-exceeded", Errors::kTimeExceeded}}};

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

}  // namespace

Condition ConditionCompiler::ReadCondition(const json& value,
                                           const std::string& place,
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

void ConditionCompiler::ReadChecks(JsonObject& object, Condition* condition) {
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
  if (const auto errors = object.OneOf("icmp", kErrors)) {
    Add(object.Place("icmp"), {.kind = Kind::kIcmp, .errors = *errors},
        condition);
  }
  ReadHeader(object, condition);
  ReadAt(object, condition);
  ReadPattern(object, condition);
}

void ConditionCompiler::ReadHeader(JsonObject& object, Condition* condition) {
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

void ConditionCompiler::ReadAt(JsonObject& object, Condition* condition) {
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

void ConditionCompiler::ReadPattern(JsonObject& object, Condition* condition) {
  const json* value = object.Find("pattern");
  if (value == nullptr) return;
  JsonObject pattern(*value, object.Place("pattern"));
  if (plan_->format == Format::kTls) {
    Refuse(pattern.place(), "what is in TLS records cannot be read");
  }
  PlanCheck check{.kind = Kind::kPattern};
  check.pattern = ReadRegex(pattern, "regex");
  check.number = pattern.Number("first", 1, kMaxPatternFirst).value_or(0);
  pattern.Finish();
  Add(pattern.place(), std::move(check), condition);
}

std::shared_ptr<const Pattern> ConditionCompiler::ReadRegex(JsonObject& object,
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

void ConditionCompiler::Add(const std::string& place, PlanCheck check,
                            Condition* condition) {
  if (plan_->checks.size() >= kMaxChecks) {
    Refuse(place, "more than " + std::to_string(kMaxChecks) + " checks");
  }
  condition->parts.push_back(
      {.kind = Condition::Kind::kCheck,
       .check = static_cast<uint32_t>(plan_->checks.size())});
  plan_->checks.push_back(std::move(check));
}

void ConditionCompiler::AddFlag(JsonObject& object, const char* key, Kind kind,
                                Condition* condition) {
  const auto flag = object.Boolean(key);
  if (!flag) return;
  Condition wanted;
  Add(object.Place(key), {.kind = kind}, &wanted);
  if (!*flag) wanted.kind = Condition::Kind::kNot;
  condition->parts.push_back(std::move(wanted));
}

void ConditionCompiler::Need(Format format, const std::string& place,
                             const char* name) const {
  const bool recognized =
      plan_->format == Format::kAny && format != Format::kDns;
  if (plan_->format != format && !recognized) {
    Refuse(place, std::string("only with format ") + name);
  }
}

}  // namespace stubdomain
