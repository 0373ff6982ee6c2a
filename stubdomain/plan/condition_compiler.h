// From the JSON text of conditions to what a matcher runs.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_CONDITION_COMPILER_H_
#define STUBDOMAIN_PLAN_CONDITION_COMPILER_H_

#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "plan/json_object.h"
#include "plan/plan.h"

namespace stubdomain {

// The conditions of one plan, whose format is read already. All of it throws
// Refused, with the place.
class ConditionCompiler {
 public:
  // Adds the checks to `plan`, which outlives this.
  explicit ConditionCompiler(Plan* plan) : plan_(plan) {}

  Condition Read(const nlohmann::json& value, const std::string& place) {
    return ReadCondition(value, place, 1);
  }
  // `condition` gets one part more.
  void Add(const std::string& place, PlanCheck check, Condition* condition);
  // What is at `place` is for this format, which is called `name`.
  void Need(Format format, const std::string& place, const char* name) const;

 private:
  Condition ReadCondition(const nlohmann::json& value, const std::string& place,
                          int depth);
  void ReadChecks(JsonObject& object, Condition* condition);
  void ReadHeader(JsonObject& object, Condition* condition);
  void ReadAt(JsonObject& object, Condition* condition);
  void ReadPattern(JsonObject& object, Condition* condition);
  std::shared_ptr<const Pattern> ReadRegex(JsonObject& object, const char* key);
  void AddFlag(JsonObject& object, const char* key, PlanCheck::Kind kind,
               Condition* condition);

  Plan* plan_;
  size_t patterns_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_CONDITION_COMPILER_H_
