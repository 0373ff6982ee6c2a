// The stub domain of one VM: the agent's preparations for a suspend.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <chrono>
#include <utility>

#include "stub_domain.h"

namespace stubdomain {

Time StubDomain::NextStepDue() const {
  const Time due = SuspendDue();
  if (due == kNever || prepare_until_ == kNever || prepared_) return due;
  return std::max(due, prepare_until_);
}

void StubDomain::TakeNextStep(Time now) {
  const bool told = prepare_until_ != kNever;
  if (!prepares_ || config_.prepare_timeout_ms == 0 || told) {
    callbacks_.suspend(opaque_, BeginSuspend(now));
    return;
  }
  prepare_until_ = now + std::chrono::milliseconds(config_.prepare_timeout_ms);
  idle_before_ = vcpus_idle_since_;
  callbacks_.prepare(opaque_, true);
}

void StubDomain::OnPrepared(Time now) {
  Advance(now);
  if (prepare_until_ != kNever) prepared_ = true;
}

// What only holds the suspend up, such as bytes that the preparations sent,
// does not end them: it would all begin again.
bool StubDomain::PreparedInVain() const {
  if (prepare_until_ == kNever || host_proposal_ != kNever) return false;
  const bool asked =
      stubs_.proposals().First() != kNever ||
      (std::min(vcpus_idle_since_, idle_before_) != kNever && !stubs_.empty());
  return !asked || inhibitors_.total() != 0;
}

void StubDomain::EndPreparations() {
  judged_.reset();
  prepare_until_ = idle_before_ = kNever;
  prepared_ = false;
}

}  // namespace stubdomain
