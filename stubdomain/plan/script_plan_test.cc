// Plans with scripts.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <string>

#include "plan/plan_run.h"

namespace stubdomain {
namespace {

using Lines = std::vector<std::string>;

std::string Plan(const std::string& source, const std::string& more = "",
                 const std::string& after = "") {
  return R"({"format": "http", )" + more +
         R"("handlers": [{"name": "ask", "when": {"status": "2xx"}, "do": [
             {"action": "script", "source": ")" +
         source + "\"}" + after + "]}]}";
}

std::string Response(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
         std::to_string(body.size()) + "\r\n" + body + "\r\n0\r\n\r\n";
}

TEST(ScriptPlan, ItIsAskedOnceTheMessageIsComplete) {
  PlanRun run(
      Plan("if match('no') then return 'discard' end return 'restore'"));
  const std::string no = Response("no");
  run.FeedByByte(no.substr(0, no.size() - 1));
  EXPECT_EQ(run.Take(), Lines());
  ASSERT_TRUE(run.HandOver());
  run.Feed(no.substr(no.size() - 1));
  EXPECT_EQ(run.Take(), Lines({"discard ask 0 @59"}));
  run.Feed(Response("yes"));
  EXPECT_EQ(run.Take(), Lines({"restore ask 1 @119"}));
}

TEST(ScriptPlan, ItSeesTheContentWithoutTheMarksOfChunks) {
  PlanRun run(Plan("alert(message.body .. header('transfer-encoding'))"));
  run.Feed(Response("abcdef"));
  const auto step = run.matcher().Take();
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->text, "abcdefchunked");
}

TEST(ScriptPlan, OnlyTheFirstResponseIsToAHeadRequest) {
  PlanRun run(Plan("alert('<' .. message.body .. '>')"), {.head = true});
  run.Feed("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + Response("abc"));
  EXPECT_EQ(run.matcher().Take()->text, "<>");
  EXPECT_EQ(run.matcher().Take()->text, "<abc>");
}

TEST(ScriptPlan, WithoutAWordTheNextActionFollows) {
  PlanRun run(Plan("alert('seen')", "", R"(, "discard")"));
  run.Feed(Response("no"));
  EXPECT_EQ(run.Take(), Lines({"alert ask 0 @59", "discard ask 0 @59"}));
}

TEST(ScriptPlan, WhatItSaysLeavesNothingToTheNextAction) {
  PlanRun run(Plan("return 'ignore'", "", R"(, "discard")"));
  run.Feed(Response("no"));
  EXPECT_EQ(run.Take(), Lines({"ignore ask 0 @59"}));
}

TEST(ScriptPlan, IfItFailsTheGuestGetsTheMessage) {
  PlanRun run(Plan("error('no luck')", "", R"(, "discard")"));
  run.Feed(Response("no"));
  const auto step = run.matcher().Take();
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(step->problem, "script: line 1: no luck");
  EXPECT_EQ(run.Take(), Lines({"restore ask 0 @59"}));
}

std::string ProblemWith(size_t body) {
  PlanRun run(
      R"({"format": "raw", "handlers": [{"when": {"bytes": 1}, "do": [
          {"action": "script", "source": "return 'restore'"}]}]})");
  run.Feed(std::string(body, 'x'));
  run.Fin();
  const auto step = run.matcher().Take();
  return step ? step->problem : "nothing";
}

TEST(ScriptPlan, TheMessageIsBounded) {
  EXPECT_EQ(ProblemWith(kMaxScriptMessage), "");
  EXPECT_EQ(ProblemWith(kMaxScriptMessage + 1),
            "script: the message is too long");
}

TEST(ScriptPlan, AllRunsTogetherAreBounded) {
  PlanRun run(Plan("return 'discard'"));
  size_t runs = 0;
  const std::string response = Response("no");
  while (!run.matcher().over() && runs < kMaxScriptSteps) {
    run.Feed(response);
    ASSERT_TRUE(run.matcher().over() || run.Take().size() == 1);
    if (runs == 100) {
      ASSERT_TRUE(run.HandOver());
    }
    ++runs;
  }
  EXPECT_GT(runs, 100u);
  EXPECT_LE(runs, kMaxScriptSteps / kScriptRunSteps);
  EXPECT_EQ(run.matcher().Take()->problem, "script: it takes too many steps");
}

TEST(ScriptPlan, ARetryNeedsThePlansLeave) {
  PlanRun refused(Plan("return 'retry'"));
  refused.Feed(Response("no"));
  EXPECT_EQ(refused.matcher().Take()->problem,
            "script: retry: only with retries.repeatable of the plan");
  PlanRun run(Plan("return 'retry', 1000 * (message.tries + 1)",
                   R"("retries": {"times": 3, "repeatable": true}, )"));
  run.Feed(Response("no"));
  EXPECT_EQ(run.matcher().Take()->after, std::chrono::seconds(1));
  ASSERT_TRUE(run.HandOver());
  run.Feed(Response("no"));
  EXPECT_EQ(run.matcher().Take()->after, std::chrono::seconds(2));
}

TEST(ScriptPlan, ADatagramIsAnsweredWithinItsBound) {
  for (const size_t size : {kMaxPlanDatagram, kMaxPlanDatagram + 1}) {
    PlanRun run(R"({"format": "raw", "handlers": [{"when": {"bytes": 1}, "do": [
        {"action": "script", "source": "return 'answer', message.body"}]}]})",
                {}, true);
    run.Feed(std::string(size, 'x'));
    const auto step = run.matcher().Take();
    ASSERT_TRUE(step.has_value());
    EXPECT_EQ(step->problem, size == kMaxPlanDatagram
                                 ? ""
                                 : "script: answer: the reply is too long");
  }
}

std::string ErrorOf(const std::string& plan) { return CompilePlan(plan).error; }

TEST(ScriptPlan, ErrorsNameThePlace) {
  EXPECT_EQ(ErrorOf(Plan("\\nx")),
            "plan.handlers[0].do[0].source: line 2: syntax error near <eof>");
  EXPECT_EQ(ErrorOf(R"({"handlers": [{"when": {"bytes": 1}, "do": [
                {"action": "script", "source": ""}]}]})"),
            "plan.handlers[0].do[0]: only with format raw, http or dns");
  EXPECT_EQ(ErrorOf(R"({"format": "http", "handlers": [{"when": {"bytes": 1},
                "do": ["script"]}]})"),
            "plan.handlers[0].do[0].source: is missing");
  EXPECT_EQ(ErrorOf(R"({"format": "http", "handlers": [{"when": {"bytes": 1},
                "do": ["discard", {"action": "script", "source": ""}]}]})"),
            "plan.handlers[0].do[1]: the message was changed already");
  EXPECT_EQ(ErrorOf(R"({"late": [{"action": "script", "source": ""}]})"),
            "plan.late[0]: only alert and answer, once it is late");
  EXPECT_EQ(ErrorOf(Plan("--" + std::string(kMaxScriptLength - 2, 'x'))), "");
  EXPECT_EQ(ErrorOf(Plan("--" + std::string(kMaxScriptLength - 1, 'x'))),
            "plan.handlers[0].do[0].source: longer than 8192 bytes");
}

}  // namespace
}  // namespace stubdomain
