// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/wall_clock.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "agent/fake_device.h"
#include "agent/fake_wall_clock.h"

namespace stubdomain {
namespace {

using std::chrono::nanoseconds;

// Needs both halves of the register.
constexpr uint64_t kHostTime = 1'800'000'000'123'456'789;

class WallClockTest : public testing::Test {
 protected:
  WallClockTest() { device_.SetHostTime(kHostTime); }

  FakeDevice device_;
  FakeWallClock clock_;
};

TEST_F(WallClockTest, ClockThatIsBehindIsSetToTheHosts) {
  clock_.now = nanoseconds(kHostTime) - std::chrono::hours(1);
  EXPECT_EQ(StepWallClock(device_, clock_), 0);
  EXPECT_EQ(clock_.now, nanoseconds(kHostTime));
}

TEST_F(WallClockTest, ClockThatIsAheadIsSetToTheHosts) {
  clock_.now = nanoseconds(kHostTime) + std::chrono::seconds(1);
  EXPECT_EQ(StepWallClock(device_, clock_), 0);
  EXPECT_EQ(clock_.now, nanoseconds(kHostTime));
}

TEST_F(WallClockTest, DifferenceAtTheThresholdIsLeftAndBeyondStepped) {
  for (const int sign : {-1, 1}) {
    clock_.now = nanoseconds(kHostTime) + sign * kClockStepThreshold;
    clock_.sets = 0;
    StepWallClock(device_, clock_);
    EXPECT_EQ(clock_.sets, 0);
    clock_.now += nanoseconds(sign);
    StepWallClock(device_, clock_);
    EXPECT_EQ(clock_.sets, 1);
  }
}

TEST_F(WallClockTest, FailureIsReported) {
  clock_.error = EPERM;
  EXPECT_EQ(StepWallClock(device_, clock_), EPERM);
}

}  // namespace
}  // namespace stubdomain
