// Which plans are refused, and what is said of them.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <string>

#include "plan/plan.h"

namespace stubdomain {
namespace {

std::string ErrorOf(const std::string& text) {
  const Compiled compiled = CompilePlan(text);
  EXPECT_EQ(compiled.plan == nullptr, !compiled.error.empty());
  return compiled.error;
}

std::string ErrorOfCondition(const std::string& condition) {
  return ErrorOf(R"({"handlers": [{"when": )" + condition + "}]}");
}

std::string Nested(int depth) {
  std::string text = R"({"bytes": 1})";
  for (int i = 1; i < depth; ++i) text = R"({"not": )" + text + "}";
  return text;
}

std::string Times(size_t count, const std::string& element) {
  std::string list = "[";
  for (size_t i = 0; i < count; ++i) list += (i > 0 ? "," : "") + element;
  return list + "]";
}

TEST(CompilePlan, ErrorsNameThePlace) {
  EXPECT_EQ(ErrorOf("[]"), "plan: must be an object");
  EXPECT_EQ(ErrorOf("{"), "plan: is not JSON");
  EXPECT_EQ(ErrorOf(R"({"formats": "http"})"), "plan.formats: is not known");
  EXPECT_EQ(ErrorOf(R"({"format": "ftp"})"), "plan.format: 'ftp' is not known");
  EXPECT_EQ(ErrorOf(R"({"otherwise": 5})"), "plan.otherwise: must be a string");
  EXPECT_EQ(ErrorOf(R"({"handlers": {}})"), "plan.handlers: must be a list");
  EXPECT_EQ(ErrorOf(R"({"handlers": [{}]})"),
            "plan.handlers[0].when: is missing");
  EXPECT_EQ(ErrorOf(R"({"bytes": 0})"),
            "plan.bytes: must be 1 to 9223372036854775807");
  EXPECT_EQ(ErrorOf(R"({"bytes": 5, "handlers": [{"when": {"bytes": 1}}]})"),
            "plan.bytes: not together with handlers");
  EXPECT_EQ(
      ErrorOf(R"({"handlers": [{"when": {"bytes": 1}},
          {"when": {"all": [{"any": [{"pattern": {"regex": "a(b"}}]}]}}]})"),
      "plan.handlers[1].when.all[0].any[0].pattern.regex: missing ): a(b");
  EXPECT_EQ(
      ErrorOf(R"({"handlers": [{"when": {"bytes": 1},
                        "do": ["ignore", "alert"]}]})"),
      "plan.handlers[0].do[1]: nothing can follow ignore, answer or retry");
  EXPECT_EQ(ErrorOf(R"({"handlers": [{"when": {"bytes": 1}, "do": ["x"]}]})"),
            "plan.handlers[0].do[0]: 'x' is not known");
  const auto action = [](const char* text) {
    return ErrorOf(R"({"handlers": [{"when": {"bytes": 1}, "do": [)" +
                   std::string(text) + "]}]}");
  };
  EXPECT_EQ(action(R"("alert", {"action": "restore"})"), "");
  EXPECT_EQ(action("5"),
            "plan.handlers[0].do[0]: must be a string or an object");
  EXPECT_EQ(action("{}"), "plan.handlers[0].do[0].action: is missing");
  EXPECT_EQ(action(R"({"action": "x"})"),
            "plan.handlers[0].do[0].action: 'x' is not known");
  EXPECT_EQ(action(R"("alert", {"action": "restore", "at": 5})"),
            "plan.handlers[0].do[1].at: is not known");
  EXPECT_EQ(ErrorOf(R"({"method": ""})"),
            "plan.method: must have 1 to 32 characters");
}

TEST(CompilePlan, ErrorsInConditionsNameThePlace) {
  EXPECT_EQ(ErrorOfCondition("{}"), "plan.handlers[0].when: is empty");
  EXPECT_EQ(ErrorOfCondition(R"({"any": []})"),
            "plan.handlers[0].when.any: is empty");
  EXPECT_EQ(ErrorOfCondition(R"({"not": {"x": 1}})"),
            "plan.handlers[0].when.not.x: is not known");
  for (const char* status : {"20", "2x", "99", "600-500", "0xx", "2xxx"}) {
    EXPECT_EQ(
        ErrorOfCondition(R"({"status": ")" + std::string(status) + R"("})"),
        "plan.handlers[0].when.status: must be like 200, 2xx or 400-499");
  }
  EXPECT_EQ(ErrorOfCondition(R"({"share": 101})"),
            "plan.handlers[0].when.share: must be 1 to 100");
  EXPECT_EQ(ErrorOfCondition(R"({"quiet": 0})"),
            "plan.handlers[0].when.quiet: must be 1 to 4294967295");
  EXPECT_EQ(ErrorOfCondition(R"({"fin": 1})"),
            "plan.handlers[0].when.fin: must be true or false");
  EXPECT_EQ(ErrorOfCondition(R"({"icmp": "x"})"),
            "plan.handlers[0].when.icmp: 'x' is not known");
  EXPECT_EQ(ErrorOfCondition(R"({"icmp": true})"),
            "plan.handlers[0].when.icmp: must be a string");
  EXPECT_EQ(ErrorOfCondition(R"({"header": {"value": "x"}})"),
            "plan.handlers[0].when.header.name: is missing");
  EXPECT_EQ(ErrorOfCondition(R"({"header": {"name": "x", "value": "", "pattern":
                           "x"}})"),
            "plan.handlers[0].when.header.pattern: not together with value");
  for (const char* bytes : {"", "0", "0g", "0d0"}) {
    EXPECT_EQ(ErrorOfCondition(R"({"at": {"bytes": ")" + std::string(bytes) +
                               R"("}})"),
              "plan.handlers[0].when.at.bytes: must be bytes in hexadecimal, "
              "like 0d0a");
  }
  EXPECT_EQ(ErrorOfCondition(R"({"rcode": 3})"),
            "plan.handlers[0].when.rcode: only with format dns");
}

TEST(CompilePlan, ActionsMustFitTheFormatAndEachOther) {
  const auto error = [](const char* format, const char* actions) {
    return ErrorOf(std::string("{") + format +
                   R"("handlers": [{"when": {"bytes": 1}, "do": )" + actions +
                   "}]}");
  };
  const char* http = R"("format": "http", )";
  EXPECT_EQ(error(http, R"(["alert", "discard", "alert", "restore"])"), "");
  EXPECT_EQ(error("", R"(["alert", "discard"])"),
            "plan.handlers[0].do[1]: only with format raw, http or dns");
  EXPECT_EQ(error(R"("format": "tls", )", R"(["discard"])"),
            "plan.handlers[0].do[0]: only with format raw, http or dns");
  EXPECT_EQ(error(http, R"(["discard", "discard"])"),
            "plan.handlers[0].do[1]: the message was changed already");
  const auto transform = [&](const std::string& members) {
    return error(http, (R"([{"action": "transform")" + members + "}]").c_str());
  };
  EXPECT_EQ(transform(R"(, "decode": true, "strip": ["Set-Cookie"])"), "");
  EXPECT_EQ(error(R"("format": "raw", )",
                  R"([{"action": "transform", "assemble": true}])"),
            "plan.handlers[0].do[0]: only with format http");
  EXPECT_EQ(error(http, R"(["transform"])"),
            "plan.handlers[0].do[0]: needs one of assemble, decode and strip");
  EXPECT_EQ(transform(R"(, "strip": ["A", "content-length"])"),
            "plan.handlers[0].do[0].strip[1]: the program needs it to find the "
            "end of the reply");
  EXPECT_EQ(transform(R"(, "strip": [5])"),
            "plan.handlers[0].do[0].strip[0]: must be a string");
  EXPECT_EQ(transform(R"(, "strip": )" + Times(kMaxStrip, R"("A")")), "");
  EXPECT_EQ(transform(R"(, "strip": )" + Times(kMaxStrip + 1, R"("A")")),
            "plan.handlers[0].do[0].strip: has more than 16");
  EXPECT_EQ(error("", R"([{"action": "importance", "value": 5}])"), "");
  EXPECT_EQ(error("", R"([{"action": "importance", "value": 6}])"),
            "plan.handlers[0].do[0].value: must be 0 to 5");
  EXPECT_EQ(error("", R"(["importance"])"),
            "plan.handlers[0].do[0].value: is missing");
  EXPECT_EQ(error(http, R"(["discard", {"action": "transform",
                             "assemble": true}])"),
            "plan.handlers[0].do[1]: the message was changed already");
  EXPECT_EQ(
      error(http, R"(["ignore", "discard"])"),
      "plan.handlers[0].do[1]: nothing can follow ignore, answer or retry");
}

TEST(CompilePlan, WhatFollowsARestoreMustBeAbleTo) {
  const auto error = [](const char* actions) {
    return ErrorOf(std::string(R"({"format": "http", "handlers": [{"when":
        {"bytes": 1}, "do": ["restore", )") +
                   actions + "]}]}");
  };
  EXPECT_EQ(error(R"({"action": "send", "text": "a"}, "alert", "buffer",
                     "discard", "alert")"),
            "");
  const std::string place = "plan.handlers[0].do[1]: ";
  EXPECT_EQ(error(R"("restore")"), place + "not behind restore");
  EXPECT_EQ(error(R"("ignore")"), place + "not behind restore");
  EXPECT_EQ(error(R"({"action": "importance", "value": 1})"),
            place + "not behind restore");
  EXPECT_EQ(error(R"("buffer", {"action": "send", "text": "a"})"),
            "plan.handlers[0].do[2]: the guest speaks for itself by then");
  EXPECT_EQ(ErrorOf(R"({"format": "http", "retries": {"times": 1,
      "repeatable": true}, "handlers": [{"when": {"bytes": 1},
      "do": ["restore", "retry"]}]})"),
            place + "not behind restore");
}

TEST(CompilePlan, ErrorsInActionsNameThePlace) {
  const auto error = [](const char* action, const char* more = "") {
    return ErrorOf(std::string("{") + more +
                   R"("handlers": [{"when": {"bytes": 1}, "do": [)" + action +
                   "]}]}");
  };
  const std::string place = "plan.handlers[0].do[0]";
  EXPECT_EQ(error(R"("send")"), place + ": needs one of bytes and text");
  EXPECT_EQ(error(R"({"action": "send", "bytes": "0g"})"),
            place + ".bytes: must be bytes in hexadecimal, like 0d0a");
  EXPECT_EQ(error(R"({"action": "send", "text": ""})"),
            place + ".text: is empty");
  EXPECT_EQ(error(R"({"action": "send", "text": "a", "bytes": "61"})"),
            place + ".text: not together with bytes");
  EXPECT_EQ(error(R"("alert", {"action": "send", "text": "a", "to": 5})"),
            "plan.handlers[0].do[1].to: is not known");
  EXPECT_EQ(error(R"("answer")"),
            place + ": needs one of bytes, text, http, rcode and rst");
  EXPECT_EQ(error(R"({"action": "answer", "text": "a", "rst": true})"),
            place + ": needs one of bytes, text, http, rcode and rst");
  EXPECT_EQ(error(R"({"action": "answer", "rst": true, "close": true})"),
            place + ".close: not together with rst");
  EXPECT_EQ(error(R"({"action": "answer", "rcode": 2})"),
            place + ".rcode: only with format dns");
  EXPECT_EQ(
      error(R"({"action": "answer", "rcode": 16})", R"("format": "dns",)"),
      place + ".rcode: must be 0 to 15");
  EXPECT_EQ(error(R"({"action": "answer", "http": {}})", R"("format": "raw",)"),
            place + ".http: only with format http");
  EXPECT_EQ(error(R"({"action": "answer", "http": {"status": 100}})"),
            place + ".http.status: must be 200 to 999");
  EXPECT_EQ(error(R"({"action": "answer", "http": {"type": "a\r\nb"}})"),
            place + ".http.type: must be at most 128 printable characters");
  EXPECT_EQ(error(R"({"action": "answer", "text": "a"}, "restore")"),
            "plan.handlers[0].do[1]: nothing can follow ignore, answer or "
            "retry");
  EXPECT_EQ(error(R"("retry")"),
            place + ": only with retries.repeatable of the plan");
  EXPECT_EQ(error(R"("retry")", R"("retries": {"times": 1},)"),
            place + ": only with retries.repeatable of the plan");
}

TEST(CompilePlan, ErrorsInRetriesAndLateNameThePlace) {
  EXPECT_EQ(ErrorOf(R"({"retries": {}})"), "plan.retries.times: is missing");
  EXPECT_EQ(ErrorOf(R"({"retries": {"times": 101}})"),
            "plan.retries.times: must be 1 to 100");
  EXPECT_EQ(ErrorOf(R"({"retries": {"times": 1, "after": 0}})"),
            "plan.retries.after: must be 1 to 4294967295");
  EXPECT_EQ(ErrorOf(R"({"retries": {"times": 100, "repeatable": 1}})"),
            "plan.retries.repeatable: must be true or false");
  EXPECT_EQ(ErrorOf(R"({"retries": {"times": 1, "if": 1}})"),
            "plan.retries.if: is not known");
  EXPECT_EQ(ErrorOf(R"({"late": ["alert", "restore"]})"),
            "plan.late[1]: only alert and answer, once it is late");
  EXPECT_EQ(ErrorOf(R"({"late": ["alert", {"action": "answer"}]})"),
            "plan.late[1]: needs one of bytes, text, http, rcode and rst");
  EXPECT_EQ(ErrorOf(R"({"late": ["alert", {"action": "answer", "http": {}}]})"),
            "");
}

TEST(CompilePlan, AConditionMustFitTheFormat) {
  const auto error = [](const char* format, const char* condition) {
    return ErrorOf(std::string(R"({"format": ")") + format +
                   R"(", "handlers": [{"when": )" + condition + "}]}");
  };
  EXPECT_EQ(error("raw", R"({"status": "200"})"),
            "plan.handlers[0].when.status: only with format http");
  EXPECT_EQ(error("tls", R"({"pattern": {"regex": "x"}})"),
            "plan.handlers[0].when.pattern: what is in TLS records cannot be "
            "read");
  EXPECT_EQ(error("dns", R"({"id": 5, "rcode": 0})"), "");
}

TEST(CompilePlan, AtTheBoundsItCompilesAndBeyondItDoesNot) {
  const std::string handler = R"({"when": {"bytes": 1}})";
  const auto handlers = [&](size_t count) {
    return ErrorOf(R"({"handlers": )" + Times(count, handler) + "}");
  };
  EXPECT_EQ(handlers(kMaxHandlers), "");
  EXPECT_EQ(handlers(kMaxHandlers + 1), "plan.handlers: has more than 128");

  EXPECT_EQ(ErrorOfCondition(Nested(kMaxConditionDepth)), "");
  EXPECT_EQ(ErrorOfCondition(Nested(kMaxConditionDepth + 1)),
            "plan.handlers[0].when.not.not.not.not.not.not.not.not: deeper "
            "than 8 conditions");

  const auto checks = [&](size_t count) {
    return ErrorOfCondition(R"({"all": )" + Times(count, R"({"bytes": 1})") +
                            "}");
  };
  EXPECT_EQ(checks(kMaxChecks), "");
  EXPECT_EQ(checks(kMaxChecks + 1),
            "plan.handlers[0].when.all: has more than 512");

  const auto patterns = [&](size_t count) {
    return ErrorOfCondition(
        R"({"any": )" + Times(count, R"({"pattern": {"regex": "x"}})") + "}");
  };
  EXPECT_EQ(patterns(kMaxPatterns), "");
  EXPECT_EQ(patterns(kMaxPatterns + 1),
            "plan.handlers[0].when.any[16].pattern.regex: more than 16 "
            "patterns");

  const auto actions = [&](size_t count) {
    return ErrorOf(R"({"handlers": [{"when": {"bytes": 1}, "do": )" +
                   Times(count, R"("alert")") + "}]}");
  };
  EXPECT_EQ(actions(kMaxActions), "");
  EXPECT_EQ(actions(kMaxActions + 1), "plan.handlers[0].do: has more than 8");

  const auto name = [&](size_t length) {
    return ErrorOf(R"({"handlers": [{"when": {"bytes": 1}, "name": ")" +
                   std::string(length, 'n') + R"("}]})");
  };
  EXPECT_EQ(name(kMaxNameLength), "");
  EXPECT_EQ(name(kMaxNameLength + 1),
            "plan.handlers[0].name: must have 1 to 64 bytes");

  const auto padded = [&](size_t length) {
    return ErrorOf("{}" + std::string(length - 2, ' '));
  };
  EXPECT_EQ(padded(kMaxPlanBytes), "");
  EXPECT_EQ(padded(kMaxPlanBytes + 1), "plan: longer than 16384 bytes");
}

}  // namespace
}  // namespace stubdomain
