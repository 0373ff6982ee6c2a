// A plan as the C API hands it around.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_SD_PLAN_H_
#define STUBDOMAIN_PLAN_SD_PLAN_H_

#include <memory>

#include "plan/plan.h"
#include "stubdomain/stubdomain.h"

struct sd_plan {
  std::shared_ptr<const stubdomain::Plan> plan;
};

#endif  // STUBDOMAIN_PLAN_SD_PLAN_H_
