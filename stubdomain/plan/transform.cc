// Prepares an HTTP response for the program that asked for it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/transform.h"

#include <strings.h>

#include <algorithm>
#include <array>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>
#include <span>
#include <utility>

#include "plan/gzip.h"
#include "plan/http_reader.h"

namespace stubdomain {
namespace {

namespace http = boost::beast::http;

using Parser = http::response_parser<http::string_body>;
using Message = Parser::value_type;

constexpr unsigned kPartialContent = 206;

bool Same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

bool IsOneOf(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::any_of(names, [&](auto one) { return Same(name, one); });
}

// Length of the head; nothing: it is not one whole response.
std::optional<size_t> Read(std::string_view text, Parser* parser) {
  const size_t size = text.size();
  boost::beast::error_code error;
  parser->header_limit(kMaxHttpHead);
  parser->body_limit(kMaxTransform);
  const auto put = [&] {
    const size_t taken = parser->put({text.data(), text.size()}, error);
    text.remove_prefix(taken);
    return !error;
  };
  if (!put() || !parser->is_header_done()) return std::nullopt;
  const size_t head = size - text.size();
  // Beast adds the trailers to them.
  const http::fields fields = parser->get().base();
  // A response to HEAD announces what does not come.
  if (text.empty()) return head;
  parser->eager(true);
  while (!parser->is_done() && !text.empty()) {
    if (!put()) return std::nullopt;
  }
  if (!parser->is_done()) parser->put_eof(error);
  if (error || !text.empty() || !parser->is_done()) return std::nullopt;
  static_cast<http::fields&>(parser->get().base()) = fields;
  return head;
}

std::string_view Value(const Message& message, http::field name) {
  const auto value = message[name];
  return {value.data(), value.size()};
}

// Also takes away what announces that.
TransformRefusal Decode(Message* message) {
  const std::string_view encoding =
      Value(*message, http::field::content_encoding);
  if (encoding.empty()) return TransformRefusal::kNone;
  static constexpr std::array<std::string_view, 3> kKnown = {"gzip", "x-gzip",
                                                             "deflate"};
  if (message->count(http::field::content_encoding) > 1 ||
      !IsOneOf(encoding, kKnown)) {
    return TransformRefusal::kEncoding;
  }
  if (message->result_int() == kPartialContent) return TransformRefusal::kPart;
  auto decoded = Gunzip(message->body(), kMaxTransform);
  if (!decoded) return TransformRefusal::kContent;
  message->body() = std::move(*decoded);
  message->erase(http::field::content_encoding);
  return TransformRefusal::kNone;
}

void Assemble(Message* message) {
  message->erase(http::field::transfer_encoding);
  message->erase(http::field::trailer);
  message->set(http::field::content_length,
               std::to_string(message->body().size()));
}

std::string HeadOf(const Message& message) {
  const auto text = [](const auto& view) {
    return std::string_view(view.data(), view.size());
  };
  std::string head = "HTTP/1." + std::to_string(message.version() % 10) + " " +
                     std::to_string(message.result_int()) + " ";
  head += text(message.reason());
  head += "\r\n";
  for (const auto& field : message) {
    head += text(field.name_string());
    head += ": ";
    head += text(field.value());
    head += "\r\n";
  }
  return head + "\r\n";
}

}  // namespace

bool MayStrip(std::string_view name) {
  static constexpr std::array<std::string_view, 3> kNeeded = {
      "Content-Length", "Transfer-Encoding", "Connection"};
  return !IsOneOf(name, kNeeded);
}

Transformed Apply(const Transform& transform, std::string_view response) {
  if (response.size() > kMaxTransform) {
    return {.refusal = TransformRefusal::kTooLarge};
  }
  Parser parser;
  const auto head = Read(response, &parser);
  if (!head) return {.refusal = TransformRefusal::kNotUnderstood};
  const bool content = *head < response.size();
  Message& message = parser.get();
  const std::string_view coding =
      Value(message, http::field::transfer_encoding);
  const bool assemble = content && (transform.assemble || transform.decode);
  if (assemble && !coding.empty() && !Same(coding, "chunked")) {
    return {.refusal = TransformRefusal::kEncoding};
  }
  if (content && transform.decode) {
    const TransformRefusal refusal = Decode(&message);
    if (refusal != TransformRefusal::kNone) return {.refusal = refusal};
  }
  if (assemble) Assemble(&message);
  for (const std::string& name : transform.strip) message.erase(name);
  std::string text = HeadOf(message);
  // What is not assembled stays as it came.
  text += assemble ? message.body() : std::string(response.substr(*head));
  return {TransformRefusal::kNone, std::move(text)};
}

}  // namespace stubdomain
