// All open waits.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/listener_stubs.h"

#include <algorithm>
#include <utility>

namespace stubdomain {

uint32_t ListenerStubs::NextNumber() {
  do {
    ++last_number_;
  } while (last_number_ == 0 || stubs_.contains(last_number_));
  return last_number_;
}

ListenerStub& ListenerStubs::Add(const sd_wait& wait, const TcpFlow& flow,
                                 Time now) {
  const uint32_t number = NextNumber();
  return stubs_.emplace(number, ListenerStub(number, wait, flow, now))
      .first->second;
}

ListenerStub& ListenerStubs::Add(const sd_wait& wait, Time now) {
  const uint32_t number = NextNumber();
  return stubs_.emplace(number, ListenerStub(number, wait, now)).first->second;
}

const ListenerStub* ListenerStubs::Find(uint32_t number) const {
  const auto at = stubs_.find(number);
  return at == stubs_.end() ? nullptr : &at->second;
}

bool ListenerStubs::AnyOn(const TcpFlow& flow) const {
  return std::ranges::any_of(
      stubs_, [&](const auto& entry) { return entry.second.IsOn(flow); });
}

bool ListenerStubs::AnyWatches(const TcpFlow& flow) const {
  return std::ranges::any_of(stubs_, [&](const auto& entry) {
    return entry.second.watches() && entry.second.IsOn(flow);
  });
}

size_t ListenerStubs::plan_weight() const {
  size_t weight = 0;
  for (const auto& [number, stub] : stubs_) weight += stub.plan_weight();
  return weight;
}

ListenerStub* ListenerStubs::FindFor(ListenerStub::Kind kind, unsigned port,
                                     const FlowId& id) {
  const auto at = std::ranges::find_if(stubs_, [&](const auto& entry) {
    return entry.second.IsFor(kind, port, id);
  });
  return at == stubs_.end() ? nullptr : &at->second;
}

bool ListenerStubs::AnyFor(ListenerStub::Kind kind, unsigned port,
                           const FlowId& id) const {
  return std::ranges::any_of(stubs_, [&](const auto& entry) {
    return entry.second.IsFor(kind, port, id);
  });
}

void ListenerStubs::Answer(uint32_t number) {
  const auto at = stubs_.find(number);
  answered_.push_back(std::move(at->second));
  answered_.back().EndWatch();
  stubs_.erase(at);
}

bool ListenerStubs::AnyAnsweredOn(const TcpFlow& flow) const {
  return std::ranges::any_of(
      answered_, [&](const ListenerStub& stub) { return stub.IsOn(flow); });
}

bool ListenerStubs::AnyAnsweredFor(ListenerStub::Kind kind, unsigned port,
                                   const FlowId& id) const {
  return std::ranges::any_of(answered_, [&](const ListenerStub& stub) {
    return stub.IsFor(kind, port, id);
  });
}

void ListenerStubs::StopProposing() {
  for (auto& [number, stub] : stubs_) stub.StopProposing();
}

Time ListenerStubs::NextTimeout() const {
  Time first = kNever;
  for (const auto& [number, stub] : stubs_) {
    first = std::min(first, stub.timeout());
  }
  return first;
}

Time ListenerStubs::NextWatch() const {
  Time first = kNever;
  for (const auto& [number, stub] : stubs_) {
    first = std::min(first, stub.watch_deadline());
  }
  return first;
}

Time ListenerStubs::NextRetry() const {
  Time first = kNever;
  for (const auto& [number, stub] : stubs_) {
    if (const Retries* retries = stub.retries()) {
      first = std::min(first, retries->deadline());
    }
  }
  return first;
}

Time ListenerStubs::NextProposal() const {
  Time first = kNever;
  for (const auto& [number, stub] : stubs_) {
    first = std::min(first, stub.proposal());
  }
  return first;
}

void ListenerStubs::Save(Writer& writer, Time now) const {
  writer.U32(last_number_);
  writer.U32(static_cast<uint32_t>(stubs_.size()));
  for (const auto& [number, stub] : stubs_) stub.Save(writer, now);
  writer.U32(static_cast<uint32_t>(answered_.size()));
  for (const ListenerStub& stub : answered_) stub.Save(writer, now);
}

bool ListenerStubs::Load(Reader& reader, Time now) {
  stubs_.clear();
  answered_.clear();
  last_number_ = reader.U32();
  const uint32_t count = reader.U32();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    ListenerStub stub = ListenerStub::Load(reader, now);
    const uint32_t number = stub.number();
    if (!stubs_.emplace(number, std::move(stub)).second) return reader.Fail();
  }
  const uint32_t answered = reader.U32();
  for (uint32_t i = 0; i < answered && reader.ok(); ++i) {
    answered_.push_back(ListenerStub::Load(reader, now));
  }
  return reader.ok();
}

}  // namespace stubdomain
