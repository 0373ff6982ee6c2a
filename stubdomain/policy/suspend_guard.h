// Keeps a VM from being suspended all the time.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_POLICY_SUSPEND_GUARD_H_
#define STUBDOMAIN_POLICY_SUSPEND_GUARD_H_

#include <cstdint>
#include <deque>

#include "stubdomain/stubdomain.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// What happened lately, as far as the policy's interval and budget ask for it.
// A suspend that is cancelled or fails counts like any other: it cost as much.
class SuspendGuard {
 public:
  // A suspend begins.
  void NoteSuspend(Time now);
  // The guest runs again after it was stopped for one.
  void NoteRunning(Time now) { running_since_ = now; }

  // When the next one may begin, by the least interval since the guest runs
  // again, and by the budget for a minute. Time::min(): at any time.
  Time AfterInterval(const sd_policy& policy) const;
  Time AfterBudget(const sd_policy& policy) const;
  uint32_t SuspendsSince(Time time) const;

  void Save(Writer& writer, Time now) const;
  // False if what is read contradicts itself.
  bool Load(Reader& reader, Time now);

 private:
  std::deque<Time> suspends_;  // the last, at most SD_MAX_BUDGET
  Time running_since_ = Time::min();
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_POLICY_SUSPEND_GUARD_H_
