// Replies that are prepared for the program.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/transform.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

#include "plan/gzip.h"

namespace stubdomain {
namespace {

constexpr Transform kAssemble{.assemble = true};
constexpr int kGzip = 15 + 16;
constexpr int kZlib = 15;

std::string Deflate(std::string_view text, int window_bits = kGzip) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits,
                         8, Z_DEFAULT_STRATEGY),
            Z_OK);
  std::string packed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string Response(const std::string& fields, const std::string& content) {
  return "HTTP/1.1 200 OK\r\n" + fields + "\r\n" + content;
}

std::string Sized(const std::string& fields, const std::string& content) {
  return Response(
      fields + "Content-Length: " + std::to_string(content.size()) + "\r\n",
      content);
}

std::string Packed(const std::string& content,
                   const std::string& encoding = "gzip") {
  return Sized("Content-Encoding: " + encoding + "\r\n", content);
}

std::string Made(const Transform& transform, const std::string& response) {
  const Transformed made = Apply(transform, response);
  EXPECT_EQ(made.refusal, TransformRefusal::kNone);
  return made.text;
}

TransformRefusal Refused(const Transform& transform,
                         const std::string& response) {
  const Transformed made = Apply(transform, response);
  EXPECT_EQ(made.text, "");
  return made.refusal;
}

TEST(Assembling, ChunksBecomeOnePiece) {
  EXPECT_EQ(
      Made(kAssemble,
           Response("A: 1\r\nTransfer-Encoding: chunked\r\nB: 2\r\n",
                    "5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nT: x\r\n\r\n")),
      Response("A: 1\r\nB: 2\r\nContent-Length: 11\r\n", "hello world"));
}

TEST(Assembling, WhatEndsWithTheConnectionGetsALength) {
  EXPECT_EQ(Made(kAssemble, Response("", "hello")),
            Response("Content-Length: 5\r\n", "hello"));
}

TEST(Assembling, WhatHasALengthStays) {
  EXPECT_EQ(Made(kAssemble, Sized("A: 1\r\n", "hello")),
            Sized("A: 1\r\n", "hello"));
}

TEST(Assembling, WithoutContentNothingIsAnnouncedAnew) {
  const std::string to_head = Response("Transfer-Encoding: chunked\r\n", "");
  EXPECT_EQ(Made(kAssemble, to_head), to_head);
  const std::string none = "HTTP/1.1 204 No Content\r\nA: 1\r\n\r\n";
  EXPECT_EQ(Made({.assemble = true, .decode = true}, none), none);
}

TEST(Decoding, ContentIsDecodedAndItsLengthTold) {
  const std::string text(5000, 'x');
  EXPECT_EQ(Made({.decode = true}, Packed(Deflate(text))), Sized("", text));
  EXPECT_EQ(Made({.decode = true}, Packed(Deflate(text, kZlib), "Deflate")),
            Sized("", text));
  EXPECT_EQ(Made({.decode = true},
                 Packed(Deflate("one ") + Deflate("two"), "x-gzip")),
            Sized("", "one two"));
}

TEST(Decoding, ChunksAreAssembledFirst) {
  const std::string packed = Deflate("hello");
  char size[16];
  std::snprintf(size, sizeof(size), "%zx\r\n", packed.size());
  EXPECT_EQ(Made({.decode = true}, Response("Content-Encoding: gzip\r\n"
                                            "Transfer-Encoding: chunked\r\n",
                                            size + packed + "\r\n0\r\n\r\n")),
            Sized("", "hello"));
}

TEST(Decoding, WhatIsNotCompressedStays) {
  EXPECT_EQ(Made({.decode = true}, Sized("", "hello")), Sized("", "hello"));
}

TEST(Decoding, WhatCannotBeDecodedIsRefusedByName) {
  const Transform decode{.decode = true};
  EXPECT_EQ(Refused(decode, Packed("x", "br")), TransformRefusal::kEncoding);
  EXPECT_EQ(Refused(decode, Packed("x", "gzip, br")),
            TransformRefusal::kEncoding);
  EXPECT_EQ(Refused(decode, Packed("hello")), TransformRefusal::kContent);
  const std::string packed = Deflate("hello");
  EXPECT_EQ(Refused(decode, Packed(packed.substr(0, packed.size() - 1))),
            TransformRefusal::kContent);
  EXPECT_EQ(Refused(decode, Packed(packed + "x")), TransformRefusal::kContent);
  std::string part = Packed(packed);
  part.replace(9, 6, "206 OK");
  EXPECT_EQ(Refused(decode, part), TransformRefusal::kPart);
}

TEST(Decoding, ABombIsRefusedAtTheBound) {
  const auto bomb = [](size_t size) {
    return Packed(Deflate(std::string(size, '\0')));
  };
  EXPECT_LT(bomb(kMaxTransform).size(), 10'000u);
  EXPECT_EQ(Made({.decode = true}, bomb(kMaxTransform)).size(),
            Sized("", std::string(kMaxTransform, 'x')).size());
  EXPECT_EQ(Refused({.decode = true}, bomb(kMaxTransform + 1)),
            TransformRefusal::kContent);
  EXPECT_EQ(Gunzip(Deflate(std::string(100, 'x')), 99), std::nullopt);
}

TEST(Stripping, FieldsAreLeftOut) {
  EXPECT_EQ(
      Made({.strip = {"set-cookie", "X-No"}},
           Sized("Set-Cookie: a=1\r\nA: 1\r\nSET-COOKIE: b\r\n", "hello")),
      Sized("A: 1\r\n", "hello"));
  const std::string chunked =
      Response("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n\r\n");
  EXPECT_EQ(Made({.strip = {"A"}}, chunked), chunked);
}

TEST(Stripping, WhatFramesAResponseMayNotGo) {
  EXPECT_FALSE(MayStrip("content-length"));
  EXPECT_FALSE(MayStrip("Transfer-Encoding"));
  EXPECT_FALSE(MayStrip("Connection"));
  EXPECT_TRUE(MayStrip("Set-Cookie"));
}

TEST(Transforming, OnlyOneWholeResponseIsUnderstood) {
  for (const char* text : {"", "hello", "HTTP/1.1 200 OK\r\n",
                           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
                           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello!",
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                           "\r\n5\r\nhello\r\n0\r\n"}) {
    EXPECT_EQ(Refused(kAssemble, text), TransformRefusal::kNotUnderstood)
        << text;
  }
}

TEST(Transforming, ItsSizeIsBounded) {
  const std::string head = Sized("", std::string(kMaxTransform - 100, 'x'));
  EXPECT_EQ(Refused(kAssemble, head + std::string(101, 'x')),
            TransformRefusal::kTooLarge);
  EXPECT_EQ(Made(kAssemble, head).size(), head.size());
}

}  // namespace
}  // namespace stubdomain
