// How many must wait before the VM is suspended, and be answered before it is
// woken.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_POLICY_QUORUM_H_
#define STUBDOMAIN_POLICY_QUORUM_H_

#include <cstdint>

#include "stubdomain/stubdomain.h"
#include "wire/time_order.h"

namespace stubdomain {

// At least 1, and at most `registered` (unless that is 0).
uint32_t WaitingNeeded(const sd_policy& policy, uint32_t registered);
// The same for replies, of which `awaited` were awaited at first.
uint32_t RepliesNeeded(const sd_policy& policy, uint32_t awaited);

// When so many of these threads will have waited for as long as each has to.
// `proposals` has an entry for each that waits: when it proposes to suspend;
// kNever: it waits, but does not propose, or not any more. kNever: too few
// wait, or none of them proposes.
Time QuorumDue(const TimeOrder& proposals, uint32_t needed);

}  // namespace stubdomain

#endif  // STUBDOMAIN_POLICY_QUORUM_H_
