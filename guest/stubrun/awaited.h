// What a thread waits for in one call: which of it is a wait for a reply from
// the network, and whether anything else could end the call.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_STUBRUN_AWAITED_H_
#define STUBDOMAIN_GUEST_STUBRUN_AWAITED_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "stubrun/time.h"

namespace stubdomain {

// Sockets of one wait; the agent takes no more with one message.
inline constexpr size_t kMaxAwaited = 64;
// An epoll set may hold others, so deep.
inline constexpr int kMaxEpollDepth = 4;

// Uses no memory but its own, and no locks: a signal handler may wait.
class Awaited {
 public:
  // Adds what a call waits for on `fd`; `events` as in poll(). False: this may
  // end the call, and the stub domain cannot see it coming (a terminal, a
  // device, a socket that waits to send), so the machine must not be suspended
  // for this call.
  //
  // What only the guest itself can bring about (pipes, eventfds, sockets to
  // itself) counts as nothing: it happens while the guest runs, or not at all.
  bool Add(int fd, unsigned events) { return Add(fd, events, 0); }
  // Timers of this process end calls as well, by their signal.
  void AddTimers();

  size_t size() const { return count_; }
  std::span<const int> fds() const { return {fds_.data(), count_}; }
  // Bytes that were received on it; negative: the kernel does not count them.
  int64_t received(size_t i) const { return received_[i]; }
  // When the next timer of the guest ends, from now; kForever: never.
  int64_t next_timer() const { return next_timer_; }
  // Equal for two waits on the same connections if nothing was sent or received
  // on them in between. 0: that cannot be told.
  uint64_t state() const { return is_counted_ ? state_ : 0; }

 private:
  bool Add(int fd, unsigned events, int depth);
  bool AddSocket(int fd, unsigned events);
  bool AddTcp(int fd, unsigned events);
  bool AddAnonymous(int fd, int depth);
  bool AddEpoll(int fd, int depth);
  bool Append(int fd, int64_t received);
  void AddTimer(int64_t left);

  std::array<int, kMaxAwaited> fds_;
  std::array<int64_t, kMaxAwaited> received_;
  size_t count_ = 0;
  int64_t next_timer_ = kForever;
  uint64_t state_ = 1;
  bool is_counted_ = true;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_STUBRUN_AWAITED_H_
