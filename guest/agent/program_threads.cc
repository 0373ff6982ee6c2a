// Registers the threads of programs that do not do so themselves.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/program_threads.h"

#include <algorithm>

namespace stubdomain {
namespace {

constexpr auto kSoon = kLook / 2;

}  // namespace

uint32_t ProgramThreads::BeginWait(pid_t process, pid_t own_id, Place* place) {
  Process& entry = processes_[process];
  const auto find = [&] {
    return std::ranges::find_if(entry.threads, [own_id](const auto& thread) {
      return thread.second.own_id == own_id;
    });
  };
  auto at = find();
  if (at == entry.threads.end() || environment_.now() - entry.looked >= kSoon) {
    LookAt(process, entry);
    at = find();
  }
  *place = {process, 0};
  if (at == entry.threads.end()) return 0;
  auto& [id, thread] = *at;
  place->thread = id;
  ++thread.waits;
  Enlist(thread);
  return thread.number;
}

void ProgramThreads::EndWait(const Place& place) {
  const auto process = processes_.find(place.process);
  if (process == processes_.end()) return;
  const auto thread = process->second.threads.find(place.thread);
  if (thread == process->second.threads.end()) return;
  --thread->second.waits;
  thread->second.quiet = 0;
}

void ProgramThreads::Look() {
  for (auto at = processes_.begin(); at != processes_.end();) {
    auto& [id, process] = *at;
    if (environment_.now() - process.looked >= kLook) LookAt(id, process);
    const bool counts = std::ranges::any_of(
        process.threads,
        [](const auto& thread) { return thread.second.number != 0; });
    at = counts ? std::next(at) : processes_.erase(at);
  }
}

// What two looks that follow one another at once tell is who runs, and not how
// busy the others are.
void ProgramThreads::LookAt(pid_t id, Process& process) {
  const Clock::time_point now = environment_.now();
  Clock::duration passed = now - process.looked;
  if (passed < kSoon) passed = {};
  Threads before = std::move(process.threads);
  process.threads.clear();
  for (const ProcessThread& seen : environment_.list(id)) {
    auto node = before.extract(seen.id);
    if (node.empty()) {
      Thread thread{.own_id = seen.own_id, .name = seen.name, .ran = seen.ran};
      if (seen.runs) Enlist(thread);
      process.threads.emplace(seen.id, std::move(thread));
    } else {
      Judge(seen, passed, node.mapped());
      process.threads.insert(std::move(node));
    }
  }
  for (auto& [gone, thread] : before) Leave(thread);
  if (passed != Clock::duration()) process.looked = now;
}

void ProgramThreads::Judge(const ProcessThread& now, Clock::duration passed,
                           Thread& thread) {
  const auto ran = now.ran - thread.ran;
  const bool is_sample = passed != Clock::duration();
  if (is_sample) thread.ran = now.ran;
  if (thread.waits > 0) return;
  if (now.runs || (is_sample && ran * kBusyPart >= passed)) {
    thread.quiet = 0;
    Enlist(thread);
  } else if (is_sample && ++thread.quiet >= kQuietLooks) {
    Leave(thread);
  }
}

void ProgramThreads::Enlist(Thread& thread) {
  if (thread.number == 0) thread.number = environment_.enlist(thread.name);
}

void ProgramThreads::Leave(Thread& thread) {
  if (thread.number != 0) environment_.leave(thread.number);
  thread.number = 0;
}

std::vector<ProgramThreads::Entry> ProgramThreads::Registered() const {
  std::vector<Entry> entries;
  for (const auto& [id, process] : processes_) {
    for (const auto& [thread_id, thread] : process.threads) {
      if (thread.number != 0) entries.push_back({thread.number, thread.name});
    }
  }
  return entries;
}

}  // namespace stubdomain
