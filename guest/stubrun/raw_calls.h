// System calls of this library's own. They are not seen by the program: none is
// a cancellation point, and none goes through another interposed library.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_STUBRUN_RAW_CALLS_H_
#define STUBDOMAIN_GUEST_STUBRUN_RAW_CALLS_H_

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace stubdomain {

inline int RawOpen(const char* path) {
  return static_cast<int>(
      syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC));
}
inline ssize_t RawRead(int fd, void* buffer, size_t size) {
  return syscall(SYS_read, fd, buffer, size);
}
inline void RawClose(int fd) { syscall(SYS_close, fd); }
inline int RawFcntl(int fd, int command, long argument = 0) {
  return static_cast<int>(syscall(SYS_fcntl, fd, command, argument));
}
inline ssize_t RawReceive(int fd, void* buffer, size_t size, int flags) {
  return syscall(SYS_recvfrom, fd, buffer, size, flags, nullptr, nullptr);
}
inline ssize_t RawSendMessage(int fd, const msghdr* message, int flags) {
  return syscall(SYS_sendmsg, fd, message, flags);
}
inline bool RawIsReady(int fd, short events) {
  pollfd entry{fd, events, 0};
  const timespec now{};
  return syscall(SYS_ppoll, &entry, 1, &now, nullptr, 0) > 0;
}

// What the program sees of a call is its own errno.
class KeepErrno {
 public:
  KeepErrno() : saved_(errno) {}
  ~KeepErrno() { errno = saved_; }
  KeepErrno(const KeepErrno&) = delete;
  KeepErrno& operator=(const KeepErrno&) = delete;

 private:
  const int saved_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_STUBRUN_RAW_CALLS_H_
