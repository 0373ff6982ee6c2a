// What an epoll descriptor watches, as the kernel tells in /proc: whoever added
// it, in whatever way, before or after this library was loaded.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_STUBRUN_EPOLL_INTEREST_H_
#define STUBDOMAIN_GUEST_STUBRUN_EPOLL_INTEREST_H_

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace stubdomain {

class EpollInterest {
 public:
  struct Entry {
    int fd = -1;          // its number when it was added
    unsigned events = 0;  // as in poll(), without epoll's own flags
    ino_t inode = 0;      // of its file; 0: this kernel does not tell
  };

  explicit EpollInterest(int epoll);
  ~EpollInterest();
  EpollInterest(const EpollInterest&) = delete;
  EpollInterest& operator=(const EpollInterest&) = delete;

  // False after the last.
  bool Next(Entry& entry);
  // Whether the last really was the last: nothing failed.
  bool complete() const { return complete_; }

 private:
  // The next line without its end; false if there is none.
  bool ReadLine(std::string_view& line);

  int file_;
  bool complete_ = false;
  std::array<char, 512> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_STUBRUN_EPOLL_INTEREST_H_
