// Plans for HTTP replies.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "plan/http_reader.h"
#include "plan/plan_run.h"

namespace stubdomain {
namespace {

using Lines = std::vector<std::string>;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kOk =
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-Kind: slow\r\n\r\n";
constexpr std::string_view kChunked =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string At(std::string_view line, size_t offset) {
  return std::string(line) + " @" + std::to_string(offset);
}

TEST(EmptyPlan, AResponseWakesWithItsHead) {
  PlanRun run("{}");
  run.Feed(kOk.substr(0, kOk.size() - 1));
  EXPECT_EQ(run.Take(), Lines());
  run.Feed(kOk.substr(kOk.size() - 1));
  EXPECT_EQ(run.Take(), Lines({At("restore built-in 0", kOk.size())}));
  EXPECT_TRUE(run.matcher().over());
}

TEST(EmptyPlan, AnInterimResponseDoesNotWake) {
  PlanRun run("{}");
  run.Feed(kContinue);
  EXPECT_EQ(run.Take(), Lines({At("ignore built-in 0", kContinue.size())}));
  run.Pass(100000);
  EXPECT_EQ(run.Take(), Lines());
  run.Feed(kOk);
  EXPECT_EQ(run.Take(),
            Lines({At("restore built-in 1", kContinue.size() + kOk.size())}));
}

TEST(EmptyPlan, AContinueWakesAGuestThatWaitsForIt) {
  PlanRun run("{}", {.awaits_continue = true});
  run.Feed(kContinue);
  EXPECT_EQ(run.Take(), Lines({At("restore built-in 0", kContinue.size())}));
}

TEST(EmptyPlan, AHeadThatDoesNotEndWakesAfterAWhile) {
  PlanRun run("{}");
  run.Feed("HTTP/1.1 2");
  run.Pass(999);
  EXPECT_EQ(run.Take(), Lines());
  run.Pass(1);
  EXPECT_EQ(run.Take(), Lines({"restore built-in 0 @10"}));
}

TEST(EmptyPlan, WhatOnlyBeginsLikeHttpWakes) {
  PlanRun run("{}");
  run.Feed("HTTP");
  EXPECT_EQ(run.Take(), Lines());
  run.Feed("S");
  EXPECT_EQ(run.Take(), Lines({"restore built-in 0 @5"}));
}

TEST(EmptyPlan, WhatIsNotAResponseWakesWithItsLine) {
  PlanRun run("{}");
  run.Feed("HTTP/1.1 yes\r\n");
  EXPECT_EQ(run.Take(), Lines({"restore not-understood 0 @14"}));
}

TEST(HttpPlan, AContinueIsIgnoredAndTheReplyRestores) {
  PlanRun run(R"({"format": "http", "handlers": [
      {"name": "go on", "when": {"status": "100"}, "do": ["ignore"]},
      {"name": "fine", "when": {"status": "2xx", "body": 4}}]})");
  run.Feed(kContinue);
  EXPECT_EQ(run.Take(), Lines({At("ignore go on 0", kContinue.size())}));
  const size_t head = kContinue.size() + kOk.size();
  run.Feed(kOk);
  run.Feed("012");
  EXPECT_EQ(run.Take(), Lines());
  run.Feed("3456789");
  EXPECT_EQ(run.Take(), Lines({At("restore fine 1", head + 4)}));
}

TEST(HttpPlan, BufferWaitsForTheRest) {
  PlanRun run(R"({"handlers": [
      {"name": "all", "when": {"status": "200-299"},
       "do": ["alert", "buffer", "restore"]}]})");
  run.Feed(kOk);
  EXPECT_EQ(run.Take(), Lines({At("alert all 0", kOk.size())}));
  run.Feed("012345678");
  EXPECT_EQ(run.Take(), Lines());
  run.Feed("9");
  EXPECT_EQ(run.Take(), Lines({At("restore all 0", kOk.size() + 10)}));
}

TEST(HttpPlan, TheFirstHandlerThatCanClaimsIt) {
  PlanRun run(R"({"handlers": [
      {"name": "late", "when": {"complete": true}},
      {"name": "share", "when": {"share": 35}},
      {"name": "body", "when": {"body": 4}},
      {"name": "other", "when": {"status": "404"}}]})");
  run.Feed(kOk);
  run.Feed("0123456789");
  EXPECT_EQ(run.Take(), Lines({At("restore share 0", kOk.size() + 4)}));
}

TEST(HttpPlan, ChunksAreTakenApart) {
  PlanRun run(R"({"handlers": [
      {"name": "approved", "when": {"pattern": {"regex": "appro.ed"}}}]})");
  run.Feed(kChunked);
  run.Feed("5;x=y\r\n..app\r\n");
  EXPECT_EQ(run.Take(), Lines());
  run.Feed("7\r\nroved!!\r\n");
  EXPECT_EQ(run.Take(),
            Lines({At("restore approved 0", kChunked.size() + 14 + 8)}));
}

TEST(HttpPlan, WhatNoHandlerCanClaimFallsToTheBuiltInRules) {
  PlanRun run(R"({"handlers": [{"when": {"status": "5xx"}}]})");
  run.Feed(kOk);
  EXPECT_EQ(run.Take(), Lines({At("restore built-in 0", kOk.size())}));
}

TEST(HttpPlan, OtherwiseSaysWhatBecomesOfTheRest) {
  PlanRun run(R"({"otherwise": "alert",
                  "handlers": [{"when": {"status": "5xx"}}]})");
  run.Feed(kOk);
  EXPECT_EQ(run.Take(), Lines({At("alert otherwise 0", kOk.size()),
                               At("ignore otherwise 0", kOk.size())}));
  run.Feed("0123456789HTTP/1.0 503 Later\r\n\r\n");
  EXPECT_EQ(run.Take(), Lines({At("restore 0 1", kOk.size() + 10 + 22)}));
}

TEST(HttpPlan, HeadersAreLookedAt) {
  const auto claimed = [](std::string_view header) {
    PlanRun run(R"({"otherwise": "ignore", "handlers": [{"when": {"header": )" +
                std::string(header) + "}}]}");
    run.Feed(kOk);
    return run.matcher().over();
  };
  EXPECT_TRUE(claimed(R"({"name": "x-kind"})"));
  EXPECT_TRUE(claimed(R"({"name": "X-Kind", "value": "slow"})"));
  EXPECT_FALSE(claimed(R"({"name": "X-Kind", "value": "slo"})"));
  EXPECT_TRUE(claimed(R"({"name": "X-Kind", "pattern": "^sl"})"));
  EXPECT_FALSE(claimed(R"({"name": "X-Kind", "pattern": "fast"})"));
  EXPECT_FALSE(claimed(R"({"name": "X-Other"})"));
}

TEST(HttpPlan, AReplyToHeadHasNoBody) {
  PlanRun run(R"({"method": "HEAD", "handlers": [
      {"name": "done", "when": {"complete": true}}]})");
  run.Feed(kOk);
  EXPECT_EQ(run.Take(), Lines({At("restore done 0", kOk.size())}));
}

TEST(HttpPlan, BehindASwitchOfProtocolsThereIsNoMoreHttp) {
  PlanRun run(R"({"handlers": [
      {"name": "switch", "when": {"status": "101"}, "do": ["ignore"]},
      {"name": "more", "when": {"not": {"status": "100-599"}, "body": 3}}]})");
  const std::string_view head = "HTTP/1.1 101 Switching\r\n\r\n";
  run.Feed(head);
  run.Feed("HTTP/1.1 200 OK\r\n");
  EXPECT_EQ(run.Take(), Lines({At("ignore switch 0", head.size()),
                               At("restore more 1", head.size() + 3)}));
}

TEST(HttpPlan, AnUnboundedBodyIsCompleteWhenThePeerCloses) {
  PlanRun run(R"({"handlers": [
      {"name": "done", "when": {"complete": true, "body": 3}}]})");
  run.Feed("HTTP/1.0 200 OK\r\n\r\n0123");
  EXPECT_EQ(run.Take(), Lines());
  run.Fin();
  EXPECT_EQ(run.Take(), Lines({"restore done 0 @23"}));
}

TEST(HttpPlan, AReplyThatIsCutOffIsClaimedByNobody) {
  PlanRun run(R"({"handlers": [{"when": {"complete": true}}]})");
  run.Feed(kOk);
  run.Feed("0123");
  run.Fin();
  EXPECT_EQ(run.Take(), Lines());
  EXPECT_FALSE(run.matcher().over());
  EXPECT_FALSE(run.matcher().settled());
}

TEST(HttpPlan, TooLongAHeadIsNotUnderstood) {
  PlanRun run(R"({"format": "http", "otherwise": "ignore"})");
  run.Feed("HTTP/1.1 200 OK\r\nX: ");
  run.Feed(std::string(kMaxHttpHead - 20, 'x'));
  EXPECT_FALSE(run.matcher().over());
  run.Feed("x");
  EXPECT_EQ(run.Take(),
            Lines({"ignore otherwise 0 @1",
                   At("restore not-understood 0", kMaxHttpHead + 1)}));
}

}  // namespace
}  // namespace stubdomain
