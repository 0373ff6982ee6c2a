// From the JSON text of a plan to how replies are prepared.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_TRANSFORM_COMPILER_H_
#define STUBDOMAIN_PLAN_TRANSFORM_COMPILER_H_

#include <memory>

#include "plan/json_object.h"
#include "plan/transform.h"

namespace stubdomain {

// The members of an action "transform". Throws Refused.
std::shared_ptr<const Transform> ReadTransform(JsonObject& object);

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_TRANSFORM_COMPILER_H_
