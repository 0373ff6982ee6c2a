// How long the machine may sleep for one call of a thread.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_STUBRUN_PATIENCE_H_
#define STUBDOMAIN_GUEST_STUBRUN_PATIENCE_H_

#include <cstdint>

#include "stubrun/time.h"

namespace stubdomain {

// A call that waits no longer is a look now and then, as curl's once a second,
// and not the end of anybody's patience.
inline constexpr int64_t kTick = kSecond;
// The longest wait of a thread that looks now and then.
inline constexpr int64_t kLongestTick = 60 * kSecond;

// A thread's. The host's clock runs while the machine sleeps, and the guest's
// monotonic clock does not. So:
//
// - A call with a timeout ends when that is over on the host's clock. A program
//   that finds by its own clock that it is not, and waits for the rest, gets no
//   sleep for this rest. It waits twice as long as it meant at the worst.
// - Of a thread that looks now and then, and has sent and received nothing
// since
//   it looked last, each wait may be twice as long as the one before.
class Patience {
 public:
  // Whether the machine may sleep for the thread now.
  bool MaySleep() const { return Now() >= awake_until_; }
  // The longest wait of a call that has `left` (kForever: no limit) of
  // `timeout` to go; `state` as Awaited has it. kForever: none.
  int64_t LongestWait(int64_t timeout, int64_t left, uint64_t state);
  // A call ended since its longest wait was over; by the guest's own clock it
  // has `left` to go.
  void TimedOut(int64_t timeout, int64_t left) {
    if (timeout > kTick) awake_until_ = Now() + left;
  }

 private:
  uint64_t state_ = 0;
  int doublings_ = 0;
  int64_t awake_until_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_STUBRUN_PATIENCE_H_
