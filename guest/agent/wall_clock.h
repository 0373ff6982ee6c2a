// The guest's wall clock, put right after a restore.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_WALL_CLOCK_H_
#define STUBDOMAIN_GUEST_AGENT_WALL_CLOCK_H_

#include <chrono>

#include "agent/device.h"

namespace stubdomain {

// A difference up to this is left alone: an NTP client in the guest slews it
// away, and a step would only disturb it.
inline constexpr std::chrono::nanoseconds kClockStepThreshold =
    std::chrono::milliseconds(20);

// Times are since the epoch.
class WallClock {
 public:
  virtual ~WallClock() = default;
  virtual std::chrono::nanoseconds Now() = 0;
  // Returns 0 or an errno value.
  virtual int Set(std::chrono::nanoseconds now) = 0;
};

// CLOCK_REALTIME. CLOCK_MONOTONIC is never touched.
class SystemWallClock : public WallClock {
 public:
  std::chrono::nanoseconds Now() override;
  int Set(std::chrono::nanoseconds now) override;
};

// Sets `clock` to the host's time if they differ by more than
// kClockStepThreshold. Returns 0 or an errno value.
int StepWallClock(Device& device, WallClock& clock);

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_WALL_CLOCK_H_
