// Where the VM stands: running, suspending, idle, suspended.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_CYCLE_SUSPEND_CYCLE_H_
#define STUBDOMAIN_CYCLE_SUSPEND_CYCLE_H_

#include "stubdomain/stubdomain.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

//   running -Begin-> suspending -OnStopped-> suspending, stopped
//                                   |            ^    -OnSuspended-> suspended
//                               OnStopped      Evict
//                                   v            |
//                                  idle ---------
//
// OnRunning() leads back to running from everywhere. A restore can be
// requested from Begin() on; it is due once the vCPUs are stopped, and is
// given out once per cycle. An event that does not fit the state is ignored.
class SuspendCycle {
 public:
  sd_state state() const { return state_; }
  bool running() const { return state_ == SD_RUNNING; }
  // The vCPUs are stopped for this cycle.
  bool stopped() const { return stopped_; }

  // Memory is given back as soon as the vCPUs are stopped, or: not before
  // Evict().
  void Begin(bool evicts);
  // True if they were not stopped for this cycle before.
  bool OnStopped();
  void Evict();
  void OnSuspended();
  // Before OnStopped() the cycle never was; after it the VM will run by itself.
  void OnSuspendFailed(Time now);
  // True if the vCPUs were stopped for the cycle that ends here.
  bool OnRunning(Time now);

  // The first request counts.
  void RequestRestore(sd_reason reason, Time now);
  bool restore_requested() const { return requested_; }
  bool restore_due() const { return requested_ && stopped_ && !given_; }
  // `restore_due()` holds.
  sd_reason TakeRestore();
  // When the cause of the last restore came up; kNever: there was none.
  Time condition_met() const { return condition_met_; }

  void Save(Writer& writer) const;
  // A cycle that has begun loads as idle, or as suspended if memory was being
  // written. Its restore is due (again) if it
  // was requested, from `now` on: it was another process that was told.
  bool Load(Reader& reader, Time now);

 private:
  void Finish();

  sd_state state_ = SD_RUNNING;
  bool evicts_ = false;
  bool stopped_ = false;
  bool requested_ = false;
  bool given_ = false;
  sd_reason reason_ = SD_REASON_HOST;
  Time condition_met_ = kNever;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_CYCLE_SUSPEND_CYCLE_H_
