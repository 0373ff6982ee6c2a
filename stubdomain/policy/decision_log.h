// The last decisions, for whoever asks why.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_POLICY_DECISION_LOG_H_
#define STUBDOMAIN_POLICY_DECISION_LOG_H_

#include <deque>
#include <vector>

#include "stubdomain/stubdomain.h"
#include "wire/time.h"

namespace stubdomain {

// The last SD_MAX_DECISIONS. A VM that goes on running for the same reason is
// one decision, whose terms are the latest.
class DecisionLog {
 public:
  // `decision`'s ages are ignored. `due`: when the VM that stays is suspended,
  // if nothing happens until then.
  void Note(const sd_decision& decision, Time due, Time now);
  // The oldest first.
  std::vector<sd_decision> All(Time now) const;

 private:
  struct Entry {
    Time at;
    Time due;
    sd_decision decision;
  };
  std::deque<Entry> entries_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_POLICY_DECISION_LOG_H_
