// From how long a wait on a suspend is worth what it costs.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_POLICY_BREAK_EVEN_H_
#define STUBDOMAIN_POLICY_BREAK_EVEN_H_

#include <vector>

#include "stubdomain/stubdomain.h"
#include "wire/time.h"

namespace stubdomain {

// The wait that is at least expected for a suspend. The longer of
//
// - the threshold;
// - the time that the suspend takes, and then so long that the memory that
//   comes back, for that time, weighs as much as all of the VM's memory for as
//   long as the guest is kept from running: cost = (suspend + wake) * guest
//   memory * value. Without a measurement this is nothing.
//
// What comes back counts more the scarcer memory is: by 1 for each 10 % of time
// in which some wait for memory, and for each 1 % in which all do. The
// threshold shrinks alike.
Duration LeastWait(const sd_policy& policy, const sd_costs& costs,
                   const sd_pressure& pressure);

// What may wake the VM: an open wait.
struct Prospect {
  Time reply = kNever;  // expected then; kNever: nothing is known
  Time timeout = kNever;
  bool wakes_alone = false;  // its reply is important enough
};

// When the VM is expected to be woken, if it takes so many replies (at least
// 1). kNever: not before long, or nothing is known.
Time ExpectedWake(const std::vector<Prospect>& prospects, uint32_t replies);

}  // namespace stubdomain

#endif  // STUBDOMAIN_POLICY_BREAK_EVEN_H_
