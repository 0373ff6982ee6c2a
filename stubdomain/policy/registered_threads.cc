// The threads of the guest that count when it is asked whether all of it waits.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/registered_threads.h"

#include <utility>

namespace stubdomain {

uint32_t RegisteredThreads::Register(std::string name) {
  do {
    ++last_number_;
  } while (last_number_ == 0 || threads_.contains(last_number_));
  threads_.emplace(last_number_,
                   RegisteredThread{.name = std::move(name), .proposal = {}});
  return last_number_;
}

bool RegisteredThreads::Leave(uint32_t number) {
  const auto at = threads_.find(number);
  if (at == threads_.end()) return false;
  DropWait(at);
  threads_.erase(at);
  return true;
}

void RegisteredThreads::DropWait(Threads::const_iterator thread) {
  const auto& [number, entry] = *thread;
  if (entry.waits()) waiting_.Remove(*entry.proposal, number);
}

template <class F>
void RegisteredThreads::Change(uint32_t number, F change) {
  const auto at = threads_.find(number);
  if (at == threads_.end()) return;
  RegisteredThread& thread = at->second;
  DropWait(at);
  change(thread);
  if (thread.waits()) waiting_.Add(*thread.proposal, number);
}

void RegisteredThreads::NoteWait(uint32_t number) {
  Change(number, [](RegisteredThread& thread) { thread.answered = false; });
}

void RegisteredThreads::NoteAnswer(uint32_t number) {
  Change(number, [](RegisteredThread& thread) { thread.answered = true; });
}

void RegisteredThreads::SetProposal(uint32_t number,
                                    std::optional<Time> proposal) {
  Change(number, [&](RegisteredThread& thread) { thread.proposal = proposal; });
}

void RegisteredThreads::Clear() {
  threads_.clear();
  waiting_ = {};
}

bool RegisteredThreads::IsWaiting(uint32_t number) const {
  const auto at = threads_.find(number);
  return at != threads_.end() && at->second.waits();
}

void RegisteredThreads::Save(Writer& writer) const {
  writer.U32(last_number_);
  writer.U32(static_cast<uint32_t>(threads_.size()));
  for (const auto& [number, thread] : threads_) {
    writer.U32(number);
    writer.Bytes({reinterpret_cast<const uint8_t*>(thread.name.data()),
                  thread.name.size()});
    writer.Bool(thread.answered);
  }
}

bool RegisteredThreads::Load(Reader& reader) {
  Clear();
  last_number_ = reader.U32();
  const uint32_t count = reader.U32();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    const uint32_t number = reader.U32();
    const auto name = reader.Bytes();
    const bool answered = reader.Bool();
    if (number == 0 || name.size() > SD_THREAD_NAME_MAX ||
        !threads_
             .emplace(number,
                      RegisteredThread{.name = {name.begin(), name.end()},
                                       .answered = answered,
                                       .proposal = {}})
             .second) {
      return reader.Fail();
    }
  }
  return reader.ok();
}

}  // namespace stubdomain
