// Times within a call, in nanoseconds of the monotonic clock.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_STUBRUN_TIME_H_
#define STUBDOMAIN_GUEST_STUBRUN_TIME_H_

#include <time.h>

#include <algorithm>
#include <cstdint>

namespace stubdomain {

inline constexpr int64_t kForever = -1;
inline constexpr int64_t kMillisecond = 1'000'000;
inline constexpr int64_t kSecond = 1000 * kMillisecond;
// Longer than any program lives; keeps sums from overflowing.
inline constexpr int64_t kMaxTime = INT64_MAX / 4;

inline int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

// Whether the kernel takes it for a timeout.
inline bool IsValid(const timespec& time) {
  return time.tv_sec >= 0 && time.tv_nsec >= 0 && time.tv_nsec < kSecond;
}

inline int64_t FromTimespec(const timespec& time) {
  if (time.tv_sec >= kMaxTime / kSecond) return kMaxTime;
  return time.tv_sec * kSecond + time.tv_nsec;
}

inline timespec ToTimespec(int64_t time) {
  return {.tv_sec = time / kSecond, .tv_nsec = time % kSecond};
}

inline int64_t FromMilliseconds(int64_t time) {
  return time < 0 ? kForever : time * kMillisecond;
}

// Never too short, and kForever is -1.
inline int ToMilliseconds(int64_t time) {
  if (time < 0) return -1;
  const int64_t rounded = (time + kMillisecond - 1) / kMillisecond;
  return static_cast<int>(std::min<int64_t>(rounded, INT32_MAX));
}

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_STUBRUN_TIME_H_
