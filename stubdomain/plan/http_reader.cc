// HTTP/1 responses.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/http_reader.h"

#include <algorithm>
#include <array>
#include <boost/beast/http/basic_parser.hpp>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string_view>
#include <utility>

namespace stubdomain {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

constexpr uint16_t kSwitchingProtocols = 101;

}  // namespace

// Notes what Beast finds. Content goes by without being kept.
class HttpReader::Parser : public http::basic_parser<false> {
 public:
  Parser(Facts* facts, bool skip_body) : facts_(facts) {
    header_limit(kMaxHttpHead);
    // None at all would be less than any (Boost 1.74).
    body_limit(std::numeric_limits<uint64_t>::max());
    skip(skip_body);
  }

  bool head_done() const { return head_done_; }
  std::optional<uint64_t> TakeChunk() {
    return std::exchange(chunk_, std::nullopt);
  }

 private:
  void on_request_impl(http::verb, string_view, string_view, int,
                       error_code&) override {}
  void on_response_impl(int code, string_view, int, error_code&) override {
    facts_->status = static_cast<uint16_t>(code);
  }
  void on_field_impl(http::field, string_view name, string_view value,
                     error_code&) override {
    if (head_done_) return;  // a trailer
    facts_->headers.emplace_back(std::string(name), std::string(value));
  }
  void on_header_impl(error_code&) override { head_done_ = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&,
                         error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code&) override {
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t size, string_view,
                            error_code&) override {
    chunk_ = size;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body,
                                 error_code&) override {
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  Facts* facts_;
  bool head_done_ = false;
  std::optional<uint64_t> chunk_;  // that begins
};

HttpReader::HttpReader(const Request& request)
    : request_(request),
      parser_(std::make_unique<Parser>(&facts_, request.head)) {}

HttpReader::~HttpReader() = default;

Duration HttpReader::patience() const {
  return facts_.known ? Duration::zero() : kPatience;
}

// Beast is handed whole lines, and content: so what it says of a byte does not
// depend on how the stream was cut.
MessageReader::Run HttpReader::Take(std::span<const uint8_t> bytes) {
  if (tunnel_) return {.size = bytes.size(), .content = true};
  return body_ == Body::kNone ? TakeLine(bytes) : TakeContent(bytes);
}

MessageReader::Run HttpReader::TakeLine(std::span<const uint8_t> bytes) {
  const void* end = std::memchr(bytes.data(), '\n', bytes.size());
  size_t size = bytes.size();
  if (end != nullptr) {
    size =
        static_cast<size_t>(static_cast<const uint8_t*>(end) - bytes.data()) +
        1;
  }
  if (size > kMaxHttpHead - line_) {
    return {.size = kMaxHttpHead - line_ + 1, .after = After::kBroken};
  }
  line_ += size;
  const std::string_view line(reinterpret_cast<const char*>(bytes.data()),
                              size);
  if (!facts_.known) head_ += line;
  pending_ += line;
  return {.size = size, .after = end == nullptr ? After::kNothing : Put()};
}

MessageReader::After HttpReader::Put() {
  const bool knew = facts_.known;
  error_code error;
  const size_t taken = parser_->put({pending_.data(), pending_.size()}, error);
  if (error && error != http::error::need_more) return After::kBroken;
  pending_.erase(0, taken);
  if (parser_->is_done()) {
    if (!knew && parser_->content_length() == uint64_t{0}) facts_.length = 0;
    facts_.known = true;
    return After::kComplete;
  }
  if (!knew && parser_->head_done()) return HeadDone();
  if (const auto chunk = parser_->TakeChunk(); chunk && *chunk > 0) {
    body_ = Body::kChunk;
    left_ = *chunk;
    chunked_ = true;
    line_ = 0;
  }
  return After::kNothing;
}

MessageReader::After HttpReader::HeadDone() {
  facts_.known = true;
  line_ = 0;
  const bool accepted =
      request_.connect && *facts_.status >= 200 && *facts_.status < 300;
  if (*facts_.status == kSwitchingProtocols || accepted) {
    return After::kComplete;
  }
  if (parser_->chunked()) return After::kHead;
  if (const auto length = parser_->content_length()) {
    facts_.length = *length;
    body_ = Body::kLength;
    left_ = *length;
  } else {
    body_ = Body::kUntilEnd;
  }
  return After::kHead;
}

MessageReader::Run HttpReader::TakeContent(std::span<const uint8_t> bytes) {
  size_t size = bytes.size();
  if (body_ != Body::kUntilEnd) {
    size = std::min<uint64_t>(size, left_);
    left_ -= size;
  }
  Run run{.size = size, .content = true};
  if (body_ == Body::kChunk) {
    error_code error;
    parser_->put({bytes.data(), size}, error);
  }
  if (body_ == Body::kUntilEnd || left_ > 0) return run;
  if (body_ == Body::kLength) run.after = After::kComplete;
  body_ = Body::kNone;
  return run;
}

bool HttpReader::End() { return tunnel_ || body_ == Body::kUntilEnd; }

void HttpReader::Next() {
  const uint16_t status = facts_.status.value_or(0);
  const bool interim = status >= 100 && status < 200;
  tunnel_ = tunnel_ || status == kSwitchingProtocols ||
            (request_.connect && !interim);
  // The next response is to another request.
  if (!interim) request_ = {};
  facts_ = {};
  facts_.known = tunnel_;
  parser_ = std::make_unique<Parser>(&facts_, request_.head);
  body_ = Body::kNone;
  left_ = 0;
  chunked_ = false;
  head_.clear();
  pending_.clear();
  line_ = 0;
}

// Beast's parser has no serial form. It is brought to where it was by handing
// it the head again, and what stands between chunks; content is made up.

void HttpReader::Save(Writer& writer) const {
  const auto text = [&writer](const std::string& string) {
    writer.Bytes(
        {reinterpret_cast<const uint8_t*>(string.data()), string.size()});
  };
  writer.Bool(request_.head);
  writer.Bool(request_.connect);
  writer.Bool(tunnel_);
  writer.U8(static_cast<uint8_t>(body_));
  writer.U64(left_);
  writer.Bool(chunked_);
  text(head_);
  text(facts_.known ? pending_ : std::string());
}

void HttpReader::Load(Reader& reader) {
  const auto text = [&reader] {
    const std::span<const uint8_t> bytes = reader.Bytes();
    return std::string(bytes.begin(), bytes.end());
  };
  request_.head = reader.Bool();
  request_.connect = reader.Bool();
  const bool tunnel = reader.Bool();
  const uint8_t body = reader.U8();
  const uint64_t left = reader.U64();
  const bool chunked = reader.Bool();
  const std::string head = text();
  const std::string between = text();
  if (!reader.ok() || body > static_cast<uint8_t>(Body::kUntilEnd) ||
      head.size() > kMaxHttpHead || between.size() > kMaxHttpHead) {
    reader.Fail();
    return;
  }
  facts_ = {};
  parser_ = std::make_unique<Parser>(&facts_, request_.head);
  if (tunnel) {
    tunnel_ = true;
    facts_.known = true;
  } else if (!Again(head) || !Resume(static_cast<Body>(body), left, chunked) ||
             !Again(between)) {
    reader.Fail();
  }
}

// Takes what was taken before without an end of the message.
bool HttpReader::Again(std::string_view text) {
  while (!text.empty()) {
    if (body_ != Body::kNone) return false;
    const Run run =
        TakeLine({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    if (run.after == After::kBroken || run.after == After::kComplete) {
      return false;
    }
    text.remove_prefix(run.size);
  }
  return true;
}

bool HttpReader::Resume(Body body, uint64_t left, bool chunked) {
  if (facts_.known && parser_->chunked()) {
    if (body != Body::kNone && body != Body::kChunk) return false;
    if (!chunked) return body == Body::kNone && left == 0;
    if ((body == Body::kChunk) != (left > 0)) return false;
    // A chunk of what is left, or of one byte that has come.
    char line[20];
    const int length = std::snprintf(line, sizeof(line), "%llx\r\n",
                                     std::max<unsigned long long>(left, 1));
    if (!Again({line, static_cast<size_t>(length)})) return false;
    if (left == 0) TakeContent(std::array<uint8_t, 1>{});
    return true;
  }
  // The head has said the rest.
  if (body != body_ || chunked) return false;
  if (body != Body::kLength) return left == 0;
  if (left == 0 || left > left_) return false;
  left_ = left;
  return true;
}

}  // namespace stubdomain
