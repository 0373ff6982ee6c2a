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
  struct Bounds {
    Duration initial;
    Duration min;
    Duration max;
  };
  // The way to the guest is short, so the bounds are lower than the RFC's; the
  // minimum leaves room for delayed acknowledgements.
  static constexpr Bounds kToGuest = {std::chrono::milliseconds(200),
                                      std::chrono::milliseconds(200),
                                      std::chrono::seconds(10)};
  // RFC 6298, 2.1, 2.4 and 2.5.
  static constexpr Bounds kToPeer = {std::chrono::seconds(1),
                                     std::chrono::seconds(1),
                                     std::chrono::seconds(60)};

  explicit RetransmissionTimeout(const Bounds& bounds)
      : bounds_(&bounds), base_(Rounded(bounds.initial)), backed_off_(base_) {}

  // A round trip of something that was sent only once.
  void Sample(Duration duration) {
    const auto round_trip = Rounded(std::min(duration, bounds_->max));
    if (!measured_) {
      smoothed_ = round_trip;
      variation_ = round_trip / 2;
      measured_ = true;
    } else {
      const Microseconds error = smoothed_ > round_trip
                                     ? smoothed_ - round_trip
                                     : round_trip - smoothed_;
      variation_ = (3 * variation_ + error) / 4;
      smoothed_ = (7 * smoothed_ + round_trip) / 8;
    }
    base_ = Rounded(std::clamp<Duration>(smoothed_ + 4 * variation_,
                                         bounds_->min, bounds_->max));
    backed_off_ = base_;
  }
  // The time ran out.
  void BackOff() {
    backed_off_ = Rounded(std::min<Duration>(2 * backed_off_, bounds_->max));
  }
  // Something was acknowledged.
  void Progress() { backed_off_ = base_; }

  Duration value() const { return backed_off_; }

 private:
  // Nothing beyond the bounds is kept, which are minutes at most; and there are
  // several of these in each connection.
  using Microseconds = std::chrono::duration<int32_t, std::micro>;
  static Microseconds Rounded(Duration duration) {
    return std::chrono::duration_cast<Microseconds>(duration);
  }

  const Bounds* bounds_;  // static
  Microseconds smoothed_{};
  Microseconds variation_{};
  Microseconds base_;
  Microseconds backed_off_;
  bool measured_ = false;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_RETRANSMISSION_TIMEOUT_H_
