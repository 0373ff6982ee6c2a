// How many must wait before the VM is suspended, and be answered before it is
// woken.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/quorum.h"

#include <algorithm>

namespace stubdomain {
namespace {

// Of a share in percent, that many and no fewer.
uint64_t ShareOf(uint32_t percent, uint32_t total) {
  return (uint64_t{percent} * total + 99) / 100;
}

uint32_t Bounded(uint64_t needed, uint32_t total) {
  return static_cast<uint32_t>(
      std::clamp<uint64_t>(needed, 1, std::max<uint32_t>(total, 1)));
}

}  // namespace

uint32_t WaitingNeeded(const sd_policy& policy, uint32_t registered) {
  const uint64_t needed = policy.pause_threads != 0
                              ? policy.pause_threads
                              : ShareOf(policy.pause_share, registered);
  return Bounded(needed, registered);
}

uint32_t RepliesNeeded(const sd_policy& policy, uint32_t awaited) {
  const uint64_t needed = std::max<uint64_t>(
      policy.wake_replies, ShareOf(policy.wake_share, awaited));
  return Bounded(needed, awaited);
}

Time QuorumDue(const TimeOrder& proposals, uint32_t needed) {
  if (proposals.size() < needed) return kNever;
  // One that does not propose has no delay to sit out either: it counts as the
  // first one that does.
  const size_t proposing = proposals.CountUntil(kNever - Duration(1));
  const size_t silent = proposals.size() - proposing;
  return proposals.Nth(needed > silent ? needed - 1 - silent : 0);
}

}  // namespace stubdomain
