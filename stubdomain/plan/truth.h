// What is known of a condition.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_TRUTH_H_
#define STUBDOMAIN_PLAN_TRUTH_H_

#include <cstdint>

namespace stubdomain {

// Undecided until enough of the message has come; what is decided stays so.
enum class Truth : uint8_t { kUndecided, kNo, kYes };

constexpr Truth Decided(bool value) { return value ? Truth::kYes : Truth::kNo; }

constexpr Truth Not(Truth truth) {
  if (truth == Truth::kUndecided) return truth;
  return Decided(truth == Truth::kNo);
}

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_TRUTH_H_
