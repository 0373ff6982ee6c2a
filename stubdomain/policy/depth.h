// How deep a VM sleeps, and when its memory goes: pure functions of what is
// known.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_POLICY_DEPTH_H_
#define STUBDOMAIN_POLICY_DEPTH_H_

#include <cstdint>
#include <optional>
#include <set>

#include "policy/judgement.h"
#include "stubdomain/stubdomain.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// What an open wait says of it; the policy says the rest.
struct DepthWish {
  std::optional<sd_depth> depth;
  std::optional<uint32_t> delay_ms;

  static DepthWish Of(const sd_wait& wait);
  void Save(Writer& writer) const;
  // Check reader.ok() afterwards.
  static DepthWish Load(Reader& reader);
};

// From the stop of the vCPUs on, memory stays for so long.
struct DepthRule {
  sd_depth depth;
  Duration delay;
};

// Those of all open waits.
class DepthWishes {
 public:
  void Add(const DepthWish& wish);
  // It is in it.
  void Remove(const DepthWish& wish);
  // The least deep and the longest delay, so that no wait is given less than it
  // asked for. Without any: the policy's.
  DepthRule Combine(const sd_policy& policy) const;

 private:
  std::multiset<std::optional<sd_depth>> depths_;
  std::multiset<std::optional<uint32_t>> delays_;
};

// The terms of an eviction.
struct EvictView {
  Time idle_since{};
  std::optional<sd_depth> ordered;  // by the host, for this suspend: at once
  DepthRule rule{};
  // As in PauseView.
  Time expected_wake = kNever;
  Time expects_anew = kNever;
  Duration least_wait{};
};

// When the memory of a VM whose vCPUs are stopped is given back, and why then.
Judgement JudgeEviction(const EvictView& view, Time now);

// The serial form of "which depth, if any".
void SaveDepth(std::optional<sd_depth> depth, Writer& writer);
std::optional<sd_depth> LoadDepth(Reader& reader);

}  // namespace stubdomain

#endif  // STUBDOMAIN_POLICY_DEPTH_H_
