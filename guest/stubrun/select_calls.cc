// select() and pselect() of the program.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <sys/select.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "stubrun/export.h"
#include "stubrun/waiting.h"

namespace stubdomain {
namespace {

// The sets of one call: read, write, exceptional.
using Sets = std::array<fd_set*, 3>;
constexpr std::array<short, 3> kEvents = {POLLIN, POLLOUT, POLLPRI};

// The real call writes into the program's sets, so they are kept here as they
// were asked. `call`: the real call, with a time, on the program's sets.
template <typename Call>
class Select {
 public:
  // `count`: FD_SETSIZE at most. A program's set may end behind it.
  Select(int count, const Sets& sets, const sigset_t* mask, const Call& call)
      : count_(count), sets_(sets), mask_(mask), call_(call) {
    for (size_t i = 0; i < sets_.size(); i++) {
      if (sets_[i]) std::memcpy(&asked_[i], sets_[i], SetSize());
    }
  }

  int Try(int64_t time) {
    Restore();
    return call_(*this, time);
  }

  bool Gather(Awaited& awaited) {
    for (int fd = 0; fd < count_; fd++) {
      const short events = EventsOf(fd);
      if (events == 0) continue;
      if (polled_ == kMaxPolled ||
          !awaited.Add(fd, static_cast<unsigned>(events))) {
        return false;
      }
      entries_[polled_++] = {fd, events, 0};
    }
    return true;
  }

  int Gate(pollfd& agent, int64_t time) {
    const int64_t start = Now();
    const int ready = GateOf(entries_.data(), polled_, agent, time, mask_);
    spent_ += Now() - start;
    // A call that a signal ends leaves the sets as they were.
    if (ready < 0) Restore();
    return ready;
  }

  void AddSpent(int64_t time) { spent_ += time; }
  int64_t spent() const { return spent_; }

 private:
  void Restore() {
    for (size_t i = 0; i < sets_.size(); i++) {
      if (sets_[i]) std::memcpy(sets_[i], &asked_[i], SetSize());
    }
  }

  size_t SetSize() const {
    constexpr size_t kWord = 8 * sizeof(fd_mask);
    return (static_cast<size_t>(count_) + kWord - 1) / kWord * sizeof(fd_mask);
  }
  short EventsOf(int fd) const {
    short events = 0;
    for (size_t i = 0; i < sets_.size(); i++) {
      if (sets_[i] && FD_ISSET(fd, &asked_[i])) events |= kEvents[i];
    }
    return events;
  }

  const int count_;
  const Sets sets_;
  const sigset_t* const mask_;
  const Call& call_;
  std::array<fd_set, 3> asked_;
  std::array<pollfd, kMaxPolled> entries_;
  size_t polled_ = 0;
  int64_t spent_ = 0;
};

// Linux tells in it how much is left.
void Subtract(timeval& timeout, int64_t spent) {
  const int64_t before = timeout.tv_sec * kSecond + timeout.tv_usec * 1000;
  const int64_t left = std::max<int64_t>(before - spent, 0);
  timeout = {.tv_sec = left / kSecond, .tv_usec = left % kSecond / 1000};
}

}  // namespace
}  // namespace stubdomain

using stubdomain::kForever;
using stubdomain::kSecond;
using stubdomain::PollLike;
using stubdomain::Real;
using stubdomain::Select;

EXPORT int select(int count, fd_set* read, fd_set* write, fd_set* except,
                  timeval* timeout) {
  // The kernel's to refuse, or (sets of another size than fd_set) to do.
  if (count < 0 || count > FD_SETSIZE ||
      (timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0 ||
                   timeout->tv_sec >= stubdomain::kMaxTime / kSecond))) {
    return Real().select(count, read, write, except, timeout);
  }
  const int64_t limit =
      timeout ? timeout->tv_sec * kSecond + timeout->tv_usec * 1000 : kForever;
  const auto call = [&](auto& self, int64_t time) {
    timeval left{.tv_sec = time / kSecond, .tv_usec = time % kSecond / 1000};
    const int ready =
        Real().select(count, read, write, except, time < 0 ? nullptr : &left);
    self.AddSpent(time - (left.tv_sec * kSecond + left.tv_usec * 1000));
    return ready;
  };
  Select polling(count, {read, write, except}, nullptr, call);
  const int result = PollLike(polling, limit);
  if (timeout) {
    stubdomain::Subtract(*timeout, result == 0 ? limit : polling.spent());
  }
  return result;
}

EXPORT int __select(int count, fd_set* read, fd_set* write, fd_set* except,
                    timeval* timeout) {
  return select(count, read, write, except, timeout);
}

EXPORT int pselect(int count, fd_set* read, fd_set* write, fd_set* except,
                   const timespec* timeout, const sigset_t* mask) {
  if (count < 0 || count > FD_SETSIZE ||
      (timeout && !stubdomain::IsValid(*timeout))) {
    return Real().pselect(count, read, write, except, timeout, mask);
  }
  const auto call = [&](auto&, int64_t time) {
    const timespec left = stubdomain::ToTimespec(std::max<int64_t>(time, 0));
    return Real().pselect(count, read, write, except,
                          time < 0 ? nullptr : &left, mask);
  };
  Select polling(count, {read, write, except}, mask, call);
  return PollLike(polling,
                  timeout ? stubdomain::FromTimespec(*timeout) : kForever);
}
