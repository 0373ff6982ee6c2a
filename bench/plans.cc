// What handling plans cost: for each KiB of a reply, and to compile.
//
// Plans of 1, 10 and 100 handlers look at a long HTTP response that comes in
// segments, beside a plain memcpy of the same segments and beside Beast alone.
// None of them claims the response before its end, so that all of it is looked
// at. Match has a pattern in each seventh handler, Amounts has none. bench/run
// does the sums.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <benchmark/benchmark.h>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstring>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "plan/matcher.h"
#include "plan/plan.h"

namespace stubdomain {
namespace {

namespace http = boost::beast::http;

constexpr size_t kContent = 1 << 20;
constexpr size_t kSegment = 1448;
constexpr size_t kPatternEvery = 7;

std::string Response() {
  std::string text =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
      "Content-Length: " +
      std::to_string(kContent) + "\r\n\r\n";
  std::mt19937 random(1);
  const size_t end = text.size() + kContent;
  while (text.size() < end) {
    text +=
        R"({"id": )" + std::to_string(random()) + R"(, "state": "pending"})";
  }
  text.resize(end);
  return text;
}

std::string Handler(size_t number, bool patterns) {
  const std::string n = std::to_string(number);
  if (patterns && number % kPatternEvery == 0) {
    return R"({"pattern": {"regex": "\"state\": *\"(approved|denied))" + n +
           R"("}})";
  }
  switch (number % 4) {
    case 0:
      return R"({"status": "2xx", "body": )" +
             std::to_string(kContent + 1 + number) + "}";
    case 1:
      return R"({"header": {"name": "X-Kind", "value": ")" + n + R"("}})";
    case 2:
      return R"({"any": [{"at": {"bytes": "00"}}, {"body": )" +
             std::to_string(kContent + number) + "}]}";
    default:
      return R"({"status": "5xx", "body": )" + std::to_string(number) + "}";
  }
}

std::string PlanOf(size_t handlers, bool patterns) {
  std::string text = R"({"format": "http", "handlers": [)";
  for (size_t i = 0; i < handlers; ++i) {
    text += std::string(i > 0 ? ", " : "") + R"({"when": )" +
            Handler(i, patterns) + "}";
  }
  return text + R"(], "otherwise": "ignore"})";
}

void CountBytes(benchmark::State& state, size_t bytes) {
  state.counters["kib"] = static_cast<double>(bytes) / 1024;
}

template <typename Take>
void BySegments(std::string_view text, Take take) {
  for (; !text.empty(); text.remove_prefix(std::min(kSegment, text.size()))) {
    take(text.substr(0, kSegment));
  }
}

void Memcpy(benchmark::State& state) {
  const std::string reply = Response();
  std::vector<char> copy(kSegment);
  for (auto _ : state) {
    BySegments(reply, [&](std::string_view segment) {
      std::memcpy(copy.data(), segment.data(), segment.size());
      benchmark::DoNotOptimize(copy.data());
      benchmark::ClobberMemory();
    });
  }
  CountBytes(state, reply.size());
}

void Beast(benchmark::State& state) {
  const std::string reply = Response();
  for (auto _ : state) {
    http::response_parser<http::string_body> parser;
    parser.body_limit(2 * kContent);
    parser.eager(true);
    boost::beast::error_code error;
    std::string pending;
    BySegments(reply, [&](std::string_view segment) {
      pending += segment;
      const size_t taken = parser.put({pending.data(), pending.size()}, error);
      pending.erase(0, taken);
    });
    if (error || !parser.is_done()) throw std::logic_error("Beast is done");
  }
  CountBytes(state, reply.size());
}

void Run(benchmark::State& state, bool patterns) {
  const std::string reply = Response();
  const Compiled compiled =
      CompilePlan(PlanOf(static_cast<size_t>(state.range(0)), patterns));
  if (compiled.plan == nullptr) throw std::logic_error(compiled.error);
  for (auto _ : state) {
    Matcher matcher(compiled.plan, {}, false, Time{});
    BySegments(reply, [&](std::string_view segment) {
      matcher.Feed(
          {reinterpret_cast<const uint8_t*>(segment.data()), segment.size()},
          Time{});
    });
    const auto step = matcher.Take();
    if (!step || step->action != Action::kIgnore ||
        step->by != Step::By::kOtherwise) {
      throw std::logic_error("no handler claims it");
    }
  }
  CountBytes(state, reply.size());
}

void Match(benchmark::State& state) { Run(state, true); }
void Amounts(benchmark::State& state) { Run(state, false); }

void Compile(benchmark::State& state) {
  const std::string text = PlanOf(static_cast<size_t>(state.range(0)), true);
  for (auto _ : state) {
    const Compiled compiled = CompilePlan(text);
    if (compiled.plan == nullptr) throw std::logic_error(compiled.error);
  }
}

void Handlers(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(1)->Arg(10)->Arg(100);
}

BENCHMARK(Memcpy);
BENCHMARK(Beast);
BENCHMARK(Match)->Apply(Handlers);
BENCHMARK(Amounts)->Apply(Handlers);
BENCHMARK(Compile)->Apply(Handlers);

}  // namespace
}  // namespace stubdomain

BENCHMARK_MAIN();
