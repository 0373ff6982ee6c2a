// Whether a VM that runs is to be suspended.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/judgement.h"

#include <algorithm>
#include <chrono>

namespace stubdomain {
namespace {

constexpr Duration kQuiet = std::chrono::milliseconds(SD_QUIET_MS);

// What is due at `time` for this reason can begin later still.
void Delay(Judgement& judgement, Time until, sd_why why) {
  if (until <= judgement.due) return;
  judgement = {until, why};
}

// Other connections get a while to be covered.
void DelayForQuiet(const PauseView& view, Judgement& judgement) {
  if (view.all_covered || judgement.due == kNever) return;
  judgement = {judgement.due + kQuiet, SD_WHY_UNACKNOWLEDGED};
}

// What is proposed for `due`; kNever: by too few threads.
Judgement Proposed(const PauseView& view, Time due, Time now) {
  if (due == kNever) return {kNever, SD_WHY_THREADS};
  if (view.inhibits != 0) return {kNever, SD_WHY_INHIBITED};
  if (!view.awaited_covered) return {kNever, SD_WHY_UNACKNOWLEDGED};
  Judgement judgement{due, SD_WHY_DELAY};
  DelayForQuiet(view, judgement);
  Delay(judgement, view.after_interval, SD_WHY_INTERVAL);
  Delay(judgement, view.after_budget, SD_WHY_BUDGET);
  const Time begin = std::max(judgement.due, now);
  if (view.expected_wake != kNever &&
      view.expected_wake - begin < view.least_wait) {
    // Time alone makes it only shorter.
    return {view.expects_anew == kNever ? kNever
                                        : std::max(begin, view.expects_anew),
            SD_WHY_SHORT};
  }
  return judgement;
}

Judgement ByWaits(const PauseView& view, Time now) {
  if (!view.proposed) return {};
  Judgement judgement = Proposed(view, view.by_waits, now);
  if (judgement.due <= now) judgement.why = SD_WHY_WAITS;
  return judgement;
}

Judgement ByIdleVcpus(const PauseView& view, Time now) {
  if (!view.idle) return {};
  if (!view.all_awaited) return {kNever, SD_WHY_CONNECTIONS};
  Judgement judgement = Proposed(view, view.by_idle, now);
  if (judgement.due <= now) judgement.why = SD_WHY_IDLE;
  return judgement;
}

// The one that is due first; of those that never are, the one that has
// something to say.
Judgement Earlier(const Judgement& a, const Judgement& b) {
  if (a.due == b.due) return a.why == SD_WHY_NOTHING ? b : a;
  return a.due < b.due ? a : b;
}

}  // namespace

Judgement JudgePause(const PauseView& view, Time now) {
  // The host's own word needs nobody's leave.
  Judgement host{view.by_host, SD_WHY_DELAY};
  DelayForQuiet(view, host);
  if (host.due <= now) host.why = SD_WHY_HOST;
  const Judgement others = Earlier(ByWaits(view, now), ByIdleVcpus(view, now));
  return host.due <= others.due && host.due != kNever ? host : others;
}

}  // namespace stubdomain
