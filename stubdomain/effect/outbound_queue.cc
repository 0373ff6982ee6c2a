// The frames that the core sends.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "effect/outbound_queue.h"

#include <algorithm>
#include <utility>

namespace stubdomain {

OutboundQueue::Queue& OutboundQueue::At(Lane lane) {
  const size_t index = IndexOf(lane);
  if (index >= queues_.size()) queues_.resize(index + 1);
  return queues_[index];
}

const OutboundQueue::Queue* OutboundQueue::Find(Lane lane) const {
  const size_t index = IndexOf(lane);
  return index < queues_.size() ? &queues_[index] : nullptr;
}

void OutboundQueue::Emit(unsigned port, Side to, Frame frame) {
  Queue& queue = At({port, to});
  if (queue.frames.size() >= kMaxFrames ||
      queue.bytes + frame.bytes.size() > kMaxBytes) {
    return;
  }
  queue.bytes += frame.bytes.size();
  queue.frames.push_back(std::move(frame));
  ++frames_;
  if (!queue.full && queue.busy()) {
    queue.full = true;
    ++full_;
  }
}

FrameOptions OutboundQueue::OptionsFor(unsigned port, Side to) const {
  const Queue* queue = Find({port, to});
  return {.gso = queue != nullptr && queue->gso};
}

bool OutboundQueue::HasRoom(unsigned port, Side to) const {
  const Queue* queue = Find({port, to});
  return queue == nullptr || !queue->full;
}

void OutboundQueue::Observe(Lane lane, const Offload& offload) {
  if (offload.gso == SD_GSO_TCPV4 || offload.gso == SD_GSO_TCPV6) {
    At(lane).gso = true;
  }
}

bool OutboundQueue::CanDeliver(size_t index, bool guest_stopped) const {
  const Queue& queue = queues_[index];
  return !queue.frames.empty() && !queue.blocked &&
         !(guest_stopped && LaneAt(index).to == Side::kGuest);
}

bool OutboundQueue::deliverable(bool guest_stopped) const {
  for (size_t i = 0; frames_ > 0 && i < queues_.size(); ++i) {
    if (CanDeliver(i, guest_stopped)) return true;
  }
  return false;
}

std::optional<OutboundQueue::Item> OutboundQueue::Next(bool guest_stopped) {
  for (size_t i = 1; frames_ > 0 && i <= queues_.size(); ++i) {
    const size_t index = (last_ + i) % queues_.size();
    if (!CanDeliver(index, guest_stopped)) continue;
    last_ = index;
    Queue& queue = queues_[index];
    Item item{LaneAt(index), std::move(queue.frames.front())};
    queue.frames.pop_front();
    --frames_;
    queue.bytes -= item.frame.bytes.size();
    return item;
  }
  return std::nullopt;
}

void OutboundQueue::Refused(Item item) {
  Queue& queue = At(item.lane);
  queue.blocked = true;
  queue.bytes += item.frame.bytes.size();
  queue.frames.push_front(std::move(item.frame));
  ++frames_;
}

void OutboundQueue::Unblock(Lane lane) {
  if (Find(lane) != nullptr) At(lane).blocked = false;
}

bool OutboundQueue::busy(Lane lane) const {
  const Queue* queue = Find(lane);
  return queue != nullptr && queue->busy();
}

bool OutboundQueue::reopenable() const {
  return full_ > 0 && std::ranges::any_of(queues_, &Queue::reopenable);
}

std::optional<OutboundQueue::Lane> OutboundQueue::Reopen() {
  if (full_ == 0) return std::nullopt;
  const auto queue = std::ranges::find_if(queues_, &Queue::reopenable);
  if (queue == queues_.end()) return std::nullopt;
  queue->full = false;
  --full_;
  return LaneAt(static_cast<size_t>(queue - queues_.begin()));
}

bool OutboundQueue::waiting(Lane lane) const {
  const Queue* queue = Find(lane);
  return queue != nullptr && !queue->frames.empty();
}

void OutboundQueue::ClearGuest() {
  for (size_t i = 0; i < queues_.size(); ++i) {
    if (LaneAt(i).to != Side::kGuest) continue;
    Queue& queue = queues_[i];
    frames_ -= queue.frames.size();
    full_ -= queue.full ? 1 : 0;
    queue.frames.clear();
    queue.bytes = 0;
    queue.gso = false;
    queue.full = false;
  }
}

}  // namespace stubdomain
