// All open waits.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/listener_stubs.h"

#include <utility>

namespace stubdomain {

ListenerStubs::Keys ListenerStubs::Keys::Of(const ListenerStub& stub) {
  const Retries* retries = stub.retries();
  return {.timeout = stub.timeout(),
          .watch = stub.watch_deadline(),
          .retry = retries != nullptr ? retries->deadline() : kNever,
          .overdue = stub.overdue(),
          .terms = stub.terms()};
}

ListenerStubs::Reindexing::~Reindexing() {
  const Keys after = Keys::Of(stub_);
  if (after == before_) return;
  stubs_->Unindex(stub_, before_);
  stubs_->Index(stub_, after);
}

void ListenerStubs::Index(const ListenerStub& stub, const Keys& keys) {
  const uint32_t number = stub.number();
  timeouts_.Add(keys.timeout, number);
  watches_.Add(keys.watch, number);
  retries_.Add(keys.retry, number);
  overdue_.Add(keys.overdue, number);
  proposals_.Add(keys.terms.proposal, number);
  if (stub.owner() == SD_OWNER_HOST) {
    host_proposals_.Add(keys.terms.proposal, number);
  }
  waiters_.Open(stub.waiter(), number, keys.terms);
}

void ListenerStubs::Unindex(const ListenerStub& stub, const Keys& keys) {
  const uint32_t number = stub.number();
  timeouts_.Remove(keys.timeout, number);
  watches_.Remove(keys.watch, number);
  retries_.Remove(keys.retry, number);
  overdue_.Remove(keys.overdue, number);
  proposals_.Remove(keys.terms.proposal, number);
  if (stub.owner() == SD_OWNER_HOST) {
    host_proposals_.Remove(keys.terms.proposal, number);
  }
  waiters_.Close(stub.waiter(), number, keys.terms);
}

uint32_t ListenerStubs::NextNumber() {
  do {
    ++last_number_;
  } while (last_number_ == 0 || stubs_.contains(last_number_) ||
           answered_.contains(last_number_));
  return last_number_;
}

const ListenerStub& ListenerStubs::Enter(ListenerStub stub) {
  const uint32_t number = stub.number();
  const ListenerStub& entered =
      stubs_.emplace(number, std::move(stub)).first->second;
  Index(entered, Keys::Of(entered));
  by_flow_.Add(entered);
  depth_wishes_.Add(entered.depth_wish());
  plan_weight_ += entered.plan_weight();
  return entered;
}

ListenerStubs::Stubs::node_type ListenerStubs::Extract(uint32_t number) {
  const auto at = stubs_.find(number);
  const ListenerStub& stub = at->second;
  Unindex(stub, Keys::Of(stub));
  by_flow_.Remove(stub);
  depth_wishes_.Remove(stub.depth_wish());
  plan_weight_ -= stub.plan_weight();
  return stubs_.extract(at);
}

void ListenerStubs::EnterAnswered(Stubs::node_type node) {
  const ListenerStub& stub = answered_.insert(std::move(node)).position->second;
  answered_by_flow_.Add(stub);
  waiters_.Answer(stub.waiter(), stub.importance());
}

const ListenerStub& ListenerStubs::Add(const sd_wait& wait, const TcpFlow& flow,
                                       Time now) {
  return Enter(ListenerStub(NextNumber(), wait, flow, now));
}

const ListenerStub& ListenerStubs::Add(const sd_wait& wait, Time now) {
  return Enter(ListenerStub(NextNumber(), wait, now));
}

ListenerStub ListenerStubs::TakeAftermath(uint32_t number) {
  plan_weight_ -= Find(number)->plan_weight();
  return Change(number,
                [](ListenerStub& stub) { return stub.TakeAftermath(); });
}

void ListenerStubs::Remove(uint32_t number) { Extract(number); }

void ListenerStubs::Answer(uint32_t number) {
  Stubs::node_type node = Extract(number);
  node.mapped().EndWatch();
  EnterAnswered(std::move(node));
}

void ListenerStubs::ForgetAnswered() {
  answered_by_flow_.Clear();
  answered_.clear();
  waiters_.ForgetAnswered();
}

void ListenerStubs::DropBuffers(const TcpFlow& flow) {
  for (const ListenerStub* stub : by_flow_.On(flow)) {
    stubs_.at(stub->number()).DropBuffer();
  }
  for (const ListenerStub* stub : answered_by_flow_.On(flow)) {
    answered_.at(stub->number()).DropBuffer();
  }
}

void ListenerStubs::StopExpecting(Time now) {
  if (overdue_.First() > now) return;
  for (const uint64_t number : overdue_.Until(now)) {
    Change(static_cast<uint32_t>(number),
           [](ListenerStub& stub) { stub.StopExpecting(); });
  }
}

const ListenerStub* ListenerStubs::Find(uint32_t number) const {
  const auto at = stubs_.find(number);
  return at == stubs_.end() ? nullptr : &at->second;
}

void ListenerStubs::Save(Writer& writer, Time now) const {
  writer.U32(last_number_);
  for (const Stubs* stubs : {&stubs_, &answered_}) {
    writer.U32(static_cast<uint32_t>(stubs->size()));
    for (const auto& [number, stub] : *stubs) stub.Save(writer, now);
  }
}

bool ListenerStubs::Load(Reader& reader, Time now) {
  *this = {};
  last_number_ = reader.U32();
  const uint32_t open = reader.U32();
  for (uint32_t i = 0; i < open && reader.ok(); ++i) {
    ListenerStub stub = ListenerStub::Load(reader, now);
    if (!reader.ok() || stubs_.contains(stub.number())) return reader.Fail();
    Enter(std::move(stub));
  }
  const uint32_t answered = reader.U32();
  for (uint32_t i = 0; i < answered && reader.ok(); ++i) {
    ListenerStub stub = ListenerStub::Load(reader, now);
    const uint32_t number = stub.number();
    if (!reader.ok() || stubs_.contains(number) || answered_.contains(number)) {
      return reader.Fail();
    }
    Stubs one;
    one.emplace(number, std::move(stub));
    EnterAnswered(one.extract(number));
  }
  StopExpecting(now);
  return reader.ok();
}

}  // namespace stubdomain
