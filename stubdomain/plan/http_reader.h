// HTTP/1 responses.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_HTTP_READER_H_
#define STUBDOMAIN_PLAN_HTTP_READER_H_

#include <memory>
#include <string>
#include <string_view>

#include "plan/message_reader.h"

namespace stubdomain {

// Bytes of a head, of the trailers, or of what stands between two chunks.
// Longer ones are not understood.
inline constexpr size_t kMaxHttpHead = 64 << 10;

// One response is a message; so is a 1xx. What is content is decoded from
// chunks, but not from gzip and the like. Behind a response that changes the
// protocol (101, or a 2xx to CONNECT) there is one more message without an end,
// of which nothing is known.
class HttpReader : public MessageReader {
 public:
  explicit HttpReader(const Request& request);
  ~HttpReader() override;

  Run Take(std::span<const uint8_t> bytes) override;
  bool End() override;
  void Next() override;
  Duration patience() const override;

  void Save(Writer& writer) const override;
  void Load(Reader& reader) override;

 private:
  // What comes next, as far as it is not of a head or between chunks.
  enum class Body : uint8_t { kNone, kLength, kChunk, kUntilEnd };
  class Parser;

  Run TakeLine(std::span<const uint8_t> bytes);
  Run TakeContent(std::span<const uint8_t> bytes);
  // Hands the parser what ends with a line.
  After Put();
  After HeadDone();
  bool Again(std::string_view text);
  bool Resume(Body body, uint64_t left, bool chunked);

  Request request_;
  bool tunnel_ = false;
  std::unique_ptr<Parser> parser_;
  Body body_ = Body::kNone;
  uint64_t left_ = 0;     // of the body, or of the chunk
  bool chunked_ = false;  // chunks have begun
  std::string head_;      // to begin anew with, after Load()
  std::string pending_;   // what the parser wants to see again
  size_t line_ = 0;       // bytes of the part that has no end yet
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_HTTP_READER_H_
