// Further replies to a question that was asked more than once.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/duplicate_replies.h"

#include <algorithm>

namespace stubdomain {
namespace {

// What tells the replies to one question.
std::span<const uint8_t> Mark(std::span<const uint8_t> reply, bool dns) {
  constexpr size_t kId = 2;
  return dns ? reply.first(std::min(reply.size(), kId)) : reply;
}

}  // namespace

void DuplicateReplies::Expect(unsigned port, const FlowId& id,
                              std::span<const uint8_t> reply, bool dns,
                              uint32_t times, Time now) {
  Forget(port, id);
  if (times == 0) return;
  if (expected_.size() >= kMaxDuplicates) expected_.pop_front();
  const auto mark = Mark(reply, dns);
  expected_.push_back({.port = port,
                       .id = id,
                       .reply = {mark.begin(), mark.end()},
                       .dns = dns,
                       .left = times,
                       .until = now + kDuplicatesCome});
}

bool DuplicateReplies::Take(unsigned port, const FlowId& id,
                            std::span<const uint8_t> reply, Time now) {
  std::erase_if(expected_,
                [now](const Expected& one) { return one.until <= now; });
  const auto at = std::ranges::find_if(expected_, [&](const Expected& one) {
    return one.port == port && one.id == id &&
           std::ranges::equal(one.reply, Mark(reply, one.dns));
  });
  if (at == expected_.end()) return false;
  if (--at->left == 0) expected_.erase(at);
  return true;
}

void DuplicateReplies::Forget(unsigned port, const FlowId& id) {
  std::erase_if(expected_, [&](const Expected& one) {
    return one.port == port && one.id == id;
  });
}

}  // namespace stubdomain
