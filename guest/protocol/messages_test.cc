// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "protocol/messages.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

using nlohmann::json;

std::string RequestErrorOf(const std::string& text) {
  try {
    ParseRequest(text);
  } catch (const JsonError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ParseRequest, IsTheInverseOfEncode) {
  WaitRequest wait;
  wait.flow =
      Flow{.guest = Endpoint{"10.0.2.15", 4000}, .peer = {"10.0.2.2", 80}};
  wait.timeout_ms = UINT32_MAX;
  wait.plan = {{"bytes", 7}};
  wait.suspend = false;
  wait.detach = true;
  const auto parsed =
      std::get<WaitRequest>(ParseRequest(Encode(Request(wait))));
  EXPECT_EQ(parsed.flow, wait.flow);
  EXPECT_EQ(parsed.timeout_ms, wait.timeout_ms);
  EXPECT_EQ(parsed.plan, wait.plan);
  EXPECT_FALSE(parsed.suspend);
  EXPECT_TRUE(parsed.detach);
  EXPECT_TRUE(std::holds_alternative<StatusRequest>(
      ParseRequest(Encode(Request(StatusRequest())))));
}

TEST(ParseRequest, IsTheInverseOfEncodeForListening) {
  ListenRequest listen;
  listen.port = 80;
  listen.answer = true;
  listen.guest_port = 8080;
  listen.timeout_ms = 5;
  listen.plan = {{"bytes", 7}};
  const auto parsed =
      std::get<ListenRequest>(ParseRequest(Encode(Request(listen))));
  EXPECT_EQ(parsed.port, 80);
  EXPECT_TRUE(parsed.answer);
  EXPECT_EQ(parsed.guest_port, 8080);
  EXPECT_EQ(parsed.timeout_ms, 5u);
  EXPECT_EQ(parsed.plan, listen.plan);
  EXPECT_TRUE(parsed.suspend);
  listen.answer = false;
  EXPECT_FALSE(
      std::get<ListenRequest>(ParseRequest(Encode(Request(listen)))).answer);
}

TEST(ParseRequest, LeftOutMembersHaveTheirDefaults) {
  const auto wait = std::get<WaitRequest>(ParseRequest(R"({"op":"wait"})"));
  EXPECT_FALSE(wait.flow);
  EXPECT_EQ(wait.timeout_ms, 0u);
  EXPECT_EQ(wait.plan, json::object());
  EXPECT_TRUE(wait.suspend);
}

TEST(ParseRequest, ErrorsNameThePlace) {
  EXPECT_EQ(RequestErrorOf("{}"), "'op' is missing");
  EXPECT_EQ(RequestErrorOf(R"({"op":"stop"})"),
            "'op': expected \"wait\", \"listen\", \"cancel\", \"register\", "
            "\"inhibit\", \"status\", \"check\" or \"history\"");
  EXPECT_EQ(RequestErrorOf(R"({"op":"wait","importance":6})"),
            "'importance': expected a whole number from 0 to 5");
  EXPECT_EQ(RequestErrorOf(R"({"op":"register","name":")" +
                           std::string(65, 'x') + "\"}"),
            "'name': expected 64 bytes at most");
  EXPECT_EQ(RequestErrorOf(R"({"op":"listen","accept":"hold"})"),
            "'port' is missing");
  EXPECT_EQ(RequestErrorOf(R"({"op":"listen","port":80})"),
            "'accept' is missing");
  EXPECT_EQ(RequestErrorOf(R"({"op":"listen","port":80,"accept":"x"})"),
            "'accept': expected \"hold\" or \"answer\"");
  EXPECT_EQ(RequestErrorOf(R"({"op":"status","x":1})"), "'x' is not known");
  EXPECT_EQ(RequestErrorOf(R"({"op":"wait","timeout":4294967296})"),
            "'timeout': expected a whole number from 0 to 4294967295");
  EXPECT_EQ(RequestErrorOf(R"({"op":"wait","plan":[]})"),
            "'plan': expected an object");
  EXPECT_EQ(RequestErrorOf(R"({"op":"wait","suspend":0})"),
            "'suspend': expected true or false");
  EXPECT_EQ(RequestErrorOf(R"({"op":"wait","flow":{"peer":{"port":1}}})"),
            "'flow.peer.host' is missing");
  EXPECT_EQ(RequestErrorOf(R"({"op":"wait","received":1})"),
            "'received': expected an array");
  EXPECT_EQ(RequestErrorOf(R"({"op":"wait","received":[1,-1]})"),
            "'received': expected whole numbers, or null");
}

TEST(ParseAnswer, IsTheInverseOfEncode) {
  for (const auto& stubs : {std::vector<uint32_t>{7}, {7, 9, 8}}) {
    EXPECT_EQ(
        std::get<Accepted>(ParseAnswer(Encode(Answer(Accepted{stubs})))).stubs,
        stubs);
  }
  EXPECT_EQ(
      std::get<Registered>(ParseAnswer(Encode(Answer(Registered{7})))).thread,
      7u);
  EXPECT_TRUE(std::holds_alternative<Inhibited>(
      ParseAnswer(Encode(Answer(Inhibited())))));
  const auto of_a_set = std::get<Ended>(
      ParseAnswer(Encode(Answer(Ended{7, Outcome::kReplied, 1, 63}))));
  EXPECT_EQ(of_a_set.socket, 63u);
  for (const Outcome outcome :
       {Outcome::kReplied, Outcome::kClosed, Outcome::kReset, Outcome::kTimeout,
        Outcome::kCancelled}) {
    const auto ended = std::get<Ended>(
        ParseAnswer(Encode(Answer(Ended{7, outcome, UINT64_MAX}))));
    EXPECT_EQ(ended.stub, 7u);
    EXPECT_EQ(ended.outcome, outcome);
    EXPECT_EQ(ended.bytes, UINT64_MAX);
  }
  const auto at_once = std::get<Ended>(
      ParseAnswer(Encode(Answer(Ended{std::nullopt, Outcome::kReplied, 1}))));
  EXPECT_EQ(at_once.stub, std::nullopt);
  const auto status =
      std::get<Status>(ParseAnswer(Encode(Answer(Status{{{"suspends", 1}}}))));
  EXPECT_EQ(status.status, (json{{"suspends", 1}}));
  for (const Reason reason : {Reason::kInvalid, Reason::kDenied, Reason::kBusy,
                              Reason::kRefused, Reason::kDevice}) {
    const auto error = std::get<RequestError>(
        ParseAnswer(Encode(Answer(RequestError(reason, "why")))));
    EXPECT_EQ(error.reason(), reason);
    EXPECT_STREQ(error.what(), "why");
  }
}

TEST(ParseAnswer, ErrorTextThatIsNotUtf8CanBeSent) {
  const auto error = std::get<RequestError>(
      ParseAnswer(Encode(Answer(RequestError(Reason::kRefused, "a\xff")))));
  EXPECT_STREQ(error.what(), "a\xef\xbf\xbd");
}

TEST(ParseAnswer, WhatAnAgentCannotSayIsRefused) {
  for (const char* text :
       {"", "{}", R"({"outcome":"won","bytes":1})", R"({"outcome":"replied"})",
        R"({"stub":-1})", R"({"stubs":[]})", R"({"stubs":["1"]})",
        R"({"outcome":"replied","bytes":1,"socket":64})", R"({"status":1})"}) {
    EXPECT_THROW(ParseAnswer(text), JsonError) << text;
  }
}

}  // namespace
}  // namespace stubdomain
