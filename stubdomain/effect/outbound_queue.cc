// The frames that the core sends.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "effect/outbound_queue.h"

#include <algorithm>
#include <utility>

namespace stubdomain {

void OutboundQueue::Emit(unsigned port, Side to, Frame frame) {
  Queue& queue = queues_[{port, to}];
  if (queue.frames.size() >= kMaxFrames ||
      queue.bytes + frame.bytes.size() > kMaxBytes) {
    return;
  }
  queue.bytes += frame.bytes.size();
  queue.frames.push_back(std::move(frame));
  queue.full |= queue.busy();
}

FrameOptions OutboundQueue::OptionsFor(unsigned port, Side to) const {
  const auto queue = queues_.find({port, to});
  return {.gso = queue != queues_.end() && queue->second.gso};
}

bool OutboundQueue::HasRoom(unsigned port, Side to) const {
  const auto queue = queues_.find({port, to});
  return queue == queues_.end() || !queue->second.full;
}

void OutboundQueue::Observe(Lane lane, const Offload& offload) {
  if (offload.gso == SD_GSO_TCPV4 || offload.gso == SD_GSO_TCPV6) {
    queues_[lane].gso = true;
  }
}

bool OutboundQueue::CanDeliver(const Lane& lane, const Queue& queue,
                               bool guest_stopped) {
  return !queue.frames.empty() && !queue.blocked &&
         !(guest_stopped && lane.to == Side::kGuest);
}

bool OutboundQueue::deliverable(bool guest_stopped) const {
  for (const auto& [lane, queue] : queues_) {
    if (CanDeliver(lane, queue, guest_stopped)) return true;
  }
  return false;
}

std::optional<OutboundQueue::Item> OutboundQueue::Next(bool guest_stopped) {
  auto at = queues_.upper_bound(last_);
  for (size_t i = 0; i < queues_.size(); ++i, ++at) {
    if (at == queues_.end()) at = queues_.begin();
    auto& [lane, queue] = *at;
    if (!CanDeliver(lane, queue, guest_stopped)) continue;
    last_ = lane;
    Item item{lane, std::move(queue.frames.front())};
    queue.frames.pop_front();
    queue.bytes -= item.frame.bytes.size();
    return item;
  }
  return std::nullopt;
}

void OutboundQueue::Refused(Item item) {
  Queue& queue = queues_[item.lane];
  queue.blocked = true;
  queue.bytes += item.frame.bytes.size();
  queue.frames.push_front(std::move(item.frame));
}

void OutboundQueue::Unblock(Lane lane) {
  const auto queue = queues_.find(lane);
  if (queue != queues_.end()) queue->second.blocked = false;
}

bool OutboundQueue::busy(Lane lane) const {
  const auto at = queues_.find(lane);
  return at != queues_.end() && at->second.busy();
}

bool OutboundQueue::reopenable() const {
  return std::ranges::any_of(
      queues_, [](const auto& entry) { return entry.second.reopenable(); });
}

std::optional<OutboundQueue::Lane> OutboundQueue::Reopen() {
  for (auto& [lane, queue] : queues_) {
    if (!queue.reopenable()) continue;
    queue.full = false;
    return lane;
  }
  return std::nullopt;
}

bool OutboundQueue::waiting(Lane lane) const {
  const auto at = queues_.find(lane);
  return at != queues_.end() && !at->second.frames.empty();
}

void OutboundQueue::ClearGuest() {
  for (auto& [lane, queue] : queues_) {
    if (lane.to != Side::kGuest) continue;
    queue.frames.clear();
    queue.bytes = 0;
    queue.gso = false;
    queue.full = false;
  }
}

}  // namespace stubdomain
