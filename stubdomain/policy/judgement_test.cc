// Whether to suspend, as a table of all terms.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/judgement.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

constexpr Time At(int ms) { return Time(std::chrono::milliseconds(ms)); }

TEST(JudgementTest, WhatEachTermDoes) {
  struct Case {
    PauseView view;
    Time now;
    Time due;
    sd_why why;
  };
  const Case kCases[] = {
      {{}, At(0), kNever, SD_WHY_NOTHING},

      // Waits propose.
      {{.proposed = true}, At(9), kNever, SD_WHY_THREADS},
      {{.proposed = true, .by_waits = At(5)}, At(4), At(5), SD_WHY_DELAY},
      {{.proposed = true, .by_waits = At(5)}, At(5), At(5), SD_WHY_WAITS},
      {{.proposed = true, .by_waits = At(5), .inhibits = 1},
       At(9),
       kNever,
       SD_WHY_INHIBITED},
      {{.proposed = true, .by_waits = At(5), .awaited_covered = false},
       At(9),
       kNever,
       SD_WHY_UNACKNOWLEDGED},
      {{.proposed = true, .by_waits = At(5), .all_covered = false},
       At(9),
       At(5 + SD_QUIET_MS),
       SD_WHY_UNACKNOWLEDGED},
      {{.proposed = true, .by_waits = At(5), .after_interval = At(7)},
       At(6),
       At(7),
       SD_WHY_INTERVAL},
      {{.proposed = true, .by_waits = At(5), .after_interval = At(7)},
       At(7),
       At(7),
       SD_WHY_WAITS},
      {{.proposed = true, .by_waits = At(5), .after_budget = At(8)},
       At(6),
       At(8),
       SD_WHY_BUDGET},
      // What takes longest is the reason.
      {{.proposed = true,
        .by_waits = At(5),
        .after_interval = At(9),
        .after_budget = At(8)},
       At(6),
       At(9),
       SD_WHY_INTERVAL},
      {{.proposed = true, .by_waits = At(5), .after_interval = At(4)},
       At(1),
       At(5),
       SD_WHY_DELAY},

      // The host's word needs nobody's leave.
      {{.by_host = At(5),
        .after_interval = At(9),
        .after_budget = At(9),
        .inhibits = 1,
        .awaited_covered = false},
       At(5),
       At(5),
       SD_WHY_HOST},
      {{.by_host = At(5), .all_covered = false},
       At(6),
       At(5 + SD_QUIET_MS),
       SD_WHY_UNACKNOWLEDGED},
      {{.proposed = true, .by_waits = At(7), .by_host = At(5)},
       At(5),
       At(5),
       SD_WHY_HOST},
      {{.proposed = true, .by_waits = At(5), .by_host = At(7)},
       At(5),
       At(5),
       SD_WHY_WAITS},
      {{.proposed = true, .by_host = At(5)}, At(5), At(5), SD_WHY_HOST},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(&c - kCases);
    const Judgement judgement = JudgePause(c.view, c.now);
    EXPECT_EQ(judgement.due, c.due);
    EXPECT_EQ(judgement.why, c.why);
  }
}

}  // namespace
}  // namespace stubdomain
