// Random plans on random replies: cut in whatever way, and moved elsewhere at
// whatever byte, the verdict is the same; and it is what a slow matcher says.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "plan/plan_run.h"
#include "plan/slow_matcher.h"

namespace stubdomain {
namespace {

using Lines = std::vector<std::string>;

class Chance {
 public:
  explicit Chance(uint32_t seed) : engine_(seed) {}
  size_t Below(size_t bound) { return engine_() % bound; }
  template <typename T>
  const T& Of(const std::vector<T>& list) {
    return list[Below(list.size())];
  }

 private:
  std::mt19937 engine_;
};

std::string RandomText(Chance& chance, size_t length) {
  std::string text;
  while (text.size() < length) text.push_back("abc\r\n0"[chance.Below(6)]);
  return text;
}

std::string RandomResponse(Chance& chance) {
  static const std::vector<std::string> kStatus = {
      "100 Continue", "200 OK", "206 Part", "204 None", "404 No", "503 Later"};
  const std::string body = RandomText(chance, chance.Below(40));
  std::string text = "HTTP/1.1 " + chance.Of(kStatus) + "\r\n";
  if (chance.Below(3) == 0) text += "X-Kind: slow\r\n";
  const bool bodiless =
      text.starts_with("HTTP/1.1 1") || text.starts_with("HTTP/1.1 204");
  if (bodiless) return text + "\r\n";
  if (chance.Below(2) == 0) {
    return text + "Content-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }
  text += "Transfer-Encoding: chunked\r\n\r\n";
  for (size_t at = 0; at < body.size();) {
    const size_t size = std::min(body.size() - at, 1 + chance.Below(12));
    char line[16];
    std::snprintf(line, sizeof(line), "%zx\r\n", size);
    text += line + body.substr(at, size) + "\r\n";
    at += size;
  }
  return text + "0\r\n" + (chance.Below(3) == 0 ? "T: x\r\n" : "") + "\r\n";
}

std::string RandomReply(Chance& chance, bool http) {
  if (!http) return RandomText(chance, chance.Below(60));
  std::string text;
  for (size_t i = 0; i <= chance.Below(4); ++i) text += RandomResponse(chance);
  if (chance.Below(4) == 0) text.resize(chance.Below(text.size() + 1));
  return text;
}

std::string RandomCondition(Chance& chance, bool http, int depth) {
  const auto number = [&](size_t most) {
    return std::to_string(1 + chance.Below(most));
  };
  static const std::vector<std::string> kPatterns = {"ab", "c[ab]+c", "0$?a",
                                                     "^b", "(?m)^a",  "a.?.?b"};
  switch (chance.Below(depth < 3 ? 12 : 9)) {
    case 0:
      return R"({"bytes": )" + number(120) + "}";
    case 1:
      return R"({"body": )" + number(40) + "}";
    case 2:
      return R"({"complete": true})";
    case 3: {
      std::string pattern = chance.Of(kPatterns);
      if (pattern == "0$?a") pattern = "0a";
      const std::string first =
          chance.Below(2) == 0 ? R"(, "first": )" + number(30) : "";
      return R"({"pattern": {"regex": ")" + pattern + "\"" + first + "}}";
    }
    case 4:
      return R"({"at": {"offset": )" + std::to_string(chance.Below(20)) +
             R"(, "bytes": ")" + (http ? "31" : "6161") + R"("}})";
    case 5:
      if (!http) return R"({"fin": true})";
      return R"({"status": ")" +
             chance.Of<std::string>({"2xx", "404", "100-199", "5xx"}) + R"("})";
    case 6:
      if (!http) return R"({"bytes": 3})";
      return R"({"header": {"name": "x-kind"}})";
    case 7:
      if (!http) return R"({"complete": false})";
      return R"({"share": )" + number(100) + "}";
    case 8:
      return R"({"icmp": ")" +
             chance.Of<std::string>(
                 {"any", "unreachable", "port-unreachable", "time-exceeded"}) +
             R"("})";
    case 9:
      return R"({"not": )" + RandomCondition(chance, http, depth + 1) + "}";
    default: {
      const char* kind = chance.Below(2) == 0 ? "all" : "any";
      return std::string(R"({")") + kind + R"(": [)" +
             RandomCondition(chance, http, depth + 1) + ", " +
             RandomCondition(chance, http, depth + 1) + "]}";
    }
  }
}

std::string RandomScript(Chance& chance) {
  char source[sizeof(kCountingScript) + 20];
  std::snprintf(source, sizeof(source), kCountingScript,
                static_cast<int>(chance.Below(40)),
                static_cast<int>(chance.Below(120)));
  return R"({"action": "script", "source": ")" + std::string(source) + "\"}";
}

std::string RandomPlan(Chance& chance, bool http) {
  std::string plan = std::string(R"({"format": ")") + (http ? "http" : "raw") +
                     R"(", "retries": {"times": 3, "repeatable": true},
                         "handlers": [)";
  for (size_t i = 0; i <= chance.Below(3); ++i) {
    plan +=
        std::string(i > 0 ? ", " : "") + R"({"when": )" +
        RandomCondition(chance, http, 0) + R"(, "do": )" +
        chance.Of<std::string>(
            {R"(["restore"])",
             R"(["ignore"])",
             R"(["alert"])",
             R"(["buffer", "alert"])",
             R"(["discard"])",
             R"([{"action": "importance", "value": 3}, "buffer", "restore"])",
             http ? R"([{"action": "transform",
                                                "assemble": true}])"
                  : R"(["discard", "alert"])",
             R"(["alert", "retry"])",
             R"([{"action": "send", "text": "a"}])",
             R"([{"action": "answer", "text": "a",
                                         "close": false}])",
             R"(["buffer", {"action": "answer",
                                        "text": "a"}])",
             R"(["alert", "discard", "restore"])",
             R"(["restore", "alert"])",
             R"(["restore", "buffer", "alert"])",
             R"(["alert", "restore", "alert", "discard", "alert"])",
             R"(["buffer", "restore", "alert"])",
             R"(["restore", )" + RandomScript(chance) + R"(, "discard"])",
             "[" + RandomScript(chance) + "]",
             R"(["alert", )" + RandomScript(chance) + R"(, "discard"])",
             R"(["buffer", "restore"])"}) +
        "}";
  }
  return plan + R"(], "otherwise": ")" +
         chance.Of<std::string>({"ignore", "alert", "restore"}) + R"("})";
}

struct Case {
  std::string plan;
  std::string reply;
  std::vector<ErrorAt> errors;
  bool fin;
};

std::vector<ErrorAt> RandomErrors(Chance& chance, size_t length) {
  std::vector<ErrorAt> errors;
  for (size_t at = chance.Below(2 * length + 2); at <= length;
       at += 1 + chance.Below(length + 1)) {
    errors.push_back({at, static_cast<IcmpWhy>(chance.Below(5))});
  }
  return errors;
}

// Pieces of the reply, cut as `size` says, and the errors between them.
void Feed(PlanRun* run, const Case& c, const std::function<size_t()>& size) {
  size_t at = 0;
  const auto until = [&](size_t end) {
    while (at < end) {
      const size_t piece = std::min(size(), end - at);
      run->Feed(std::string_view(c.reply).substr(at, piece));
      at += piece;
    }
  };
  for (const ErrorAt& error : c.errors) {
    until(error.at);
    run->Error(error.why);
  }
  until(c.reply.size());
}

Case RandomCase(uint32_t seed) {
  Chance chance(seed);
  const bool http = chance.Below(3) > 0;
  Case c{.plan = RandomPlan(chance, http), .reply = RandomReply(chance, http)};
  c.errors = RandomErrors(chance, c.reply.size());
  c.fin = chance.Below(2) == 0;
  return c;
}

Lines VerdictAtOnce(const Case& c) {
  PlanRun run(c.plan);
  Feed(&run, c, [&] { return c.reply.size(); });
  if (c.fin) run.Fin();
  return run.Take();
}

constexpr uint32_t kCases = 20000;

TEST(PlanCuts, TheVerdictDoesNotDependOnThem) {
  for (uint32_t seed = 0; seed < kCases; ++seed) {
    const Case c = RandomCase(seed);
    Chance chance(seed);
    PlanRun run(c.plan);
    Feed(&run, c, [&] { return 1 + chance.Below(20); });
    if (c.fin) run.Fin();
    ASSERT_EQ(run.Take(), VerdictAtOnce(c)) << c.plan << "\n" << c.reply;
  }
}

TEST(PlanSerial, AtEachByteItGoesOnElsewhere) {
  for (uint32_t seed = 0; seed < kCases / 20; ++seed) {
    const Case c = RandomCase(seed);
    PlanRun run(c.plan);
    Lines lines;
    const auto take = [&] {
      for (std::string& line : run.Take()) lines.push_back(std::move(line));
    };
    auto error = c.errors.begin();
    for (size_t i = 0; i <= c.reply.size(); ++i) {
      if (error != c.errors.end() && error->at == i) {
        run.Error(error++->why);
        take();
      }
      if (i == c.reply.size() || run.matcher().over()) break;
      run.Feed(std::string_view(c.reply).substr(i, 1));
      take();
      if (run.matcher().over()) break;
      ASSERT_TRUE(run.HandOver()) << c.plan << "\n" << c.reply << "\n" << i;
    }
    if (c.fin) run.Fin();
    take();
    ASSERT_EQ(lines, VerdictAtOnce(c)) << c.plan << "\n" << c.reply;
  }
}

// With each byte of what was saved changed, a matcher does not load, or does
// something to its end.
TEST(PlanSerial, WhatIsForgedIsRefusedOrCanBeLivedWith) {
  constexpr Time kNow{std::chrono::hours(1)};
  const auto bytes = [](std::string_view text) {
    return std::span(reinterpret_cast<const uint8_t*>(text.data()),
                     text.size());
  };
  size_t loaded = 0;
  for (uint32_t seed = 0; seed < kCases / 100; ++seed) {
    const Case c = RandomCase(seed);
    const auto plan = CompilePlan(c.plan).plan;
    Chance chance(seed);
    const std::string_view reply = c.reply;
    const size_t half = chance.Below(reply.size() + 1);
    Matcher matcher(plan, {}, false, kNow);
    matcher.Feed(bytes(reply.substr(0, half)), kNow);
    if (matcher.over() && !matcher.follows()) continue;
    Writer writer;
    matcher.Save(writer, kNow);
    std::vector<uint8_t> saved = writer.Take();
    for (uint8_t& byte : saved) {
      const uint8_t was = byte;
      byte = static_cast<uint8_t>(chance.Below(3) == 0 ? chance.Below(256)
                                                       : chance.Below(3));
      Matcher forged(plan, {}, false, kNow);
      Reader reader(saved);
      if (forged.Load(reader, kNow)) {
        ++loaded;
        if (forged.follows()) forged.GoOn(kNow);
        forged.Feed(bytes(reply.substr(half)), kNow);
        if (forged.follows()) forged.GoOn(kNow);
        forged.End(false, kNow);
        while (forged.Take()) {
        }
      }
      byte = was;
    }
  }
  EXPECT_GT(loaded, 1000u);
}

TEST(PlanOracle, ASlowMatcherSaysTheSame) {
  for (uint32_t seed = 0; seed < kCases; ++seed) {
    const Case c = RandomCase(seed);
    const Compiled compiled = CompilePlan(c.plan);
    ASSERT_NE(compiled.plan, nullptr) << compiled.error;
    ASSERT_EQ(VerdictAtOnce(c),
              SlowMatch(*compiled.plan, c.reply, c.errors, c.fin))
        << c.plan << "\n"
        << c.reply;
  }
}

}  // namespace
}  // namespace stubdomain
