// Whether a VM that runs is to be suspended: a pure function of what is known.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_POLICY_JUDGEMENT_H_
#define STUBDOMAIN_POLICY_JUDGEMENT_H_

#include <cstdint>

#include "stubdomain/stubdomain.h"
#include "wire/time.h"

namespace stubdomain {

// The terms.
struct PauseView {
  // A wait proposes a suspend, now or later.
  bool proposed = false;
  // When enough waits have proposed it; kNever: too few wait.
  Time by_waits = kNever;
  // The vCPUs have nothing to do, and something is awaited.
  bool idle = false;
  // Since when that proposes a suspend; kNever: too few threads wait.
  Time by_idle = kNever;
  // When the host asked for it; kNever: it did not.
  Time by_host = kNever;
  // Waits may suspend from then on; see SuspendGuard.
  Time after_interval = Time::min();
  Time after_budget = Time::min();
  uint32_t inhibits = 0;
  // When the VM is expected to be woken again; kNever: not known. What is known
  // of it may change at `expects_anew`.
  Time expected_wake = kNever;
  Time expects_anew = kNever;
  // How far away that must be.
  Duration least_wait{};
  // Each connection is awaited.
  bool all_awaited = true;
  // Nothing that the guest has sent would be lost, of what is awaited, and of
  // all connections.
  bool awaited_covered = true;
  bool all_covered = true;
};

struct Judgement {
  // When the suspend begins if nothing happens until then; kNever: it does not.
  Time due = kNever;
  // Why it begins if it is due, or what keeps the VM running until it is.
  sd_why why = SD_WHY_NOTHING;
};

Judgement JudgePause(const PauseView& view, Time now);

}  // namespace stubdomain

#endif  // STUBDOMAIN_POLICY_JUDGEMENT_H_
