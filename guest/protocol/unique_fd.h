// A file descriptor with one owner.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_PROTOCOL_UNIQUE_FD_H_
#define STUBDOMAIN_GUEST_PROTOCOL_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace stubdomain {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    Reset(other.Release());
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_PROTOCOL_UNIQUE_FD_H_
