// A call that may block, with the agent told when it does.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_STUBRUN_WAITING_H_
#define STUBDOMAIN_GUEST_STUBRUN_WAITING_H_

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <cstdint>

#include "stubrun/agent_wait.h"
#include "stubrun/awaited.h"
#include "stubrun/patience.h"
#include "stubrun/real_calls.h"
#include "stubrun/time.h"

namespace stubdomain {

// A reply that comes within this costs nothing: the agent is not asked.
inline constexpr int64_t kGrace = 10 * kMillisecond;
// A call that blocks no longer than this is left alone.
inline constexpr int64_t kShortest = 50 * kMillisecond;
// Descriptors of one poll() or select(); with more the agent is not asked.
inline constexpr size_t kMaxPolled = 128;

Patience& ThreadsPatience();

// Whether a timer of the guest ends before a wait of `longest`.
bool TimerIsFirst(const Awaited& awaited, int64_t longest);
// The longest wait for the agent, in ms; 0: no limit. A timer can end the call,
// and does not run while the machine sleeps.
uint32_t BoundOf(const Awaited& awaited, int64_t longest);

// Runs `call`, which may be a cancellation point: if the thread is cancelled
// within, the wait is taken back.
template <typename Call>
auto WhileAwaited(AgentWait& wait, const Call& call) {
  decltype(call()) result;
  pthread_cleanup_push([](void* wait) { static_cast<AgentWait*>(wait)->End(); },
                       &wait);
  result = call();
  pthread_cleanup_pop(0);
  return result;
}

// One of the calls that wait for any of some descriptors, with these members:
//
//   int Try(int64_t time)       the real call, with this time (kForever) for
//                               its timeout. Returns as the real one does; 0
//                               and EINTR leave everything as it was.
//   bool Gather(Awaited&)       adds what it waits for; false: not to be waited
//                               for
//   int Gate(pollfd& agent, int64_t time)
//                               ppoll() for whatever would let Try(0) return
//                               something, and for `agent`; takes nothing away
//
// The rest of such a call when its grace is over.
template <typename Polling>
[[gnu::noinline]] int WaitOn(Polling& polling, int64_t timeout) {
  const int64_t start = Now() - kGrace;
  const auto left = [&] {
    return timeout < 0 ? kForever
                       : std::max<int64_t>(start + timeout - Now(), 0);
  };
  Patience& patience = ThreadsPatience();
  Awaited awaited;
  if (!patience.MaySleep() || !polling.Gather(awaited) || awaited.size() == 0) {
    return polling.Try(left());
  }
  awaited.AddTimers();
  // Once more: what came before Gather() has been counted there, and nobody
  // would tell of it.
  if (const int ready = polling.Try(0)) return ready;

  const int64_t longest =
      patience.LongestWait(timeout, left(), awaited.state());
  AgentWait wait;
  if (!wait.Start(awaited, BoundOf(awaited, longest))) {
    return polling.Try(left());
  }
  if (timeout < 0) {
    return WhileAwaited(wait, [&] { return polling.Try(kForever); });
  }
  while (true) {
    pollfd agent{wait.fd(), POLLIN, 0};
    const int ready =
        WhileAwaited(wait, [&] { return polling.Gate(agent, left()); });
    if (ready < 0) return -1;  // a signal handler ran
    if (agent.revents == 0) break;
    const AgentWait::State state = wait.Check();
    if (state == AgentWait::State::kGoesOn) continue;
    if (state == AgentWait::State::kTimedOut &&
        !TimerIsFirst(awaited, longest)) {
      patience.TimedOut(timeout, left());
      return polling.Try(0);
    }
    break;
  }
  wait.End();
  return polling.Try(left());
}

template <typename Polling>
int PollLike(Polling& polling, int64_t timeout) {
  if (timeout >= 0 && timeout <= kShortest) return polling.Try(timeout);
  if (const int ready = polling.Try(kGrace)) return ready;
  return WaitOn(polling, timeout);
}

// poll() and ppoll().
class Poll {
 public:
  Poll(pollfd* entries, nfds_t count) : entries_(entries), count_(count) {}
  Poll(pollfd* entries, nfds_t count, const sigset_t* mask)
      : entries_(entries), count_(count), mask_(mask), is_ppoll_(true) {}
  int Try(int64_t time);
  bool Gather(Awaited& awaited) const;
  int Gate(pollfd& agent, int64_t time) const;

 private:
  pollfd* const entries_;
  const nfds_t count_;
  const sigset_t* const mask_ = nullptr;
  const bool is_ppoll_ = false;
};

// ppoll() of `entries` and `agent`.
int GateOf(const pollfd* entries, size_t count, pollfd& agent, int64_t time,
           const sigset_t* mask);

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_STUBRUN_WAITING_H_
