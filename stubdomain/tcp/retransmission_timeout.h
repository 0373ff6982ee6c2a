// How long to wait before something is sent again (RFC 6298).
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_RETRANSMISSION_TIMEOUT_H_
#define STUBDOMAIN_TCP_RETRANSMISSION_TIMEOUT_H_

#include <algorithm>

#include "wire/time.h"

namespace stubdomain {

class RetransmissionTimeout {
 public:
  // The way to the guest is short, so the bounds are lower than the RFC's; the
  // minimum leaves room for delayed acknowledgements.
  static constexpr Duration kInitial = std::chrono::milliseconds(200);
  static constexpr Duration kMin = std::chrono::milliseconds(200);
  static constexpr Duration kMax = std::chrono::seconds(10);

  // A round trip of something that was sent only once.
  void Sample(Duration round_trip) {
    if (!measured_) {
      smoothed_ = round_trip;
      variation_ = round_trip / 2;
      measured_ = true;
    } else {
      const Duration error = smoothed_ > round_trip ? smoothed_ - round_trip
                                                    : round_trip - smoothed_;
      variation_ = (3 * variation_ + error) / 4;
      smoothed_ = (7 * smoothed_ + round_trip) / 8;
    }
    base_ = std::clamp(smoothed_ + 4 * variation_, kMin, kMax);
    backed_off_ = base_;
  }
  // The time ran out.
  void BackOff() { backed_off_ = std::min(2 * backed_off_, kMax); }
  // Something was acknowledged.
  void Progress() { backed_off_ = base_; }

  Duration value() const { return backed_off_; }

 private:
  bool measured_ = false;
  Duration smoothed_{};
  Duration variation_{};
  Duration base_ = kInitial;
  Duration backed_off_ = kInitial;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_RETRANSMISSION_TIMEOUT_H_
