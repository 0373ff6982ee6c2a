// A call that blocks on one socket until there is something to take.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_STUBRUN_BLOCKING_H_
#define STUBDOMAIN_GUEST_STUBRUN_BLOCKING_H_

#include <sys/types.h>

#include <cerrno>

#include "stubrun/waiting.h"

namespace stubdomain {

// What comes before the real call.
enum class Before {
  kCall,    // make it; there is something, or nothing is known to come
  kFail,    // it fails, errno says why
  kWaited,  // make it, with the wait that was begun
};

// `fd` blocks, and there is nothing to take. Comes back when there is, when the
// call would have ended otherwise, or with a wait for the time of the call.
Before BeforeBlocking(int fd, AgentWait& wait);

// Whether `fd` is a socket that would block for a call with these `flags`.
bool Blocks(int fd, int flags);

// `call`: the real call, which blocks.
template <typename Call>
[[gnu::noinline]] auto Block(int fd, const Call& call) -> decltype(call()) {
  AgentWait wait;
  switch (BeforeBlocking(fd, wait)) {
    case Before::kFail:
      return -1;
    case Before::kWaited:
      return WhileAwaited(wait, call);
    case Before::kCall:
      break;
  }
  return call();
}

// For a call that can say that it must not block. `try_now`: the same with
// that.
template <typename Try, typename Call>
auto TakeOrBlock(int fd, const Try& try_now, const Call& call)
    -> decltype(call()) {
  const int saved = errno;
  const auto result = try_now();
  if (result >= 0 || errno != EAGAIN || !Blocks(fd, 0)) return result;
  errno = saved;
  return Block(fd, call);
}

// For one that cannot, or that would take a part then.
template <typename Call>
auto CheckAndBlock(int fd, int flags, const Call& call) -> decltype(call()) {
  if (!Blocks(fd, flags)) return call();
  return Block(fd, call);
}

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_STUBRUN_BLOCKING_H_
