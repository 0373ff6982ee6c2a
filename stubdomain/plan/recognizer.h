// Which format a stream has, by its first bytes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_RECOGNIZER_H_
#define STUBDOMAIN_PLAN_RECOGNIZER_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "plan/plan.h"
#include "plan/stream_readers.h"

namespace stubdomain {

// Keeps the bytes that it needed.
class Recognizer {
 public:
  static constexpr std::string_view kHttp = "HTTP/1.";
  static constexpr size_t kMost = kHttp.size();

  // The next byte. Kraw if it is nothing else; nothing: it takes more bytes.
  std::optional<Format> Put(uint8_t byte);
  std::span<const uint8_t> taken() const { return {bytes_.data(), size_}; }

 private:
  std::array<uint8_t, kMost> bytes_{};
  size_t size_ = 0;
};

inline std::optional<Format> Recognizer::Put(uint8_t byte) {
  bytes_[size_++] = byte;
  const std::string_view text(reinterpret_cast<const char*>(bytes_.data()),
                              size_);
  if (kHttp.starts_with(text)) {
    return size_ < kHttp.size() ? std::nullopt : std::optional(Format::kHttp);
  }
  if (TlsReader::MayBegin(taken())) {
    return size_ < TlsReader::kHeader ? std::nullopt
                                      : std::optional(Format::kTls);
  }
  return Format::kRaw;
}

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_RECOGNIZER_H_
