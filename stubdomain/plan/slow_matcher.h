// For tests: a matcher that is slow, and obviously right.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_SLOW_MATCHER_H_
#define STUBDOMAIN_PLAN_SLOW_MATCHER_H_

#include <string>
#include <string_view>
#include <vector>

#include "plan/plan.h"

namespace stubdomain {

// The one kind of script that it knows, with its numbers.
inline constexpr char kCountingScript[] =
    "if not match('a') then return 'ignore' end "
    "if #message.body > %d then return 'restore' end "
    "if #message.bytes > %d then return 'discard' end";

// An ICMP error that comes once so many bytes of the reply have.
struct ErrorAt {
  size_t at;
  IcmpWhy why;
};

// What a plan for raw bytes or HTTP says of the whole reply, as lines of
// PlanRun. No two `errors` are at one place. It looks at each prefix anew, has
// an HTTP parser of its own, and knows neither time nor resets. `fin`: the peer
// closes behind the reply.
std::vector<std::string> SlowMatch(const Plan& plan, std::string_view reply,
                                   const std::vector<ErrorAt>& errors,
                                   bool fin);

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_SLOW_MATCHER_H_
