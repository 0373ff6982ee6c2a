// epoll_wait() of the program, and its like.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <sys/epoll.h>

#include <algorithm>

#include "stubrun/export.h"
#include "stubrun/waiting.h"

namespace stubdomain {
namespace {

// Events are taken by the program's own call alone, into its own memory: so
// none is lost, edge-triggered or one-shot or not. Everything else only looks
// whether there are some.
template <typename Call>
class Epoll {
 public:
  // `call`: the real call, with a time.
  Epoll(int fd, const sigset_t* mask, const Call& call)
      : fd_(fd), mask_(mask), call_(call) {}
  int Try(int64_t time) { return call_(time); }
  bool Gather(Awaited& awaited) const { return awaited.Add(fd_, POLLIN); }
  int Gate(pollfd& agent, int64_t time) const {
    const pollfd entry{fd_, POLLIN, 0};
    return GateOf(&entry, 1, agent, time, mask_);
  }

 private:
  const int fd_;
  const sigset_t* const mask_;
  const Call& call_;
};

template <typename Call>
int EpollLike(int fd, const sigset_t* mask, int64_t timeout, const Call& call) {
  Epoll polling(fd, mask, call);
  return PollLike(polling, timeout);
}

}  // namespace
}  // namespace stubdomain

using stubdomain::EpollLike;
using stubdomain::Real;
using stubdomain::ToMilliseconds;

EXPORT int epoll_wait(int fd, epoll_event* events, int count, int timeout) {
  return EpollLike(
      fd, nullptr, stubdomain::FromMilliseconds(timeout), [&](int64_t time) {
        return Real().epoll_wait(fd, events, count, ToMilliseconds(time));
      });
}

EXPORT int epoll_pwait(int fd, epoll_event* events, int count, int timeout,
                       const sigset_t* mask) {
  return EpollLike(fd, mask, stubdomain::FromMilliseconds(timeout),
                   [&](int64_t time) {
                     return Real().epoll_pwait(fd, events, count,
                                               ToMilliseconds(time), mask);
                   });
}

EXPORT int epoll_pwait2(int fd, epoll_event* events, int count,
                        const timespec* timeout, const sigset_t* mask) {
  // A timeout that is wrong is the kernel's to refuse.
  if (timeout != nullptr && !stubdomain::IsValid(*timeout)) {
    return Real().epoll_pwait2(fd, events, count, timeout, mask);
  }
  const int64_t limit = timeout == nullptr ? stubdomain::kForever
                                           : stubdomain::FromTimespec(*timeout);
  return EpollLike(fd, mask, limit, [&](int64_t time) {
    const timespec left = stubdomain::ToTimespec(std::max<int64_t>(time, 0));
    return Real().epoll_pwait2(fd, events, count, time < 0 ? nullptr : &left,
                               mask);
  });
}
