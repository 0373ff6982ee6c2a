// Retransmission timeouts.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/retransmission_timeout.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr RetransmissionTimeout::Bounds kBounds = {
    milliseconds(200), milliseconds(200), seconds(10)};

TEST(RetransmissionTimeout, BeginsAtItsInitialValue) {
  EXPECT_EQ(RetransmissionTimeout(kBounds).value(), kBounds.initial);
}

TEST(RetransmissionTimeout, FollowsWhatIsMeasured) {
  RetransmissionTimeout timeout(kBounds);
  timeout.Sample(milliseconds(400));
  // RFC 6298, 2.2: the round trip and four times half of it.
  EXPECT_EQ(timeout.value(), milliseconds(1200));
  // 2.3: the variation is 3/4 of 200 ms and 1/4 of 0.
  timeout.Sample(milliseconds(400));
  EXPECT_EQ(timeout.value(), milliseconds(1000));
}

TEST(RetransmissionTimeout, NeverLeavesItsBounds) {
  RetransmissionTimeout timeout(kBounds);
  timeout.Sample(std::chrono::microseconds(50));
  EXPECT_EQ(timeout.value(), kBounds.min);
  timeout.Sample(seconds(1000));
  EXPECT_EQ(timeout.value(), kBounds.max);
}

TEST(RetransmissionTimeout, DoublesUntilThereIsProgress) {
  RetransmissionTimeout timeout(kBounds);
  timeout.BackOff();
  EXPECT_EQ(timeout.value(), 2 * kBounds.initial);
  for (int i = 0; i < 100; ++i) timeout.BackOff();
  EXPECT_EQ(timeout.value(), kBounds.max);
  timeout.Progress();
  EXPECT_EQ(timeout.value(), kBounds.initial);
}

}  // namespace
}  // namespace stubdomain
