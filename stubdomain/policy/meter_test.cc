// What a VM gave back, as a table.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/meter.h"

#include <gtest/gtest.h>

#include "trace/trace.h"

namespace stubdomain {
namespace {

constexpr Time At(int ms) { return Time(std::chrono::milliseconds(ms)); }

void Expect(const Meter& meter, Time now, const sd_given_back& given) {
  const sd_given_back read = meter.Read(now);
  EXPECT_EQ(read.idle_ms, given.idle_ms);
  EXPECT_EQ(read.evicted_ms, given.evicted_ms);
  EXPECT_EQ(read.byte_seconds, given.byte_seconds);
}

TEST(MeterTest, AddsUpEachDepth) {
  Meter meter;
  Expect(meter, At(500), {0, 0, 0});
  meter.OnStopped(At(1000));
  Expect(meter, At(1200), {200, 0, 0});
  meter.OnEvicted(5000, At(1500));
  Expect(meter, At(1500), {500, 0, 0});
  Expect(meter, At(3500), {500, 2000, 10000});
  meter.OnRunning(At(4000));
  Expect(meter, At(9000), {500, 2500, 12500});
  // A suspend that is cancelled gave back the processors only.
  meter.OnStopped(At(9000));
  meter.OnRunning(At(9100));
  Expect(meter, At(9900), {600, 2500, 12500});
}

TEST(MeterTest, WhatDoesNotFitIsTheMostThatDoes) {
  Meter meter;
  meter.OnStopped(At(0));
  meter.OnEvicted(UINT64_MAX, At(0));
  EXPECT_EQ(meter.Read(At(5000)).byte_seconds, UINT64_MAX / 2);
}

TEST(MeterTest, GoesOnInAnotherProcess) {
  Meter meter;
  meter.OnStopped(At(0));
  meter.OnEvicted(1000, At(0));
  Writer writer;
  meter.Save(writer, At(2000));
  Reader reader(writer.data());
  Meter other;
  ASSERT_TRUE(other.Load(reader, At(77000)));
  Expect(other, At(78000), {0, 3000, 3000});
}

TEST(MeterTest, FollowsTheVm) {
  Trace trace;
  const auto given = [&] {
    sd_given_back given;
    sd_get_given_back(trace.stub(), trace.now(), &given);
    return given;
  };
  trace.Suspend();
  trace.Stopped();
  trace.Pass(100);
  const sd_costs costs = {.bytes_back = 1000};
  sd_set_costs(trace.stub(), &costs, trace.now());
  trace.Suspended();
  trace.Pass(2000);
  trace.Running();
  trace.Pass(9000);
  EXPECT_EQ(given().idle_ms, 100u);
  EXPECT_EQ(given().evicted_ms, 2000u);
  EXPECT_EQ(given().byte_seconds, 2000u);
}

}  // namespace
}  // namespace stubdomain
