// The default handler: what happens to a reply that no other handler claims.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_DEFAULT_HANDLER_H_
#define STUBDOMAIN_PLAN_DEFAULT_HANDLER_H_

#include <cstdint>

namespace stubdomain {

// How far a reply has come.
struct ReplyProgress {
  uint64_t bytes = 0;        // in order, since the wait was laid
  bool closed = false;       // the peer closed its direction behind them
  bool reset = false;        // the connection is gone
  bool buffer_full = false;  // more cannot be kept for the connection
};

enum class Decision {
  kWait,
  kReplied,
  kBufferFull,  // as much of the reply is there as can be kept
  kClosed,
  kReset,
};

// Wakes the guest once a number of bytes has come, or when no more can come.
class DefaultHandler {
 public:
  // Waits for at least one byte, whatever `bytes` says.
  explicit DefaultHandler(uint64_t bytes);

  uint64_t bytes() const { return bytes_; }
  Decision Decide(const ReplyProgress& progress) const;

 private:
  uint64_t bytes_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_DEFAULT_HANDLER_H_
