// TCP's options: reading and writing them.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/tcp_options.h"

#include <algorithm>

#include "wire/network_order.h"
#include "wire/protocol_numbers.h"

namespace stubdomain {
namespace {

constexpr size_t kMaxOptions = 40;

// `body` is behind kind and length. An option of a known kind with the wrong
// length is as good as absent.
void ParseOption(uint8_t kind, std::span<const uint8_t> body,
                 TcpOptions* options) {
  switch (kind) {
    case kOptionMss:
      if (body.size() == 2) options->mss = Get16(body, 0);
      break;
    case kOptionWindowScale:
      if (body.size() == 1) {
        options->window_shift = std::min(body[0], kMaxWindowShift);
      }
      break;
    case kOptionSackPermitted:
      if (body.empty()) options->sack_permitted = true;
      break;
    case kOptionSack:
      if (body.size() % 8 != 0) break;
      for (size_t at = 0; at < body.size(); at += 8) {
        options->sack.Add({Seq(Get32(body, at)), Seq(Get32(body, at + 4))});
      }
      break;
    case kOptionTimestamps:
      if (body.size() == 8) {
        options->timestamps = Timestamps{Get32(body, 0), Get32(body, 4)};
      }
      break;
    case kOptionMd5:
    case kOptionAuthentication:
      options->authenticated = true;
      break;
    case kOptionMultipath:
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
  while (!bytes.empty() && bytes[0] != kOptionEnd) {
    if (bytes[0] == kOptionNoOperation) {
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

void WriteTcpOptions(const TcpOptions& options, HeaderBytes* bytes) {
  if (options.mss) {
    bytes->Append({kOptionMss, 4});
    bytes->Append16(*options.mss);
  }
  if (options.sack_permitted)
    bytes->Append(
        {kOptionNoOperation, kOptionNoOperation, kOptionSackPermitted, 2});
  if (options.window_shift) {
    bytes->Append(
        {kOptionNoOperation, kOptionWindowScale, 3, *options.window_shift});
  }
  if (options.timestamps) {
    bytes->Append(
        {kOptionNoOperation, kOptionNoOperation, kOptionTimestamps, 10});
    bytes->Append32(options.timestamps->value);
    bytes->Append32(options.timestamps->echo);
  }
  if (const size_t blocks = BlocksThatFit(options); blocks > 0) {
    bytes->Append({kOptionNoOperation, kOptionNoOperation, kOptionSack,
                   static_cast<uint8_t>(2 + 8 * blocks)});
    for (size_t i = 0; i < blocks; ++i) {
      bytes->Append32(options.sack.blocks[i].begin.value());
      bytes->Append32(options.sack.blocks[i].end.value());
    }
  }
}

}  // namespace stubdomain
