// How deep a VM sleeps, and when its memory goes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/depth.h"

#include <algorithm>
#include <chrono>

namespace stubdomain {
namespace {

// The larger, the less of the VM is given back.
int Shallowness(sd_depth depth) {
  switch (depth) {
    case SD_DEPTH_IDLE:
      return 2;
    case SD_DEPTH_AUTO:
      return 1;
    case SD_DEPTH_EVICT:
      break;
  }
  return 0;
}

}  // namespace

DepthWish DepthWish::Of(const sd_wait& wait) {
  DepthWish wish;
  if (wait.has_depth) wish.depth = wait.depth;
  if (wait.has_evict_delay) wish.delay_ms = wait.evict_delay_ms;
  return wish;
}

void DepthWish::Save(Writer& writer) const {
  SaveDepth(depth, writer);
  writer.Bool(delay_ms.has_value());
  if (delay_ms) writer.U32(*delay_ms);
}

DepthWish DepthWish::Load(Reader& reader) {
  DepthWish wish;
  wish.depth = LoadDepth(reader);
  if (reader.Bool()) wish.delay_ms = reader.U32();
  return wish;
}

void DepthWishes::Add(const DepthWish& wish) {
  depths_.insert(wish.depth);
  delays_.insert(wish.delay_ms);
}

void DepthWishes::Remove(const DepthWish& wish) {
  depths_.erase(depths_.find(wish.depth));
  delays_.erase(delays_.find(wish.delay_ms));
}

DepthRule DepthWishes::Combine(const sd_policy& policy) const {
  if (depths_.empty()) {
    return {policy.depth, std::chrono::milliseconds(policy.evict_delay_ms)};
  }
  sd_depth depth = SD_DEPTH_EVICT;
  for (auto at = depths_.begin(); at != depths_.end();
       at = depths_.upper_bound(*at)) {
    const sd_depth wish = at->value_or(policy.depth);
    if (Shallowness(wish) > Shallowness(depth)) depth = wish;
  }
  // Those that say nothing are the first.
  uint32_t delay_ms = delays_.rbegin()->value_or(policy.evict_delay_ms);
  if (!*delays_.begin()) delay_ms = std::max(delay_ms, policy.evict_delay_ms);
  return {depth, std::chrono::milliseconds(delay_ms)};
}

Judgement JudgeEviction(const EvictView& view, Time now) {
  const sd_depth depth = view.ordered.value_or(view.rule.depth);
  if (depth == SD_DEPTH_IDLE) return {kNever, SD_WHY_NOTHING};
  const Judgement judgement =
      view.ordered ? Judgement{view.idle_since, SD_WHY_HOST}
                   : Judgement{view.idle_since + view.rule.delay, SD_WHY_DELAY};
  const Time begin = std::max(judgement.due, now);
  if (depth == SD_DEPTH_AUTO && view.expected_wake != kNever &&
      view.expected_wake - begin < view.least_wait) {
    return {view.expects_anew == kNever ? kNever
                                        : std::max(begin, view.expects_anew),
            SD_WHY_SHORT};
  }
  return judgement;
}

void SaveDepth(std::optional<sd_depth> depth, Writer& writer) {
  writer.U8(depth ? static_cast<uint8_t>(*depth + 1) : 0);
}

std::optional<sd_depth> LoadDepth(Reader& reader) {
  const uint8_t depth = reader.U8();
  if (depth > SD_DEPTH_AUTO + 1) reader.Fail();
  if (depth == 0 || !reader.ok()) return std::nullopt;
  return static_cast<sd_depth>(depth - 1);
}

}  // namespace stubdomain
