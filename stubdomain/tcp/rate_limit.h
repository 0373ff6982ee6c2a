// So many in a second, and no more.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_RATE_LIMIT_H_
#define STUBDOMAIN_TCP_RATE_LIMIT_H_

#include "wire/time.h"

namespace stubdomain {

class RateLimit {
 public:
  explicit constexpr RateLimit(int per_second) : per_second_(per_second) {}

  // Whether one more is allowed now; counts it then.
  bool Allow(Time now) {
    if (now - begin_ >= std::chrono::seconds(1) || left_ == per_second_) {
      begin_ = now;
      left_ = per_second_;
    }
    if (left_ == 0) return false;
    --left_;
    return true;
  }

 private:
  int per_second_;
  int left_ = per_second_;
  Time begin_{};
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_RATE_LIMIT_H_
