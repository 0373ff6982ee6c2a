// Where the VM stands.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "cycle/suspend_cycle.h"

namespace stubdomain {

void SuspendCycle::Begin(bool evicts) {
  if (!running()) return;
  state_ = SD_SUSPENDING;
  evicts_ = evicts;
}

bool SuspendCycle::OnStopped() {
  if (state_ != SD_SUSPENDING || stopped_) return false;
  stopped_ = true;
  if (!evicts_) state_ = SD_IDLE;
  return true;
}

void SuspendCycle::Evict() {
  if (state_ == SD_IDLE) state_ = SD_SUSPENDING;
}

void SuspendCycle::OnSuspended() {
  if (state_ == SD_SUSPENDING && stopped_) state_ = SD_SUSPENDED;
}

void SuspendCycle::OnSuspendFailed(Time now) {
  if (state_ != SD_SUSPENDING) return;
  if (!stopped_) {
    Finish();
    return;
  }
  RequestRestore(SD_REASON_HOST, now);
  given_ = true;
}

bool SuspendCycle::OnRunning(Time now) {
  const bool was_stopped = stopped_;
  if (was_stopped) RequestRestore(SD_REASON_HOST, now);
  Finish();
  return was_stopped;
}

void SuspendCycle::Finish() {
  state_ = SD_RUNNING;
  stopped_ = requested_ = given_ = false;
}

void SuspendCycle::RequestRestore(sd_reason reason, Time now) {
  if (running() || requested_) return;
  requested_ = true;
  reason_ = reason;
  condition_met_ = now;
}

sd_reason SuspendCycle::TakeRestore() {
  given_ = true;
  return reason_;
}

void SuspendCycle::Save(Writer& writer) const {
  // Who reads this has the memory in a file, unless the VM was to idle.
  const bool idle = state_ == SD_IDLE || (!stopped_ && !evicts_);
  writer.U8(running() ? SD_RUNNING : idle ? SD_IDLE : SD_SUSPENDED);
  writer.Bool(requested_);
  writer.U8(static_cast<uint8_t>(reason_));
}

bool SuspendCycle::Load(Reader& reader, Time now) {
  *this = SuspendCycle();
  const uint8_t state = reader.U8();
  const bool begun = state == SD_SUSPENDED || state == SD_IDLE;
  const bool requested = reader.Bool();
  const uint8_t reason = reader.U8();
  if (reason > SD_REASON_HOST || (requested && !begun) ||
      (!begun && state != SD_RUNNING)) {
    return reader.Fail();
  }
  if (begun) {
    state_ = static_cast<sd_state>(state);
    stopped_ = true;
  }
  if (requested) RequestRestore(static_cast<sd_reason>(reason), now);
  return reader.ok();
}

}  // namespace stubdomain
