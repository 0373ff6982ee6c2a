// The C library's own calls, which the program meant.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_STUBRUN_REAL_CALLS_H_
#define STUBDOMAIN_GUEST_STUBRUN_REAL_CALLS_H_

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace stubdomain {

// This library's calls have the names of the C library's, so these are looked
// up behind it. Null: that C library has none, and nobody can call it.
struct RealCalls {
  decltype(&::read) read;
  decltype(&::readv) readv;
  decltype(&::recv) recv;
  decltype(&::recvfrom) recvfrom;
  decltype(&::recvmsg) recvmsg;
  decltype(&::recvmmsg) recvmmsg;
  decltype(&::accept) accept;
  decltype(&::accept4) accept4;
  decltype(&::poll) poll;
  decltype(&::ppoll) ppoll;
  decltype(&::select) select;
  decltype(&::pselect) pselect;
  decltype(&::epoll_wait) epoll_wait;
  decltype(&::epoll_pwait) epoll_pwait;
  int (*epoll_pwait2)(int, epoll_event*, int, const timespec*, const sigset_t*);
};

// May be called before any constructor has run.
const RealCalls& Real();

// A fortified call was made with a buffer that is too small: the C
// library ends the program.
[[noreturn]] void FailCheck();

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_STUBRUN_REAL_CALLS_H_
