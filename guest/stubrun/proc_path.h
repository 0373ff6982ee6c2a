// A path below /proc for a descriptor of this thread.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_STUBRUN_PROC_PATH_H_
#define STUBDOMAIN_GUEST_STUBRUN_PROC_PATH_H_

#include <array>
#include <charconv>
#include <cstring>

namespace stubdomain {

class ProcPath {
 public:
  // `folder`: "fd/" or "fdinfo/".
  ProcPath(const char* folder, int fd) {
    // Threads can have descriptors of their own.
    constexpr char kThread[] = "/proc/thread-self/";
    char* end = stpcpy(stpcpy(text_.data(), kThread), folder);
    *std::to_chars(end, text_.data() + text_.size() - 1, fd).ptr = '\0';
  }
  const char* text() const { return text_.data(); }

 private:
  std::array<char, 48> text_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_STUBRUN_PROC_PATH_H_
