// What an epoll descriptor watches.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stubrun/epoll_interest.h"

#include <sys/epoll.h>

#include <charconv>
#include <cstring>

#include "stubrun/proc_path.h"
#include "stubrun/raw_calls.h"

namespace stubdomain {
namespace {

constexpr unsigned kFlags =
    EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE;

// The number behind `key` in a line such as
//   tfd:        5 events:       19 data:  ... pos:0 ino:1a2b sdev:8
template <typename Number>
bool Find(std::string_view line, std::string_view key, int base,
          Number& number) {
  size_t at = line.find(key);
  if (at == line.npos) return false;
  at += key.size();
  while (at < line.size() && line[at] == ' ') at++;
  const char* end = line.data() + line.size();
  return std::from_chars(line.data() + at, end, number, base).ec == std::errc();
}

}  // namespace

EpollInterest::EpollInterest(int epoll)
    : file_(RawOpen(ProcPath("fdinfo/", epoll).text())) {}

EpollInterest::~EpollInterest() {
  if (file_ >= 0) RawClose(file_);
}

bool EpollInterest::Next(Entry& entry) {
  std::string_view line;
  while (ReadLine(line)) {
    if (!line.starts_with("tfd:")) continue;
    entry = Entry();
    if (!Find(line, "tfd:", 10, entry.fd) ||
        !Find(line, "events:", 16, entry.events)) {
      complete_ = false;
      return false;
    }
    entry.events &= ~kFlags;
    Find(line, "ino:", 16, entry.inode);
    return true;
  }
  return false;
}

bool EpollInterest::ReadLine(std::string_view& line) {
  complete_ = false;
  while (file_ >= 0) {
    const std::string_view rest(buffer_.data() + begin_, end_ - begin_);
    const size_t length = rest.find('\n');
    if (length != rest.npos) {
      line = std::string_view(rest.data(), length);
      begin_ += length + 1;
      return true;
    }
    std::memmove(buffer_.data(), rest.data(), rest.size());
    begin_ = 0;
    end_ = rest.size();
    const ssize_t more =
        RawRead(file_, buffer_.data() + end_, buffer_.size() - end_);
    if (more <= 0) {
      complete_ = more == 0 && rest.empty();
      return false;
    }
    end_ += static_cast<size_t>(more);
  }
  return false;
}

}  // namespace stubdomain
