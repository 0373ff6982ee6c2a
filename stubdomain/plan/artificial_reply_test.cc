// What artificial replies look like.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/artificial_reply.h"

#include <gtest/gtest.h>

#include <string_view>

namespace stubdomain {
namespace {

using Kind = ArtificialReply::Kind;
using namespace std::string_literals;  // bytes of zero are in them
using namespace std::string_view_literals;

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string Text(const ArtificialReply& reply, const AskedFor& asked) {
  const auto bytes = Compose(reply, asked);
  return bytes ? std::string(bytes->begin(), bytes->end()) : "nothing";
}

TEST(ArtificialReply, BytesAreAsTheyAre) {
  EXPECT_EQ(Text({.kind = Kind::kBytes, .bytes = "-ERR late\r\n"}, {}),
            "-ERR late\r\n");
  EXPECT_EQ(Text({.kind = Kind::kReset}, {}), "");
}

TEST(ArtificialReply, AResponseOfHttpIsWhole) {
  const ArtificialReply reply{
      .kind = Kind::kHttp, .bytes = "too late", .type = "text/plain"};
  EXPECT_EQ(Text(reply, {}),
            "HTTP/1.1 504 Gateway Timeout\r\n"
            "Content-Type: text/plain\r\n"
            "Content-Length: 8\r\n"
            "Connection: close\r\n\r\n"
            "too late");
  EXPECT_EQ(Text({.kind = Kind::kHttp, .status = 299, .close = false}, {}),
            "HTTP/1.1 299 <unknown-status>\r\n"
            "Content-Length: 0\r\n\r\n");
}

TEST(ArtificialReply, AHeadRequestGetsNoContent) {
  const ArtificialReply reply{.kind = Kind::kHttp, .bytes = "too late"};
  EXPECT_EQ(Text(reply, {.head = true}),
            "HTTP/1.1 504 Gateway Timeout\r\n"
            "Content-Length: 8\r\n"
            "Connection: close\r\n\r\n");
}

// Of id 0x1234, recursion desired, one question for x.y, type A, class IN, and
// one additional record.
constexpr std::string_view kHeader = "\x12\x34\x01\x20\0\x01\0\0\0\0\0\x01"sv;
constexpr std::string_view kQuestion = "\x01x\x01y\0\0\x01\0\x01"sv;
const std::string kQuery = std::string(kHeader) + std::string(kQuestion);
const std::string kAnswer =
    "\x12\x34\x81\x82\0\x01\0\0\0\0\0\0"s + std::string(kQuestion);

TEST(ArtificialReply, AnAnswerOfDnsIsToTheQuestion) {
  const ArtificialReply reply{.kind = Kind::kDns};
  const std::string query = kQuery + "the additional record";
  EXPECT_EQ(Text(reply, {.request = Bytes(query), .datagram = true}), kAnswer);
  const std::string with_length = "\0\x2a"s + query;
  EXPECT_EQ(Text(reply, {.request = Bytes(with_length)}), "\0\x15"s + kAnswer);
}

TEST(ArtificialReply, AQuestionThatCannotBeReadIsNotRepeated) {
  const ArtificialReply reply{.kind = Kind::kDns, .rcode = 5};
  const std::string header = "\x12\x34\x81\x85\0\0\0\0\0\0\0\0"s;
  const std::string compressed = std::string(kHeader) + "\xc0\x0c\0\x01\0\x01"s;
  for (const std::string& query :
       {kQuery.substr(0, kQuery.size() - 1), compressed,
        std::string(kHeader) + "\x3f", std::string(kHeader)}) {
    EXPECT_EQ(Text(reply, {.request = Bytes(query), .datagram = true}), header);
  }
}

TEST(ArtificialReply, WhatIsNoQuestionHasNoAnswer) {
  const ArtificialReply reply{.kind = Kind::kDns};
  EXPECT_EQ(Text(reply, {.datagram = true}), "nothing");
  EXPECT_EQ(
      Text(reply, {.request = Bytes(kHeader.substr(1)), .datagram = true}),
      "nothing");
  EXPECT_EQ(Text(reply, {.request = Bytes(kAnswer), .datagram = true}),
            "nothing");
  EXPECT_EQ(Text(reply, {.request = Bytes(kHeader)}), "nothing");
}

}  // namespace
}  // namespace stubdomain
