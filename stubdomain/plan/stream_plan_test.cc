// Plans for raw bytes, DNS and TLS.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "plan/plan_run.h"

namespace stubdomain {
namespace {

using Lines = std::vector<std::string>;

std::string Record(uint8_t type, size_t length) {
  const char head[] = {static_cast<char>(type), 3, 3,
                       static_cast<char>(length >> 8),
                       static_cast<char>(length)};
  return std::string(head, sizeof(head)) + std::string(length, 'r');
}

// An answer of 20 bytes.
std::string Answer(uint16_t id, uint8_t rcode) {
  std::string text = {static_cast<char>(id >> 8), static_cast<char>(id),
                      static_cast<char>(0x81), static_cast<char>(rcode)};
  return text + std::string(16, '\0');
}

TEST(RawPlan, TheEmptyPlanWakesAtTheFirstByte) {
  PlanRun run("{}");
  run.Feed("anything");
  EXPECT_EQ(run.Take(), Lines({"restore built-in 0 @1"}));
}

TEST(RawPlan, BytesAtAPlaceAreLookedAt) {
  const auto at = [](std::string_view text) {
    PlanRun run(R"({"format": "raw", "otherwise": "ignore", "handlers": [
        {"name": "at", "when": {"at": {"offset": 2, "bytes": "6162"}}}]})");
    run.FeedByByte(text);
    return run.Take();
  };
  EXPECT_EQ(at("xyabc"), Lines({"restore at 0 @4"}));
  EXPECT_EQ(at("xyacb"), Lines({"ignore otherwise 0 @4"}));
  EXPECT_EQ(at("xya"), Lines());
}

TEST(RawPlan, APatternIsFoundWhereverItBegins) {
  const std::string needle =
      "needle" + std::string(kPatternWindow - 12, '.') + "needle";
  for (size_t begin = 0; begin < 3 * kPatternWindow; begin += 511) {
    PlanRun run(R"({"format": "raw", "handlers": [
        {"name": "it", "when": {"pattern": {"regex": "needle.*needle"}}}]})");
    run.Feed(std::string(begin, '-') + needle + "---");
    EXPECT_EQ(run.Take(), Lines({"restore it 0 @" +
                                 std::to_string(begin + needle.size())}));
  }
}

TEST(RawPlan, APatternForTheFirstBytesIsNotFoundBehindThem) {
  PlanRun run(R"({"format": "raw", "otherwise": "ignore", "handlers": [
      {"name": "it", "when": {"pattern": {"regex": "ab", "first": 5}}}]})");
  run.Feed("....ab");
  EXPECT_EQ(run.Take(), Lines({"ignore otherwise 0 @5"}));
}

TEST(RawPlan, ABeginningIsThatOfTheStream) {
  PlanRun run(R"({"format": "raw", "handlers": [
      {"name": "it", "when": {"pattern": {"regex": "^b"}}}]})");
  run.Feed(std::string(kPatternWindow, 'a') +
           std::string(2 * kPatternWindow, 'b'));
  EXPECT_EQ(run.Take(), Lines());
}

TEST(RawPlan, WhatEndsWithTheConnectionIsComplete) {
  PlanRun run(R"({"format": "raw", "handlers": [
      {"name": "end", "when": {"complete": true}}]})");
  run.Feed("abc");
  run.Fin();
  EXPECT_EQ(run.Take(), Lines({"restore end 0 @3"}));
}

TEST(RawPlan, AnEndCanBeTold) {
  constexpr std::string_view kEnds = R"({"format": "raw", "handlers": [
      {"name": "fin", "when": {"fin": true}},
      {"name": "rst", "when": {"rst": true}}]})";
  PlanRun closed(kEnds);
  closed.Fin();
  EXPECT_EQ(closed.Take(), Lines({"restore fin 0 @0"}));
  PlanRun reset(kEnds);
  reset.Reset();
  EXPECT_EQ(reset.Take(), Lines({"restore rst 0 @0"}));
}

constexpr std::string_view kErrors = R"({"format": "raw", "handlers": [
    {"name": "port", "when": {"icmp": "port-unreachable"}},
    {"name": "far", "when": {"icmp": "unreachable"}},
    {"name": "time", "when": {"icmp": "time-exceeded"}},
    {"name": "any", "when": {"icmp": "any"}}]})";

TEST(IcmpPlan, ErrorsAreToldApart) {
  const auto claimed = [](IcmpWhy why, bool datagrams) {
    PlanRun run(kErrors, {}, datagrams);
    run.Error(why);
    return run.Take();
  };
  for (const bool datagrams : {false, true}) {
    EXPECT_EQ(claimed(IcmpWhy::kPortUnreachable, datagrams),
              Lines({"restore port 0 @0"}));
    EXPECT_EQ(claimed(IcmpWhy::kUnreachable, datagrams),
              Lines({"restore far 0 @0"}));
    EXPECT_EQ(claimed(IcmpWhy::kTimeExceeded, datagrams),
              Lines({"restore time 0 @0"}));
    EXPECT_EQ(claimed(IcmpWhy::kParameterProblem, datagrams),
              Lines({"restore any 0 @0"}));
    // Path MTU discovery goes on by it.
    EXPECT_EQ(claimed(IcmpWhy::kTooBig, datagrams), Lines());
  }
}

TEST(IcmpPlan, OnAStreamItCountsForTheMessageThatIsUnderWay) {
  PlanRun run(R"({"format": "http", "handlers": [
      {"name": "go on", "when": {"status": "1xx"}, "do": ["ignore"]},
      {"name": "lost", "when": {"icmp": "any", "bytes": 3},
       "do": ["alert", "buffer", "restore"]}]})");
  run.Error(IcmpWhy::kUnreachable);
  EXPECT_EQ(run.Take(), Lines());
  EXPECT_TRUE(run.HandOver());
  run.Feed("HTTP/1.1 100 Go on\r\n\r\n");
  EXPECT_EQ(run.Take(), Lines({"alert lost 0 @3", "restore lost 0 @22"}));
}

TEST(IcmpPlan, OnAStreamTheNextMessageKnowsNothingOfIt) {
  PlanRun run(R"({"format": "http", "otherwise": "ignore", "handlers": [
      {"name": "lost", "when": {"icmp": "any", "status": "200"}}]})");
  run.Feed("HTTP/1.1 100 Go on\r\n");
  run.Error(IcmpWhy::kUnreachable);
  run.Feed("\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(run.Take(),
            Lines({"ignore otherwise 0 @22", "ignore otherwise 1 @60"}));
}

TEST(IcmpPlan, AmongDatagramsItStandsForOne) {
  PlanRun run(R"({"format": "dns", "match": {"id": 7}, "handlers": [
      {"name": "no", "when": {"not": {"rcode": 0}}, "do": ["discard"]},
      {"name": "lost", "when": {"icmp": "any"}, "do": ["alert", "discard"]}
      ]})",
              {}, true);
  run.Error(IcmpWhy::kPortUnreachable);
  run.Error(IcmpWhy::kUnreachable);
  EXPECT_EQ(run.Take(), Lines({"alert lost 0 @0", "discard lost 0 @0",
                               "alert lost 1 @0", "discard lost 1 @0"}));
  EXPECT_TRUE(run.HandOver());
  run.Feed(Answer(7, 3));
  run.Feed(Answer(7, 0));
  EXPECT_EQ(run.Take(), Lines({"discard no 2 @20", "restore built-in 3 @40"}));
}

TEST(RawPlan, TimeThatHasPassedIsNoticedBeforeTheBytesBehindIt) {
  PlanRun run(R"({"format": "raw", "handlers": [
      {"name": "still", "when": {"quiet": 100}},
      {"name": "late", "when": {"elapsed": 5000}},
      {"name": "much", "when": {"bytes": 5}}]})");
  run.Feed("ab");
  run.Feed("cd");
  EXPECT_EQ(run.Take(), Lines());
  run.PassUnnoticed(100);
  run.Feed("ef");
  EXPECT_EQ(run.Take(), Lines({"restore still 0 @4"}));
}

TEST(RawPlan, ElapsedTimeNeedsNoByte) {
  PlanRun run(R"({"handlers": [{"name": "late", "when": {"elapsed": 5000}}]})");
  run.Pass(4999);
  EXPECT_EQ(run.Take(), Lines());
  run.Pass(1);
  EXPECT_EQ(run.Take(), Lines({"restore late 0 @0"}));
}

TEST(DnsPlan, AnAnswerWakes) {
  PlanRun run(R"({"format": "dns"})", {}, true);
  run.Feed(Answer(7, 0));
  EXPECT_EQ(run.Take(), Lines({"restore built-in 0 @12"}));
}

TEST(DnsPlan, OnlyTheAnswerWithTheIdWakes) {
  constexpr std::string_view kPlan = R"({"format": "dns", "match": {"id": 7},
      "handlers": [{"name": "no", "when": {"rcode": 3}},
                   {"name": "yes", "when": {"rcode": 0, "complete": true}}]})";
  PlanRun datagrams(kPlan, {}, true);
  datagrams.Feed(Answer(8, 3));
  EXPECT_EQ(datagrams.Take(), Lines({"ignore not-matched 0 @12"}));
  datagrams.Feed(Answer(7, 0));
  EXPECT_EQ(datagrams.Take(), Lines({"restore yes 1 @40"}));

  PlanRun stream(kPlan);
  stream.FeedByByte(std::string("\0\x14", 2) + Answer(8, 0));
  EXPECT_EQ(stream.Take(), Lines({"ignore not-matched 0 @14"}));
  stream.FeedByByte(std::string("\0\x14", 2) + Answer(7, 3));
  EXPECT_EQ(stream.Take(), Lines({"restore no 1 @36"}));
}

TEST(DnsPlan, WhatIsTooShortIsNotUnderstood) {
  PlanRun stream(R"({"format": "dns"})");
  stream.Feed(std::string("\0\x0b", 2));
  EXPECT_EQ(stream.Take(), Lines({"restore not-understood 0 @2"}));
}

TEST(TlsPlan, ACompleteRecordWakes) {
  PlanRun run("{}");
  const std::string record = Record(23, 300);
  run.Feed(record.substr(0, 304));
  EXPECT_EQ(run.Take(), Lines());
  run.Feed(record.substr(304));
  EXPECT_EQ(run.Take(), Lines({"restore built-in 0 @305"}));
}

TEST(TlsPlan, AHandshakeWakes) {
  PlanRun run("{}", {.young = true});
  run.Feed(Record(22, 100));
  EXPECT_EQ(run.Take(), Lines({"restore built-in 0 @105"}));
}

TEST(TlsPlan, TicketsDoNotWake) {
  PlanRun run("{}", {.young = true});
  run.Feed(Record(23, 250) + Record(23, 250));
  run.Pass(9999);
  EXPECT_EQ(run.Take(), Lines());
  run.Feed(Record(23, 400));
  EXPECT_EQ(run.Take(), Lines({"restore built-in 0 @915"}));
}

TEST(TlsPlan, WhatLooksLikeATicketWakesAfterAll) {
  PlanRun one("{}", {.young = true});
  one.Feed(Record(23, 250));
  one.Pass(49);
  EXPECT_EQ(one.Take(), Lines());
  one.Pass(1);
  EXPECT_EQ(one.Take(), Lines({"restore built-in 0 @255"}));
  PlanRun two("{}", {.young = true});
  two.Feed(Record(23, 250) + Record(23, 250));
  two.Pass(10000);
  EXPECT_EQ(two.Take(), Lines({"restore built-in 0 @510"}));
}

TEST(TlsPlan, ApplicationDataCountsByRecords) {
  PlanRun run(R"({"format": "tls", "handlers": [
      {"name": "data", "when": {"body": 500}}]})");
  run.Feed(Record(22, 600) + Record(23, 300));
  EXPECT_EQ(run.Take(), Lines());
  run.Feed(Record(23, 300));
  EXPECT_EQ(run.Take(), Lines({"restore data 0 @1215"}));
}

TEST(TlsPlan, WhatIsNoRecordIsNotUnderstood) {
  PlanRun run(R"({"format": "tls"})");
  run.Feed("hello");
  EXPECT_EQ(run.Take(), Lines({"restore not-understood 0 @5"}));
}

}  // namespace
}  // namespace stubdomain
