// A guest that says nothing: it is suspended when its vCPUs have nothing to do,
// as tables.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "policy/policy_table.h"

namespace stubdomain {
namespace {

TEST(IdleVcpusTest, WhatTheHostAwaitsIsEnough) {
  ExpectTable(DefaultPolicy(),
              {
                  {0, "wait a host quiet", "waiting 1"},
                  {400, "", ""},
                  {500, "vcpus idle", "suspend"},
                  {600, "reply a", "ended 1 replied 5, restore reply"},
                  // Nothing is awaited any more.
                  {2000, "vcpus idle", ""},
                  // The host's next wait is.
                  {2100, "wait a host quiet", "waiting 2, suspend"},
              });
}

TEST(IdleVcpusTest, BusyVcpusAreLeftAlone) {
  ExpectTable(DefaultPolicy(), {
                                   {0, "vcpus idle", ""},
                                   {10, "vcpus busy", ""},
                                   {20, "wait a host quiet", "waiting 1"},
                                   {900, "vcpus busy", ""},
                               });
}

TEST(IdleVcpusTest, EachConnectionMustBeAwaited) {
  ExpectTable(DefaultPolicy(),
              {
                  {0, "connect b", ""},
                  {0, "wait a host quiet", "waiting 1"},
                  {10, "vcpus idle", ""},
                  {500, "wait b host quiet", "waiting 2, suspend"},
              });
}

TEST(IdleVcpusTest, AWokenGuestIsSuspendedAgain) {
  ExpectTable(DefaultPolicy(), {
                                   {0, "wait a host quiet", "waiting 1"},
                                   {10, "vcpus idle", "suspend"},
                                   {20, "restore", "restore host"},
                                   {500, "vcpus idle", "suspend"},
                               });
}

TEST(IdleVcpusTest, WhatKeepsFromOtherSuspendsKeepsFromThisOne) {
  sd_policy policy = DefaultPolicy();
  policy.min_interval_ms = 1000;
  policy.threshold_ms = 300;
  ExpectTable(policy,
              {
                  {0, "inhibit host", ""},
                  {0, "wait a host quiet", "waiting 1"},
                  {10, "vcpus idle", ""},
                  {50, "allow host", "suspend"},
                  {60, "reply a", "ended 1 replied 5, restore reply"},
                  {70, "wait a host quiet expects 1100", "waiting 2"},
                  {100, "vcpus idle", ""},
                  // The interval is over, and then it would be too short.
                  {1060, "", ""},
                  {1170, "reply a", "ended 2 replied 5"},
              });
}

TEST(IdleVcpusTest, RegisteredThreadsMustWait) {
  ExpectTable(DefaultPolicy(),
              {
                  {0, "register", "thread 1"},
                  {0, "wait a host quiet", "waiting 1"},
                  {10, "vcpus idle", ""},
                  {20, "wait b thread 1 quiet", "waiting 2, suspend"},
              });
}

}  // namespace
}  // namespace stubdomain
