// A call that may block, with the agent told when it does.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stubrun/waiting.h"

#include <algorithm>
#include <array>

namespace stubdomain {

Patience& ThreadsPatience() {
  static constinit thread_local Patience patience;
  return patience;
}

bool TimerIsFirst(const Awaited& awaited, int64_t longest) {
  return awaited.next_timer() != kForever &&
         (longest == kForever || awaited.next_timer() < longest);
}

uint32_t BoundOf(const Awaited& awaited, int64_t longest) {
  const int64_t bound =
      TimerIsFirst(awaited, longest) ? awaited.next_timer() : longest;
  if (bound == kForever) return 0;
  return static_cast<uint32_t>(std::max(ToMilliseconds(bound), 1));
}

int GateOf(const pollfd* entries, size_t count, pollfd& agent, int64_t time,
           const sigset_t* mask) {
  std::array<pollfd, kMaxPolled + 1> all;
  std::copy_n(entries, count, all.begin());
  all[count] = agent;
  timespec limit;
  if (time >= 0) limit = ToTimespec(time);
  const int ready =
      Real().ppoll(all.data(), count + 1, time < 0 ? nullptr : &limit, mask);
  agent.revents = ready > 0 ? all[count].revents : 0;
  return ready;
}

int Poll::Try(int64_t time) {
  if (!is_ppoll_) {
    return Real().poll(entries_, count_, ToMilliseconds(time));
  }
  const timespec limit = ToTimespec(std::max<int64_t>(time, 0));
  return Real().ppoll(entries_, count_, time < 0 ? nullptr : &limit, mask_);
}

bool Poll::Gather(Awaited& awaited) const {
  if (count_ > kMaxPolled) return false;
  for (nfds_t i = 0; i < count_; i++) {
    const auto events = static_cast<unsigned short>(entries_[i].events);
    if (!awaited.Add(entries_[i].fd, events)) return false;
  }
  return true;
}

int Poll::Gate(pollfd& agent, int64_t time) const {
  return GateOf(entries_, count_, agent, time, mask_);
}

}  // namespace stubdomain
