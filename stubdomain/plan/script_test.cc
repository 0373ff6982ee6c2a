// What a script sees, says, and cannot do.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/script.h"

#include <gtest/gtest.h>

#include <string>

#include "plan/plan.h"
#include "plan/script_json.h"

namespace stubdomain {
namespace {

using Next = ScriptVerdict::Next;

Facts SomeFacts() {
  Facts facts;
  facts.known = true;
  facts.status = 202;
  facts.headers = {{"X-Kind", "slow"}, {"X-Kind", "second"}};
  return facts;
}

ScriptVerdict RunIt(const std::string& source, std::string_view body = "some",
                    uint32_t* steps = nullptr) {
  const Facts facts = SomeFacts();
  const std::string bytes = "head " + std::string(body);
  uint32_t all = kMaxScriptSteps;
  return RunScript(source,
                   {.format = "http",
                    .bytes = bytes,
                    .body = body,
                    .facts = facts,
                    .handler = "h",
                    .number = 3,
                    .tries = 2},
                   steps != nullptr ? steps : &all);
}

std::string ProblemOf(const std::string& source) {
  return RunIt(source).problem;
}

// What an expression is, as text.
std::string Value(const std::string& expression) {
  const ScriptVerdict verdict =
      RunIt("alert(tostring(" + expression + "))", "some body");
  EXPECT_EQ(verdict.problem, "") << expression;
  return verdict.alerts.empty() ? "" : verdict.alerts.front();
}

TEST(ScriptTest, ItIsToldWhatTheMessageIs) {
  EXPECT_EQ(Value("message.format"), "http");
  EXPECT_EQ(Value("message.status"), "202");
  EXPECT_EQ(Value("message.bytes"), "head some body");
  EXPECT_EQ(Value("message.body"), "some body");
  EXPECT_EQ(Value("message.handler"), "h");
  EXPECT_EQ(Value("message.number .. message.tries"), "32");
  EXPECT_EQ(Value("message.rcode"), "nil");
  EXPECT_EQ(Value("header('x-kind')"), "slow");
  EXPECT_EQ(Value("header('none')"), "nil");
}

TEST(ScriptTest, ItSaysWhatComesNext) {
  EXPECT_EQ(RunIt("").next, Next::kNextAction);
  EXPECT_EQ(RunIt("return nil").next, Next::kNextAction);
  EXPECT_EQ(RunIt("return 'restore'").next, Next::kRestore);
  EXPECT_EQ(RunIt("return 'ignore'").next, Next::kIgnore);
  EXPECT_EQ(RunIt("return 'discard'").next, Next::kDiscard);
  EXPECT_EQ(RunIt("return 'retry'").after, std::nullopt);
  const ScriptVerdict retry = RunIt("return 'retry', 100 << message.tries");
  EXPECT_EQ(retry.next, Next::kRetry);
  EXPECT_EQ(retry.after, std::chrono::milliseconds(400));
  const ScriptVerdict answer =
      RunIt("return 'answer', message.body:upper() .. '\\0'");
  EXPECT_EQ(answer.next, Next::kAnswer);
  EXPECT_EQ(answer.answer, std::string("SOME\0", 5));
  const ScriptVerdict alerts = RunIt(
      "for i, name in ipairs({'a', 'b'}) do alert(i .. name) end "
      "return 'discard'");
  EXPECT_EQ(alerts.next, Next::kDiscard);
  EXPECT_EQ(alerts.alerts, std::vector<std::string>({"1a", "2b"}));
}

TEST(ScriptTest, ARegularExpressionIsFound) {
  EXPECT_EQ(Value("match('o.')"), "om");
  EXPECT_EQ(Value("match('s(o)(.)')"), "o");
  EXPECT_EQ(Value("select"), "nil");
  EXPECT_EQ(Value("match('x')"), "nil");
  EXPECT_EQ(Value("match('^b', 'body')"), "b");
  EXPECT_EQ(RunIt("local a, b = match('(x)?s(o)') "
                  "return a == nil and b == 'o' and 'discard'")
                .next,
            Next::kDiscard);
  EXPECT_EQ(ProblemOf("match('(')"), "line 1: match: missing ): (");
  EXPECT_EQ(ProblemOf("match('" + std::string(1025, 'a') + "')"),
            "line 1: match: the regular expression is too long");
}

// What an expression is, with what `json` says as its message's body.
std::string OfJson(const std::string& json, const std::string& expression) {
  const ScriptVerdict verdict =
      RunIt("local it = json() alert(tostring(" + expression + "))", json);
  return verdict.alerts.empty() ? verdict.problem : verdict.alerts.front();
}

TEST(ScriptTest, JsonIsRead) {
  EXPECT_EQ(OfJson(R"({"state": "approved"})", "it.state"), "approved");
  EXPECT_EQ(OfJson(R"({"a": [1, {"b": -2.5}]})", "it.a[1] + it.a[2].b"),
            "-1.5");
  EXPECT_EQ(OfJson("[true, null, 3]", "it[1] and it[2] == nil and it[3]"), "3");
  EXPECT_EQ(OfJson("18446744073709551615", "it"), "1.844674407371e+19");
  EXPECT_EQ(OfJson("-9223372036854775808", "it"), "-9223372036854775808");
  EXPECT_EQ(OfJson(R"("a\u0000b")", "#it"), "3");
  EXPECT_EQ(OfJson("{", "it"), "nil");
  EXPECT_EQ(OfJson("", "it"), "nil");
  EXPECT_EQ(OfJson("{}", "json('[7]')[1]"), "7");
  EXPECT_EQ(OfJson("{}", "json({})"),
            "line 1: bad argument #1 to 'json' (string expected, got table)");
}

TEST(ScriptTest, JsonIsBounded) {
  const auto nested = [](int depth) {
    const auto size = static_cast<size_t>(depth);
    return std::string(size, '[') + std::string(size, ']');
  };
  EXPECT_EQ(OfJson(nested(kMaxScriptJsonDepth), "type(it)"), "table");
  EXPECT_EQ(OfJson(nested(kMaxScriptJsonDepth + 1), "type(it)"), "nil");
  EXPECT_EQ(OfJson(nested(30'000), "type(it)"), "nil");
  std::string many = "[0";
  while (many.size() < 60'000) many += ",[]";
  EXPECT_EQ(OfJson(many + "]", "#it"), "it needs too much memory");
  EXPECT_EQ(RunIt("while true do json('[]') end").problem,
            "it takes too many steps");
}

TEST(ScriptTest, WhatGoesWrongIsTold) {
  EXPECT_EQ(CheckScript("return 'restore'"), "");
  EXPECT_EQ(CheckScript("\n\nif x the return end"),
            "line 3: 'then' expected near 'the'");
  EXPECT_EQ(ProblemOf("\nerror('no luck')"), "line 2: no luck");
  EXPECT_EQ(ProblemOf("error({})"), "it fails");
  EXPECT_EQ(ProblemOf("local a = message.x.y"),
            "line 1: attempt to index a nil value (field 'x')");
  EXPECT_EQ(ProblemOf("return 'fly'"),
            "it returns neither nil nor restore, ignore, discard, retry or "
            "answer");
  EXPECT_EQ(ProblemOf("return true"), ProblemOf("return 'fly'"));
  EXPECT_EQ(ProblemOf("return 'answer'"), "answer: what is the reply?");
  EXPECT_EQ(ProblemOf("return 'retry', -1"),
            "retry: after how many milliseconds?");
  EXPECT_EQ(ProblemOf("tostring({})"),
            "line 1: bad argument #1 to 'tostring' (a number, string, boolean "
            "or nil)");
}

// Neither to a file, nor to what goes on after an error, nor to what takes
// long by itself, nor to what differs from run to run.
TEST(ScriptTest, ThereIsNothingElseToCall) {
  for (const char* name : {"_G",          "collectgarbage", "coroutine",
                           "debug",       "dofile",         "getmetatable",
                           "io",          "load",           "loadfile",
                           "math",        "next",           "os",
                           "package",     "pairs",          "pcall",
                           "print",       "rawset",         "require",
                           "select",      "setmetatable",   "string.dump",
                           "string.find", "string.format",  "string.gmatch",
                           "string.gsub", "string.match",   "string.pack",
                           "string.rep",  "string.unpack",  "table",
                           "utf8",        "warn",           "xpcall"}) {
    EXPECT_EQ(Value(name), "nil") << name;
  }
  EXPECT_EQ(CheckScript("\x1bLua"),
            "attempt to load a binary chunk (mode is 't')");
}

TEST(ScriptTest, StepsAreBounded) {
  const char* kTooMany = "it takes too many steps";
  EXPECT_EQ(ProblemOf("while true do end"), kTooMany);
  EXPECT_EQ(ProblemOf("local function f() return f() end f()"), kTooMany);
  // What takes long without an instruction.
  EXPECT_EQ(ProblemOf("local s = message.body while #s < 60000 do s = s .. s "
                      "end while true do local t = s .. 'x' end"),
            kTooMany);
  EXPECT_EQ(ProblemOf("while true do match('a*b') end"), kTooMany);
  // Each run has its price.
  uint32_t steps = kScriptRunSteps + 500;
  EXPECT_EQ(RunIt("", "", &steps).problem, "");
  EXPECT_LT(steps, 500u);
  EXPECT_EQ(RunIt("", "", &steps).problem, kTooMany);
  EXPECT_EQ(steps, 0u);
}

TEST(ScriptTest, MemoryIsBounded) {
  const char* kTooMuch = "it needs too much memory";
  EXPECT_EQ(ProblemOf("local s = 'x' while true do s = s .. s end"), kTooMuch);
  EXPECT_EQ(ProblemOf("local t = {} while true do t[#t + 1] = "
                      "message.body .. #t end"),
            kTooMuch);
  EXPECT_EQ(ProblemOf("local function f() return 1 + f() end f()"), kTooMuch);
}

TEST(ScriptTest, WhatItSaysIsBounded) {
  const std::string grow = "local s = 'x' while #s < ";
  const std::string full = grow + std::to_string(kMaxScriptMessage) +
                           " do s = s .. s end return 'answer', s";
  EXPECT_EQ(RunIt(full).answer.size(), kMaxScriptMessage);
  EXPECT_EQ(ProblemOf(full + " .. 'x'"), "answer: the reply is too long");
  const ScriptVerdict longest = RunIt(grow + "1000 do s = s .. s end alert(s)");
  EXPECT_EQ(longest.alerts.front().size(), kMaxScriptAlertText);
  const ScriptVerdict many = RunIt("for i = 1, 9 do alert('x') end");
  EXPECT_EQ(many.alerts.size(), kMaxScriptAlerts);
  EXPECT_EQ(many.problem, "line 1: more than 4 alerts");
}

TEST(ScriptTest, ItSaysTheSameEachTime) {
  const std::string source =
      "local t = {} for i = 1, 200 do t['k' .. i] = message.body:sub(1, 1) end "
      "local s = '' for i = 1, 200 do s = s .. t['k' .. i] .. i end "
      "return 'answer', s";
  uint32_t first = kMaxScriptSteps;
  uint32_t second = kMaxScriptSteps;
  EXPECT_EQ(RunIt(source, "b", &first).answer,
            RunIt(source, "b", &second).answer);
  EXPECT_EQ(first, second);
}

}  // namespace
}  // namespace stubdomain
