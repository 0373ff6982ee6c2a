// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stubctl/status_text.h"

#include <gtest/gtest.h>

#include "protocol/json_reader.h"

namespace stubdomain {
namespace {

using nlohmann::json;

constexpr char kHead[] =
    "suspends:   3\n"
    "restores:   2\n"
    "interrupts: uio\n"
    "waits:      1 through this agent\n"
    "inhibits:   2 through this agent\n";

json StatusWith(const json& stubs) {
  return {{"suspends", 3}, {"restores", 2}, {"interrupts", "uio"},
          {"waits", 1},    {"inhibits", 2}, {"stubs", stubs}};
}

TEST(StatusText, EachStubIsALine) {
  const json peer = {{"host", "fd00::2"}, {"port", 80}};
  const json guest = {{"host", "10.0.2.15"}, {"port", 4000}};
  EXPECT_EQ(
      StatusText(
          StatusWith({{{"stub", 1},
                       {"owner", "guest"},
                       {"bytes", 0},
                       {"wanted", 1},
                       {"flow",
                        {{"protocol", "tcp"},
                         {"guest", guest},
                         {"peer", {{"host", "10.0.2.2"}, {"port", 80}}}}},
                       {"timeout-left", 1500}},
                      {{"stub", 2},
                       {"owner", "host"},
                       {"bytes", 5},
                       {"wanted", 9},
                       {"flow", {{"peer", peer}}}}})),
      std::string(kHead) +
          "stub 1: 10.0.2.15:4000 <- 10.0.2.2:80, 0 of 1 bytes, 1500 ms left, "
          "laid by the guest\n"
          "stub 2: any <- [fd00::2]:80, 5 of 9 bytes, laid by the host\n");
}

TEST(StatusText, StubForNewConnectionsHasNoPeer) {
  EXPECT_EQ(StatusText(StatusWith({{{"stub", 1},
                                    {"owner", "guest"},
                                    {"accept", "hold"},
                                    {"bytes", 0},
                                    {"wanted", 1},
                                    {"flow", {{"guest", {{"port", 80}}}}}}})),
            std::string(kHead) +
                "stub 1: port 80 <- any, 0 of 1 bytes, to hold who connects, "
                "laid by the guest\n");
}

TEST(StatusText, StubWithAPlanWantsNoNumberOfBytes) {
  EXPECT_EQ(
      StatusText(StatusWith({{{"stub", 1},
                              {"owner", "guest"},
                              {"bytes", 7},
                              {"wanted", 0},
                              {"flow", json::object()}}})),
      std::string(kHead) + "stub 1: any <- any, 7 bytes, laid by the guest\n");
}

TEST(HistoryText, EachDecisionIsALine) {
  const json nothing = {{"registered", 0}, {"answered", 0}, {"least", 0}};
  json stay = nothing;
  stay.update({{"decided", "stay"},
               {"why", "short"},
               {"age", 70},
               {"due", 900},
               {"expected", 1000},
               {"least", 2000}});
  json sleep = nothing;
  sleep.update({{"decided", "sleep"},
                {"why", "replies"},
                {"age", 5},
                {"registered", 3},
                {"waiting", 2},
                {"needed", 2},
                {"answered", 1},
                {"awaited", 2},
                {"replies", 2}});
  EXPECT_EQ(HistoryText({stay, sleep}),
            "70 ms ago: stay, because of short; due in 900 ms; a wake was "
            "expected in 1000 ms, and 2000 ms are worth it\n"
            "5 ms ago: sleep, because of replies; 2 of 3 threads waited, 2 had "
            "to; 1 of 2 were answered, 2 had to be\n");
}

TEST(StatusText, NoStubsAreNoLines) {
  EXPECT_EQ(StatusText(StatusWith(json::array())), kHead);
}

TEST(ThreadsText, EachThreadIsALine) {
  EXPECT_EQ(ThreadsText(json::parse(
                R"([{"thread":1,"name":"worker"},{"thread":2,"name":""}])")),
            "thread 1: worker\nthread 2\n");
}

TEST(StatusText, MissingFigureIsAnError) {
  EXPECT_THROW(StatusText(json{{"suspends", 3}}), JsonError);
}

}  // namespace
}  // namespace stubdomain
