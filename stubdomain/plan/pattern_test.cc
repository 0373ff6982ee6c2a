// Regular expressions of plans.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/pattern.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

std::string ErrorOf(std::string_view text) {
  std::string error;
  const bool refused = Pattern::Compile(text, &error) == nullptr;
  EXPECT_EQ(refused, !error.empty());
  return error;
}

std::optional<size_t> Find(std::string_view pattern, std::string_view text,
                           size_t before = 0) {
  std::string error;
  return Pattern::Compile(pattern, &error)->Find(text, before, 0);
}

TEST(PatternTest, FindsTheShortestPrefix) {
  EXPECT_EQ(Find("b+", "aabbb"), 3u);
  // The match that begins first ends later.
  EXPECT_EQ(Find("abcdef|cd", "abcdef"), 4u);
  EXPECT_EQ(Find("x", "aabbb"), std::nullopt);
  EXPECT_EQ(Find("(?s)a.c", std::string_view("a\0c", 3)), 3u);
}

TEST(PatternTest, LooksBackButDoesNotBeginThere) {
  EXPECT_EQ(Find("^b", "ab", 1), std::nullopt);
  EXPECT_EQ(Find("(?m)^b", "\nb", 1), 2u);
  EXPECT_EQ(Find("ab", "ab", 1), std::nullopt);
  EXPECT_EQ(Find("b", "b", 0), 1u);
}

TEST(PatternTest, WhatLooksAheadIsRefused) {
  for (const char* text : {"a$", "a\\z", "\\bfoo", "a\\B", "(?m)a$", "[$]$",
                           "[]$]$", "[[:alpha:]]$", "\\Q$\\E$", "\\\\$"}) {
    EXPECT_NE(ErrorOf(text).find("looks at what follows"), std::string::npos)
        << text;
  }
  for (const char* text : {"a\\$", "[$]", "[^$]x", "[]$]", "[[:alpha:]$]",
                           "\\Q$\\E", "\\A^a", "[\\]$]"}) {
    EXPECT_EQ(ErrorOf(text), "") << text;
  }
}

TEST(PatternTest, WhatIsFoundInEverythingIsRefused) {
  EXPECT_EQ(ErrorOf(""), "it is found in everything");
  EXPECT_EQ(ErrorOf("a*"), "it is found in everything");
}

TEST(PatternTest, SizeIsBounded) {
  EXPECT_EQ(ErrorOf(std::string(kMaxPatternLength, 'a')), "");
  EXPECT_EQ(ErrorOf(std::string(kMaxPatternLength + 1, 'a')),
            "longer than 1024 bytes");
  EXPECT_EQ(ErrorOf("(((a{30}){30}){30})"), "invalid repetition size: {30}");
  EXPECT_EQ(ErrorOf("(a{60}b{60}c{60}d{60}){10}"),
            "too large when it is compiled");
}

}  // namespace
}  // namespace stubdomain
