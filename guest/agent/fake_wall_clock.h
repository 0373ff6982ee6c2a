// A wall clock for tests.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_FAKE_WALL_CLOCK_H_
#define STUBDOMAIN_GUEST_AGENT_FAKE_WALL_CLOCK_H_

#include "agent/wall_clock.h"

namespace stubdomain {

class FakeWallClock : public WallClock {
 public:
  std::chrono::nanoseconds Now() override { return now; }
  int Set(std::chrono::nanoseconds value) override {
    sets++;
    if (error == 0) now = value;
    return error;
  }

  std::chrono::nanoseconds now{0};
  int sets = 0;
  int error = 0;  // what Set() fails with
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_FAKE_WALL_CLOCK_H_
