// The C library's own calls.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stubrun/real_calls.h"

#include <dlfcn.h>

extern "C" [[noreturn]] void __chk_fail();

namespace stubdomain {
namespace {

constinit RealCalls calls{};
constinit bool found = false;

template <typename Function>
void Find(const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

// Before the program's threads and signal handlers: dlsym() is safe in neither.
// Should another library's constructor come first, it gets its calls as well.
__attribute__((constructor)) void FindAll() {
  if (found) return;
  Find("read", calls.read);
  Find("readv", calls.readv);
  Find("recv", calls.recv);
  Find("recvfrom", calls.recvfrom);
  Find("recvmsg", calls.recvmsg);
  Find("recvmmsg", calls.recvmmsg);
  Find("accept", calls.accept);
  Find("accept4", calls.accept4);
  Find("poll", calls.poll);
  Find("ppoll", calls.ppoll);
  Find("select", calls.select);
  Find("pselect", calls.pselect);
  Find("epoll_wait", calls.epoll_wait);
  Find("epoll_pwait", calls.epoll_pwait);
  Find("epoll_pwait2", calls.epoll_pwait2);
  found = true;
}

}  // namespace

const RealCalls& Real() {
  if (!found) [[unlikely]] {
    FindAll();
  }
  return calls;
}

void FailCheck() { __chk_fail(); }

}  // namespace stubdomain
