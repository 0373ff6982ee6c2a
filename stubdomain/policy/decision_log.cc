// The last decisions, for whoever asks why.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/decision_log.h"

#include <algorithm>
#include <chrono>

namespace stubdomain {
namespace {

// From the earlier to the later; 0 if it is the other way round.
uint64_t Milliseconds(Time from, Time to) {
  return static_cast<uint64_t>(
      std::chrono::ceil<std::chrono::milliseconds>(std::max(from, to) - from)
          .count());
}

}  // namespace

void DecisionLog::Note(const sd_decision& decision, Time due, Time now) {
  if (!entries_.empty() && decision.decided == SD_DECIDED_STAY) {
    Entry& last = entries_.back();
    if (last.decision.decided == decision.decided &&
        last.decision.why == decision.why) {
      last.decision = decision;
      last.due = due;
      return;
    }
  }
  if (entries_.size() == SD_MAX_DECISIONS) entries_.pop_front();
  entries_.push_back({now, due, decision});
}

std::vector<sd_decision> DecisionLog::All(Time now) const {
  std::vector<sd_decision> all;
  for (const Entry& entry : entries_) {
    all.push_back(entry.decision);
    all.back().age_ms = Milliseconds(entry.at, now);
    all.back().due_ms =
        entry.due == kNever ? SD_NEVER : Milliseconds(now, entry.due);
  }
  return all;
}

}  // namespace stubdomain
