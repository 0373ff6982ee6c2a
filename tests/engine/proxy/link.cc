// One direction of a bad wire.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "link.h"

#include <utility>

namespace stubdomain {
namespace {

// How long a frame is late that others overtake.
constexpr uint64_t kMaxLateNs = 3'000'000;

}  // namespace

bool Link::Happens(double probability) {
  return std::bernoulli_distribution(probability)(random_);
}

void Link::Put(OwnedFrame frame, uint64_t now) {
  const bool twice = Happens(faults_.duplicate);
  const bool late = Happens(faults_.reorder);
  const bool lost = Happens(faults_.drop);
  if (cut_ || lost || frames_.size() >= kMaxFrames) return;
  if (twice) frames_.emplace(now + random_() % kMaxLateNs, frame);
  frames_.emplace(late ? now + random_() % kMaxLateNs : now, std::move(frame));
}

std::optional<OwnedFrame> Link::Take(uint64_t now) {
  if (due() > now) return {};
  OwnedFrame frame = std::move(frames_.begin()->second);
  frames_.erase(frames_.begin());
  return frame;
}

}  // namespace stubdomain
