// From the JSON text of actions to what a matcher runs.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_ACTION_COMPILER_H_
#define STUBDOMAIN_PLAN_ACTION_COMPILER_H_

#include <optional>
#include <string>
#include <vector>

#include "plan/json_object.h"
#include "plan/plan.h"

namespace stubdomain {

// All of these throw Refused, with the place. `plan`: as far as it is read,
// with its format and its retries.

// Null: there are no such bytes.
std::optional<std::string> ReadBytes(JsonObject& object);
std::optional<RetryRule> ReadRetries(JsonObject& plan);
// The actions under `key`, none if there is no such member.
std::vector<PlanAction> ReadActions(JsonObject& object, const char* key,
                                    const Plan& plan);
// What is done when the longest wait is over.
std::vector<PlanAction> ReadLate(JsonObject& object, const Plan& plan);

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_ACTION_COMPILER_H_
