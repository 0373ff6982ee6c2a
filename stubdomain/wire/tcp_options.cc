// TCP's options: reading and writing them.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/tcp_options.h"

#include <algorithm>

#include "wire/network_order.h"

namespace stubdomain {
namespace {

enum Kind : uint8_t {
  kEnd = 0,
  kNoOperation = 1,
  kMss = 2,
  kWindowScale = 3,
  kSackPermitted = 4,
  kSack = 5,
  kTimestamps = 8,
  kMd5 = 19,
  kAuthentication = 29,
  kMultipath = 30,
};

constexpr size_t kMaxOptions = 40;

// `body` is behind kind and length. An option of a known kind with the wrong
// length is as good as absent.
void ParseOption(uint8_t kind, std::span<const uint8_t> body,
                 TcpOptions* options) {
  switch (kind) {
    case kMss:
      if (body.size() == 2) options->mss = Get16(body, 0);
      break;
    case kWindowScale:
      if (body.size() == 1) {
        options->window_shift = std::min(body[0], kMaxWindowShift);
      }
      break;
    case kSackPermitted:
      if (body.empty()) options->sack_permitted = true;
      break;
    case kSack:
      if (body.size() % 8 != 0) break;
      for (size_t at = 0; at < body.size(); at += 8) {
        options->sack.Add({Seq(Get32(body, at)), Seq(Get32(body, at + 4))});
      }
      break;
    case kTimestamps:
      if (body.size() == 8) {
        options->timestamps = Timestamps{Get32(body, 0), Get32(body, 4)};
      }
      break;
    case kMd5:
    case kAuthentication:
      options->authenticated = true;
      break;
    case kMultipath:
      options->multipath = true;
      break;
  }
}

// Padded.
size_t LengthBesideBlocks(const TcpOptions& options) {
  return size_t{options.mss ? 4u : 0u} + (options.sack_permitted ? 4 : 0) +
         (options.window_shift ? 4 : 0) + (options.timestamps ? 12 : 0);
}

size_t BlocksThatFit(const TcpOptions& options) {
  const size_t room = kMaxOptions - LengthBesideBlocks(options);
  return room < 12 ? 0 : std::min<size_t>(options.sack.count, (room - 4) / 8);
}

}  // namespace

bool ParseTcpOptions(std::span<const uint8_t> bytes, TcpOptions* options) {
  while (!bytes.empty() && bytes[0] != kEnd) {
    if (bytes[0] == kNoOperation) {
      bytes = bytes.subspan(1);
      continue;
    }
    if (bytes.size() < 2) return false;
    const size_t length = bytes[1];
    if (length < 2 || length > bytes.size()) return false;
    ParseOption(bytes[0], bytes.subspan(2, length - 2), options);
    bytes = bytes.subspan(length);
  }
  return true;
}

size_t TcpOptionsLength(const TcpOptions& options) {
  const size_t blocks = BlocksThatFit(options);
  return LengthBesideBlocks(options) + (blocks > 0 ? 4 + 8 * blocks : 0);
}

void WriteTcpOptions(const TcpOptions& options, std::vector<uint8_t>* bytes) {
  const auto append = [bytes](std::initializer_list<uint8_t> values) {
    bytes->insert(bytes->end(), values);
  };
  if (options.mss) {
    append({kMss, 4});
    Append16(bytes, *options.mss);
  }
  if (options.sack_permitted)
    append({kNoOperation, kNoOperation, kSackPermitted, 2});
  if (options.window_shift) {
    append({kNoOperation, kWindowScale, 3, *options.window_shift});
  }
  if (options.timestamps) {
    append({kNoOperation, kNoOperation, kTimestamps, 10});
    Append32(bytes, options.timestamps->value);
    Append32(bytes, options.timestamps->echo);
  }
  if (const size_t blocks = BlocksThatFit(options); blocks > 0) {
    append({kNoOperation, kNoOperation, kSack,
            static_cast<uint8_t>(2 + 8 * blocks)});
    for (size_t i = 0; i < blocks; ++i) {
      Append32(bytes, options.sack.blocks[i].begin.value());
      Append32(bytes, options.sack.blocks[i].end.value());
    }
  }
}

}  // namespace stubdomain
