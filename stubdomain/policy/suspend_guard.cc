// Keeps a VM from being suspended all the time.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/suspend_guard.h"

#include <algorithm>
#include <chrono>

#include "state/saved_time.h"

namespace stubdomain {

void SuspendGuard::NoteSuspend(Time now) {
  if (suspends_.size() == SD_MAX_BUDGET) suspends_.pop_front();
  suspends_.push_back(now);
}

Time SuspendGuard::AfterInterval(const sd_policy& policy) const {
  if (running_since_ == Time::min()) return running_since_;
  return running_since_ + std::chrono::milliseconds(policy.min_interval_ms);
}

Time SuspendGuard::AfterBudget(const sd_policy& policy) const {
  const size_t budget = std::min<size_t>(policy.budget, SD_MAX_BUDGET);
  if (budget == 0 || suspends_.size() < budget) return Time::min();
  return suspends_[suspends_.size() - budget] + std::chrono::minutes(1);
}

uint32_t SuspendGuard::SuspendsSince(Time time) const {
  return static_cast<uint32_t>(
      std::ranges::count_if(suspends_, [time](Time at) { return at > time; }));
}

void SuspendGuard::Save(Writer& writer, Time now) const {
  const bool ran = running_since_ != Time::min();
  writer.Bool(ran);
  if (ran) SaveTime(running_since_, now, writer);
  writer.U32(static_cast<uint32_t>(suspends_.size()));
  for (const Time at : suspends_) SaveTime(at, now, writer);
}

bool SuspendGuard::Load(Reader& reader, Time now) {
  *this = SuspendGuard();
  // Nothing of this lies ahead; a time that does would forbid suspends for
  // long.
  const auto past = [&] { return std::min(LoadTime(reader, now), now); };
  if (reader.Bool()) running_since_ = past();
  const uint32_t count = reader.U32();
  if (count > SD_MAX_BUDGET) return reader.Fail();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    suspends_.push_back(past());
  }
  return reader.ok();
}

}  // namespace stubdomain
