// What wakes the VM, and when that is expected: who waits, and who was
// answered.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_POLICY_WAITERS_H_
#define STUBDOMAIN_POLICY_WAITERS_H_

#include <array>
#include <cstdint>
#include <map>
#include <optional>

#include "stubdomain/stubdomain.h"
#include "wire/time.h"
#include "wire/time_order.h"

namespace stubdomain {

// What an open wait says of it.
struct WaitTerms {
  // When it proposes to suspend the VM; kNever: it does not.
  Time proposal = kNever;
  // When its reply is expected; kNever: nothing is known.
  Time reply = kNever;
  uint8_t importance = 0;  // at most SD_MAX_IMPORTANCE
  friend bool operator==(const WaitTerms&, const WaitTerms&) = default;
};

// A thread with several waits is one waiter, and so is each wait of no thread.
class Waiters {
 public:
  using Id = uint64_t;
  static Id Thread(uint32_t thread) { return uint64_t{1} << 32 | thread; }
  static Id Wait(uint32_t number) { return number; }

  // -- the open waits, by number --
  void Open(Id waiter, uint32_t number, const WaitTerms& terms);
  // It is open, with these terms.
  void Close(Id waiter, uint32_t number, const WaitTerms& terms);

  // The first of its open waits that proposes a suspend does so then. Nothing:
  // it has none.
  std::optional<Time> Proposal(Id waiter) const;
  // Those that have open waits.
  size_t open() const { return replies_.size(); }
  // When so many of them (at least 1) are expected to have a reply, or one of
  // them has one of at least this importance. kNever: nothing is known.
  Time ExpectedWake(uint32_t replies, uint32_t importance) const;

  // -- those that were answered while the VM is stopped --
  void Answer(Id waiter, uint8_t importance);
  void ForgetAnswered();
  uint32_t answered() const { return answered_; }
  // The highest; 0 without any.
  uint8_t importance() const { return importance_; }
  // Those, and those that still wait.
  uint32_t awaited() const { return static_cast<uint32_t>(waiters_.size()); }

 private:
  struct Waiter {
    TimeOrder proposals;  // of its open waits, by number
    TimeOrder replies;
    bool answered = false;
  };

  std::map<Id, Waiter> waiters_;
  TimeOrder replies_;  // the first of each that has open waits
  // Of all open waits of an importance, by number.
  std::array<TimeOrder, SD_MAX_IMPORTANCE + 1> by_importance_;
  uint32_t answered_ = 0;
  uint8_t importance_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_POLICY_WAITERS_H_
