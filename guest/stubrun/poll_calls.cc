// poll() and ppoll() of the program.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stubrun/export.h"
#include "stubrun/waiting.h"

using stubdomain::kForever;
using stubdomain::Poll;
using stubdomain::PollLike;
using stubdomain::Real;

EXPORT int poll(pollfd* entries, nfds_t count, int timeout) {
  Poll call(entries, count);
  return PollLike(call, stubdomain::FromMilliseconds(timeout));
}

EXPORT int __poll(pollfd* entries, nfds_t count, int timeout) {
  return poll(entries, count, timeout);
}

EXPORT int ppoll(pollfd* entries, nfds_t count, const timespec* timeout,
                 const sigset_t* mask) {
  // A timeout that is wrong is the C library's to refuse.
  if (timeout != nullptr && !stubdomain::IsValid(*timeout)) {
    return Real().ppoll(entries, count, timeout, mask);
  }
  const int64_t time =
      timeout == nullptr ? kForever : stubdomain::FromTimespec(*timeout);
  Poll call(entries, count, mask);
  return PollLike(call, time);
}

EXPORT int __poll_chk(pollfd* entries, nfds_t count, int timeout, size_t size) {
  if (size / sizeof(*entries) < count) stubdomain::FailCheck();
  return poll(entries, count, timeout);
}

EXPORT int __ppoll_chk(pollfd* entries, nfds_t count, const timespec* timeout,
                       const sigset_t* mask, size_t size) {
  if (size / sizeof(*entries) < count) stubdomain::FailCheck();
  return ppoll(entries, count, timeout, mask);
}
