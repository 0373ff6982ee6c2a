// Points in time, each of somebody, in order.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_TIME_ORDER_H_
#define STUBDOMAIN_WIRE_TIME_ORDER_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "wire/time.h"

namespace stubdomain {

// Sorted, in one piece of memory: for the thousand entries that there may be of
// anything here, moving those behind a new one is quicker than a tree's nodes
// are, and the n-th is at hand.
class TimeOrder {
 public:
  // This time of `id` is not in it yet. kNever is a time like any other, and
  // the last.
  void Add(Time time, uint64_t id) {
    const Entry entry{time, id};
    entries_.insert(std::ranges::upper_bound(entries_, entry), entry);
  }
  // It is in it.
  void Remove(Time time, uint64_t id) {
    entries_.erase(std::ranges::lower_bound(entries_, Entry{time, id}));
  }

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  // kNever: there is none.
  Time First() const { return Nth(0); }
  Time Nth(size_t n) const {
    return n < entries_.size() ? entries_[n].first : kNever;
  }
  // How many are no later than this.
  size_t CountUntil(Time time) const {
    return static_cast<size_t>(
        std::ranges::upper_bound(entries_, Entry{time, UINT64_MAX}) -
        entries_.begin());
  }
  // Whose they are, the earliest first.
  std::vector<uint64_t> Until(Time time) const {
    std::vector<uint64_t> ids(CountUntil(time));
    std::ranges::transform(entries_.begin(), entries_.begin() + ids.size(),
                           ids.begin(), &Entry::second);
    return ids;
  }

 private:
  using Entry = std::pair<Time, uint64_t>;
  std::vector<Entry> entries_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_TIME_ORDER_H_
