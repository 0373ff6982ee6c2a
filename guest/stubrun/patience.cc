// How long the machine may sleep for one call of a thread.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stubrun/patience.h"

#include <algorithm>

namespace stubdomain {

int64_t Patience::LongestWait(int64_t timeout, int64_t left, uint64_t state) {
  if (timeout < 0 || timeout > kTick) {
    state_ = 0;
    return left;
  }
  // With more it would be beyond kLongestTick in any case.
  constexpr int kMaxDoublings = 16;
  const bool nothing_happened = state != 0 && state == state_;
  doublings_ = nothing_happened ? std::min(doublings_ + 1, kMaxDoublings) : 0;
  state_ = state;
  return std::max(left, std::min(left << doublings_, kLongestTick));
}

}  // namespace stubdomain
