// The bound on what is kept for all connections together.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_BUFFER_BUDGET_H_
#define STUBDOMAIN_TCP_BUFFER_BUDGET_H_

#include <algorithm>
#include <cstdint>
#include <utility>

namespace stubdomain {

// Bytes that may be kept. An advertised window is a promise to keep what fits
// into it, so it is reserved before it is advertised. Outlives its shares.
class BufferBudget {
 public:
  explicit BufferBudget(uint64_t limit) : limit_(limit) {}
  BufferBudget(const BufferBudget&) = delete;
  BufferBudget& operator=(const BufferBudget&) = delete;

  // A limit below what is reserved binds what comes next.
  void set_limit(uint64_t limit) {
    if (limit > limit_) ++news_;
    limit_ = limit;
  }
  uint64_t limit() const { return limit_; }
  uint64_t reserved() const { return reserved_; }
  uint64_t available() const { return limit_ - std::min(limit_, reserved_); }
  // Changes whenever there is more room than before.
  uint64_t news() const { return news_; }

 private:
  friend class BufferShare;

  uint64_t limit_;
  uint64_t reserved_ = 0;
  uint64_t news_ = 0;
};

// What one connection has reserved; given back when it is destroyed.
class BufferShare {
 public:
  explicit BufferShare(BufferBudget* budget) : budget_(budget) {}
  BufferShare(const BufferShare&) = delete;
  BufferShare& operator=(const BufferShare&) = delete;
  ~BufferShare() { Release(amount_); }

  uint64_t amount() const { return amount_; }
  uint64_t available() const { return budget_->available(); }

  // Reserves `bytes`, or as many of them as there are. Returns how many.
  uint64_t Reserve(uint64_t bytes) {
    const uint64_t granted = std::min(bytes, available());
    Take(granted);
    return granted;
  }
  // Counts bytes that are there already, even beyond the limit.
  void Take(uint64_t bytes) {
    amount_ += bytes;
    budget_->reserved_ += bytes;
  }
  // `bytes` is at most amount().
  void Release(uint64_t bytes) {
    if (bytes > 0) ++budget_->news_;
    amount_ -= bytes;
    budget_->reserved_ -= bytes;
  }

 private:
  BufferBudget* budget_;
  uint64_t amount_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_BUFFER_BUDGET_H_
