// What the glue is told that it need not act on.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_EFFECT_NOTICE_H_
#define STUBDOMAIN_EFFECT_NOTICE_H_

#include <string>
#include <variant>

#include "stubdomain/stubdomain.h"
#include "wait/plan_effects.h"

namespace stubdomain {

// One for each callback of this kind in sd_callbacks.
struct WaitLaid {
  sd_stub_info info;
};
struct WaitEnded {
  sd_ended ended;
};
struct AlertRaised {
  uint32_t stub;
  PlanAlert alert;
};
struct UnmatchedCame {
  std::string description;
};
struct SuspendCancelled {
  sd_reason reason;
};

using Notice = std::variant<WaitLaid, WaitEnded, AlertRaised, UnmatchedCame,
                            SuspendCancelled>;

}  // namespace stubdomain

#endif  // STUBDOMAIN_EFFECT_NOTICE_H_
