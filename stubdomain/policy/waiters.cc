// What wakes the VM, and when that is expected.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/waiters.h"

#include <algorithm>
#include <iterator>

namespace stubdomain {

void Waiters::Open(Id waiter, uint32_t number, const WaitTerms& terms) {
  Waiter& entry = waiters_[waiter];
  if (!entry.replies.empty()) replies_.Remove(entry.replies.First(), waiter);
  entry.proposals.Add(terms.proposal, number);
  entry.replies.Add(terms.reply, number);
  replies_.Add(entry.replies.First(), waiter);
  by_importance_[terms.importance].Add(terms.reply, number);
}

void Waiters::Close(Id waiter, uint32_t number, const WaitTerms& terms) {
  const auto at = waiters_.find(waiter);
  Waiter& entry = at->second;
  replies_.Remove(entry.replies.First(), waiter);
  entry.proposals.Remove(terms.proposal, number);
  entry.replies.Remove(terms.reply, number);
  by_importance_[terms.importance].Remove(terms.reply, number);
  if (!entry.replies.empty()) {
    replies_.Add(entry.replies.First(), waiter);
  } else if (!entry.answered) {
    waiters_.erase(at);
  }
}

std::optional<Time> Waiters::Proposal(Id waiter) const {
  const auto at = waiters_.find(waiter);
  if (at == waiters_.end() || at->second.proposals.empty()) return {};
  return at->second.proposals.First();
}

Time Waiters::ExpectedWake(uint32_t replies, uint32_t importance) const {
  Time wake = replies_.Nth(replies - 1);
  for (size_t i = importance; i < by_importance_.size(); ++i) {
    wake = std::min(wake, by_importance_[i].First());
  }
  return wake;
}

void Waiters::Answer(Id waiter, uint8_t importance) {
  Waiter& entry = waiters_[waiter];
  if (!entry.answered) ++answered_;
  entry.answered = true;
  importance_ = std::max(importance_, importance);
}

void Waiters::ForgetAnswered() {
  if (answered_ == 0) return;
  answered_ = 0;
  importance_ = 0;
  for (auto at = waiters_.begin(); at != waiters_.end();) {
    at->second.answered = false;
    at = at->second.replies.empty() ? waiters_.erase(at) : std::next(at);
  }
}

}  // namespace stubdomain
