// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "protocol/json_reader.h"

#include <gtest/gtest.h>

#include <functional>

namespace stubdomain {
namespace {

using nlohmann::json;

std::string ErrorOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const JsonError& error) {
    return error.what();
  }
  return "no error";
}

std::string Nested(int depth) {
  return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') +
         "}";
}

TEST(ParseJsonObject, SyntaxErrorNamesLineAndColumn) {
  EXPECT_EQ(ErrorOf([] { ParseJsonObject("{\n\"a\" 1}"); }).substr(0, 37),
            "parse error at line 2, column 5: synt");
}

TEST(ParseJsonObject, OtherThanAnObjectIsRefused) {
  EXPECT_EQ(ErrorOf([] { ParseJsonObject("[1]"); }), "expected a JSON object");
  EXPECT_NE(ErrorOf([] { ParseJsonObject(""); }), "no error");
  EXPECT_NE(ErrorOf([] { ParseJsonObject("{} {}"); }), "no error");
}

TEST(ParseJsonObject, InvalidUtf8IsRefused) {
  EXPECT_NE(ErrorOf([] { ParseJsonObject("{\"a\": \"\xff\"}"); }), "no error");
}

TEST(ParseJsonObject, NestingAtTheBoundIsTakenAndBeyondRefused) {
  EXPECT_EQ(ErrorOf([] { ParseJsonObject(Nested(kMaxJsonDepth)); }),
            "no error");
  EXPECT_EQ(ErrorOf([] { ParseJsonObject(Nested(kMaxJsonDepth + 2)); }),
            "nested deeper than 16 levels");
}

TEST(ParseJsonObject, VeryDeepNestingDoesNotExhaustTheStack) {
  EXPECT_EQ(
      ErrorOf([] { ParseJsonObject("{\"a\":" + std::string(1 << 20, '[')); }),
      "nested deeper than 16 levels");
}

TEST(JsonReader, MembersOfTheRightKindAreRead) {
  const json object = {{"n", 5},
                       {"b", true},
                       {"s", "x"},
                       {"o", {{"k", 1}}},
                       {"a", json::array({1})}};
  JsonReader reader(object, "");
  EXPECT_EQ(reader.Number("n", 0, 5), 5u);
  EXPECT_EQ(reader.Boolean("b"), true);
  EXPECT_EQ(reader.String("s"), "x");
  EXPECT_NE(reader.Object("o"), nullptr);
  EXPECT_NE(reader.Array("a"), nullptr);
  EXPECT_EQ(reader.Number("absent", 0, 5), std::nullopt);
  EXPECT_EQ(reader.Object("absent"), nullptr);
  reader.Finish();
}

TEST(JsonReader, NumbersOutOfBoundsOrNotWholeAreRefused) {
  for (const json& value :
       {json(6), json(0), json(-1), json(1.5), json("3"), json(), json(true)}) {
    const json object = {{"n", value}};
    JsonReader reader(object, "place");
    EXPECT_EQ(ErrorOf([&] { reader.Number("n", 1, 5); }),
              "'place.n': expected a whole number from 1 to 5")
        << value;
  }
}

TEST(JsonReader, WrongKindsAreRefusedWithTheirPlace) {
  const json object = {{"x", 1}};
  JsonReader reader(object, "a.b");
  EXPECT_EQ(ErrorOf([&] { reader.String("x"); }), "'a.b.x': expected a string");
  EXPECT_EQ(ErrorOf([&] { reader.Boolean("x"); }),
            "'a.b.x': expected true or false");
  EXPECT_EQ(ErrorOf([&] { reader.Object("x"); }),
            "'a.b.x': expected an object");
  EXPECT_EQ(ErrorOf([&] { reader.Array("x"); }), "'a.b.x': expected an array");
  EXPECT_EQ(ErrorOf([&] { reader.Missing("y"); }), "'a.b.y' is missing");
}

TEST(JsonReader, MembersThatNobodyAskedForAreRefused) {
  const json object = {{"x", 1}, {"typo", 2}};
  JsonReader reader(object, "plan");
  reader.Number("x", 0, 1);
  EXPECT_EQ(ErrorOf([&] { reader.Finish(); }), "'plan.typo' is not known");
}

}  // namespace
}  // namespace stubdomain
