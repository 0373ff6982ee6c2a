// read(), recv() and accept() of the program, and their like.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <limits.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>

#include "stubrun/blocking.h"
#include "stubrun/export.h"
#include "stubrun/real_calls.h"

using stubdomain::CheckAndBlock;
using stubdomain::Real;
using stubdomain::TakeOrBlock;

namespace {

// These never block, or mean something else by EAGAIN.
constexpr int kNeverBlocks = MSG_DONTWAIT | MSG_OOB | MSG_ERRQUEUE;

// Runs `receive`, which takes flags, as the program's call with `flags`.
template <typename Receive>
auto ReceiveLike(int fd, int flags, const Receive& receive)
    -> decltype(receive(0)) {
  const auto call = [&] { return receive(flags); };
  if (flags & kNeverBlocks) return call();
  // It would take a part of what the program wants as a whole.
  if (flags & MSG_WAITALL) return CheckAndBlock(fd, flags, call);
  return TakeOrBlock(
      fd, [&] { return receive(flags | MSG_DONTWAIT); }, call);
}

bool IsEmpty(const iovec* parts, int count) {
  return std::all_of(parts, parts + count,
                     [](const iovec& part) { return part.iov_len == 0; });
}

}  // namespace

EXPORT ssize_t read(int fd, void* buffer, size_t size) {
  const auto call = [&] { return Real().read(fd, buffer, size); };
  // A socket is read like this, but for nothing.
  if (size == 0) return call();
  const int saved = errno;
  const ssize_t taken = Real().recv(fd, buffer, size, MSG_DONTWAIT);
  if (taken >= 0) return taken;
  if (errno == ENOTSOCK) {
    errno = saved;
    return call();
  }
  if (errno != EAGAIN || !stubdomain::Blocks(fd, 0)) return taken;
  errno = saved;
  return stubdomain::Block(fd, call);
}

EXPORT ssize_t __read(int fd, void* buffer, size_t size) {
  return read(fd, buffer, size);
}

EXPORT ssize_t __read_chk(int fd, void* buffer, size_t size, size_t limit) {
  if (size > limit) stubdomain::FailCheck();
  return read(fd, buffer, size);
}

EXPORT ssize_t readv(int fd, const iovec* parts, int count) {
  const auto call = [&] { return Real().readv(fd, parts, count); };
  // A reading of nothing takes nothing, which is not so of recvmsg().
  if (count <= 0 || count > IOV_MAX || IsEmpty(parts, count)) return call();
  const int saved = errno;
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = static_cast<size_t>(count);
  const ssize_t taken = Real().recvmsg(fd, &message, MSG_DONTWAIT);
  if (taken >= 0) return taken;
  if (errno == ENOTSOCK) {
    errno = saved;
    return call();
  }
  if (errno != EAGAIN || !stubdomain::Blocks(fd, 0)) return taken;
  errno = saved;
  return stubdomain::Block(fd, call);
}

EXPORT ssize_t recv(int fd, void* buffer, size_t size, int flags) {
  return ReceiveLike(
      fd, flags, [&](int now) { return Real().recv(fd, buffer, size, now); });
}

EXPORT ssize_t __recv_chk(int fd, void* buffer, size_t size, size_t limit,
                          int flags) {
  if (size > limit) stubdomain::FailCheck();
  return recv(fd, buffer, size, flags);
}

EXPORT ssize_t recvfrom(int fd, void* buffer, size_t size, int flags,
                        sockaddr* name, socklen_t* length) {
  return ReceiveLike(fd, flags, [&](int now) {
    return Real().recvfrom(fd, buffer, size, now, name, length);
  });
}

EXPORT ssize_t __recvfrom_chk(int fd, void* buffer, size_t size, size_t limit,
                              int flags, sockaddr* name, socklen_t* length) {
  if (size > limit) stubdomain::FailCheck();
  return recvfrom(fd, buffer, size, flags, name, length);
}

EXPORT ssize_t recvmsg(int fd, msghdr* message, int flags) {
  return ReceiveLike(fd, flags,
                     [&](int now) { return Real().recvmsg(fd, message, now); });
}

EXPORT int recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags,
                    timespec* timeout) {
  const auto call = [&] {
    return Real().recvmmsg(fd, messages, count, flags, timeout);
  };
  if (flags & kNeverBlocks) return call();
  return CheckAndBlock(fd, flags, call);
}

EXPORT int accept(int fd, sockaddr* name, socklen_t* length) {
  return CheckAndBlock(fd, 0, [&] { return Real().accept(fd, name, length); });
}

EXPORT int accept4(int fd, sockaddr* name, socklen_t* length, int flags) {
  return CheckAndBlock(fd, 0,
                       [&] { return Real().accept4(fd, name, length, flags); });
}
