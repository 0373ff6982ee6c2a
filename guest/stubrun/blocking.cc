// A call that blocks on one socket until there is something to take.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stubrun/blocking.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "stubrun/raw_calls.h"

namespace stubdomain {
namespace {

// SO_RCVTIMEO, kForever if there is none. False: not a socket.
bool GetReceiveTimeout(int fd, int64_t& timeout) {
  timeval value{};
  socklen_t length = sizeof(value);
  if (getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &value, &length) != 0) {
    return false;
  }
  timeout = value.tv_sec * kSecond + value.tv_usec * 1000;
  if (timeout == 0) timeout = kForever;
  return true;
}

// A handler ran while poll() waited, which ends poll() in any case. The call
// that the program made would go on behind a handler with SA_RESTART. Which one
// it was cannot be seen; where a program has both kinds, the call ends, as such
// a program has to expect of some of its signals.
bool WouldRestart() {
  for (int signal = 1; signal < NSIG; signal++) {
    struct sigaction action;
    if (sigaction(signal, nullptr, &action) != 0) continue;
    const bool handled =
        action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN;
    if (handled && (action.sa_flags & SA_RESTART) == 0) return false;
  }
  return true;
}

// As poll(): 1 if there is something within the grace, 0 if not.
int Grace(int fd) {
  const int64_t end = Now() + kGrace;
  while (true) {
    pollfd entry{fd, POLLIN, 0};
    const int64_t left = std::max<int64_t>(end - Now(), 0);
    const int ready = Real().poll(&entry, 1, ToMilliseconds(left));
    if (ready >= 0 || errno != EINTR || !WouldRestart()) return ready;
  }
}

Before Limited(int fd, int64_t timeout) {
  pollfd entry{fd, POLLIN, 0};
  Poll polling(&entry, 1);
  const int ready = PollLike(polling, timeout);
  if (ready == 0) errno = EAGAIN;
  return ready > 0 ? Before::kCall : Before::kFail;
}

}  // namespace

bool Blocks(int fd, int flags) {
  const KeepErrno keep;
  if (flags & MSG_DONTWAIT) return false;
  const int status = RawFcntl(fd, F_GETFL);
  return status >= 0 && (status & O_NONBLOCK) == 0;
}

Before BeforeBlocking(int fd, AgentWait& wait) {
  const int saved = errno;
  int64_t timeout;
  if (!GetReceiveTimeout(fd, timeout)) return Before::kCall;
  if (timeout >= 0) return Limited(fd, timeout);
  const int ready = Grace(fd);
  if (ready < 0) return Before::kFail;
  errno = saved;
  if (ready > 0 || !ThreadsPatience().MaySleep()) return Before::kCall;
  Awaited awaited;
  if (!awaited.Add(fd, POLLIN) || awaited.size() == 0) return Before::kCall;
  awaited.AddTimers();
  // Once more: what came before Add() has been counted there, and nobody would
  // tell of it.
  if (RawIsReady(fd, POLLIN)) return Before::kCall;
  return wait.Start(awaited, BoundOf(awaited, kForever)) ? Before::kWaited
                                                         : Before::kCall;
}

}  // namespace stubdomain
