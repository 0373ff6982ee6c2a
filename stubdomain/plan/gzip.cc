// Decodes gzip and zlib (RFC 1952, RFC 1950), to a bound.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>

namespace stubdomain {
namespace {

constexpr size_t kPiece = 32 << 10;
// The largest window, and either format.
constexpr int kWindowBits = 15 + 32;

class Inflater {
 public:
  explicit Inflater(std::string_view data) {
    ok_ = data.size() <= std::numeric_limits<uInt>::max() &&
          inflateInit2(&stream_, kWindowBits) == Z_OK;
    // zlib does not write there.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    stream_.avail_in = static_cast<uInt>(data.size());
  }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  bool ok() const { return ok_; }
  bool over() const { return over_; }
  // The next bytes; none only if it is over, or not ok.
  std::string_view Next() {
    stream_.next_out = piece_.data();
    stream_.avail_out = kPiece;
    while (ok_ && !over_ && stream_.avail_out == kPiece) {
      const int result = inflate(&stream_, Z_NO_FLUSH);
      if (result == Z_STREAM_END) {
        over_ = stream_.avail_in == 0;
        ok_ = over_ || inflateReset(&stream_) == Z_OK;
      } else {
        ok_ = result == Z_OK;
      }
    }
    return {reinterpret_cast<const char*>(piece_.data()),
            kPiece - stream_.avail_out};
  }

 private:
  z_stream stream_{};
  bool ok_;
  bool over_ = false;
  std::array<Bytef, kPiece> piece_;
};

}  // namespace

std::optional<std::string> Gunzip(std::string_view data, size_t most) {
  Inflater inflater(data);
  std::string decoded;
  while (inflater.ok() && !inflater.over()) {
    const std::string_view piece = inflater.Next();
    if (piece.size() > most - decoded.size()) return std::nullopt;
    decoded += piece;
  }
  if (!inflater.ok()) return std::nullopt;
  return decoded;
}

}  // namespace stubdomain
