// Points in time and durations, as they are handed to the core.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_TIME_H_
#define STUBDOMAIN_WIRE_TIME_H_

#include <chrono>
#include <cstdint>

namespace stubdomain {

// The host's monotonic clock. The core never reads it: `now` is handed in.
struct HostClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<HostClock>;
  static constexpr bool is_steady = true;
};

using Duration = HostClock::duration;
using Time = HostClock::time_point;

// No deadline. Never add a duration to it.
inline constexpr Time kNever = Time::max();

// Nanoseconds as in the C API, where UINT64_MAX means never.
constexpr Time TimeFromNs(uint64_t ns) {
  return ns >= static_cast<uint64_t>(INT64_MAX)
             ? kNever
             : Time(Duration(static_cast<int64_t>(ns)));
}
constexpr uint64_t ToNs(Time time) {
  return time == kNever
             ? UINT64_MAX
             : static_cast<uint64_t>(time.time_since_epoch().count());
}

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_TIME_H_
