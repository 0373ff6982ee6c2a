// The guest's wall clock, put right after a restore.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/wall_clock.h"

#include <time.h>

#include <cerrno>
#include <cstdint>

#include "hw/stubdomain/regs.h"

namespace stubdomain {

using std::chrono::nanoseconds;
using std::chrono::seconds;

nanoseconds SystemWallClock::Now() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

int SystemWallClock::Set(nanoseconds now) {
  const auto whole = std::chrono::floor<seconds>(now);
  const timespec value{whole.count(), (now - whole).count()};
  return clock_settime(CLOCK_REALTIME, &value) == 0 ? 0 : errno;
}

int StepWallClock(Device& device, WallClock& clock) {
  // Reading the low half latches the high one.
  const uint64_t low = device.Read(STUBDOMAIN_REG_HOST_TIME_LOW);
  const uint64_t high = device.Read(STUBDOMAIN_REG_HOST_TIME_HIGH);
  const nanoseconds host(static_cast<int64_t>(high << 32 | low));
  const nanoseconds difference = host - clock.Now();
  if (std::chrono::abs(difference) <= kClockStepThreshold) return 0;
  return clock.Set(host);
}

}  // namespace stubdomain
