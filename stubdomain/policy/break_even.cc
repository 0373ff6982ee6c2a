// From how long a wait on a suspend is worth what it costs.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/break_even.h"

#include <algorithm>
#include <chrono>

namespace stubdomain {
namespace {

// More would not change a decision.
constexpr double kLongest = 1e9;  // seconds

}  // namespace

Duration LeastWait(const sd_policy& policy, const sd_costs& costs,
                   const sd_pressure& pressure) {
  const double scarcity = 1 + pressure.some_percent / 10.0 +
                          static_cast<double>(pressure.full_percent);
  const double threshold = policy.threshold_ms / 1e3 / scarcity;
  double break_even = 0;
  if (policy.value != 0 && costs.bytes_back != 0) {
    const double suspend = static_cast<double>(costs.suspend_us) / 1e6;
    const double wake = static_cast<double>(costs.wake_us) / 1e6;
    const double share = static_cast<double>(costs.guest_bytes) /
                         static_cast<double>(costs.bytes_back);
    break_even =
        suspend + (suspend + wake) * share * policy.value / 100.0 / scarcity;
  }
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(
      std::min(kLongest, std::max(threshold, break_even))));
}

}  // namespace stubdomain
