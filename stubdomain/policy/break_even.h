// From how long a wait on a suspend is worth what it costs.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_POLICY_BREAK_EVEN_H_
#define STUBDOMAIN_POLICY_BREAK_EVEN_H_

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

}  // namespace stubdomain

#endif  // STUBDOMAIN_POLICY_BREAK_EVEN_H_
