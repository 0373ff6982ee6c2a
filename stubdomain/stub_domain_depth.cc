// The stub domain of one VM: how deep it sleeps.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>

#include "stub_domain.h"

namespace stubdomain {

DepthRule StubDomain::Depth() const {
  return stubs_.depth_wishes().Combine(config_.policy);
}

// From `since` on the vCPUs are stopped, by the host's order or without.
Judgement StubDomain::Eviction(Time since,
                               std::optional<sd_depth> ordered) const {
  EvictView view{.idle_since = since, .ordered = ordered, .rule = Depth()};
  view.least_wait = LeastWait(config_.policy, costs_, pressure_);
  if (view.least_wait > Duration::zero()) {
    view.expected_wake = ExpectedWakeTime();
    view.expects_anew = stubs_.overdue().First();
  }
  return JudgeEviction(view, now_);
}

Time StubDomain::EvictDue() const {
  if (cycle_.state() != SD_IDLE || cycle_.restore_requested()) return kNever;
  return Eviction(idle_since_, ordered_).due;
}

void StubDomain::BeginEviction(Time now) {
  const sd_why why = Eviction(idle_since_, ordered_).why;
  decisions_.Note(Terms(SD_DECIDED_EVICT, why, now), kNever, now);
  cycle_.Evict();
}

sd_refusal StubDomain::Suspend(sd_depth depth, Time now) {
  now = Advance(now);
  if (cycle_.state() == SD_IDLE) {
    ordered_ = depth;
    return SD_OK;
  }
  if (!cycle_.running()) return SD_REFUSED_NOT_RUNNING;
  if (host_proposal_ == kNever) host_proposal_ = now;
  host_depth_ = depth;
  UpdateRecording();
  return SD_OK;
}

// True: memory is given back at once.
bool StubDomain::BeginSuspend(Time now) {
  const Judgement judgement = JudgePause(View(), now);
  ordered_.reset();
  if (host_proposal_ != kNever) ordered_ = host_depth_;
  const Judgement eviction = Eviction(now, ordered_);
  const bool evicts = eviction.due <= now;
  decisions_.Note(
      Terms(evicts ? SD_DECIDED_SUSPEND : SD_DECIDED_IDLE, judgement.why, now),
      evicts ? kNever : eviction.due, now);
  guard_.NoteSuspend(now);
  EndPreparations();
  DropSuspend();
  cycle_.Begin(evicts);
  judged_.reset();
  return evicts;
}

}  // namespace stubdomain
