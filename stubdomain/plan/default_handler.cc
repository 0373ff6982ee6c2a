// The default handler.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/default_handler.h"

#include <algorithm>

namespace stubdomain {

DefaultHandler::DefaultHandler(uint64_t bytes)
    : bytes_(std::max<uint64_t>(bytes, 1)) {}

Decision DefaultHandler::Decide(const ReplyProgress& progress) const {
  // A reply that is complete counts, however the connection ended after it.
  if (progress.bytes >= bytes_) return Decision::kReplied;
  if (progress.reset) return Decision::kReset;
  if (progress.closed) return Decision::kClosed;
  if (progress.buffer_full) return Decision::kBufferFull;
  return Decision::kWait;
}

}  // namespace stubdomain
