// Finds a connection's entry: a hash table that touches little memory.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_FLOW_INDEX_H_
#define STUBDOMAIN_TCP_FLOW_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace stubdomain {

// Every frame looks its connection up, and with many connections nearly all of
// that is waiting for memory. So the slots lie in one array (open addressing,
// linear probing, at most half full) and tell entries apart by their whole
// hash; and an entry is fetched all at once.
//
// The entries are the caller's, and stay where they are.
template <class Entry>
class FlowIndex {
 public:
  size_t size() const { return size_; }
  // Slots, for the figures.
  static constexpr size_t kBytesPerEntry = 2 * 2 * sizeof(void*);

  // The entry with this hash for which matches(entry) holds; null: none.
  template <class Matches>
  Entry* Find(uint64_t hash, Matches matches) const {
    if (slots_.empty()) return nullptr;
    for (size_t at = Home(hash); slots_[at].entry != nullptr; at = Next(at)) {
      const Slot& slot = slots_[at];
      if (slot.hash != hash) continue;
      Fetch(slot.entry);
      if (matches(*slot.entry)) return slot.entry;
    }
    return nullptr;
  }

  // `entry` is not in it yet.
  void Add(uint64_t hash, Entry* entry) {
    if ((size_ + 1) * 2 > slots_.size()) Grow();
    Put({hash, entry});
    ++size_;
  }

  // `entry` is in it, under this hash.
  void Remove(uint64_t hash, const Entry* entry) {
    size_t hole = Home(hash);
    while (slots_[hole].entry != entry) hole = Next(hole);
    // What follows moves up if that brings it closer to where it belongs.
    for (size_t at = Next(hole); slots_[at].entry != nullptr; at = Next(at)) {
      const size_t home = Home(slots_[at].hash);
      if (Distance(home, at) >= Distance(hole, at)) {
        slots_[hole] = slots_[at];
        hole = at;
      }
    }
    slots_[hole] = Slot{};
    --size_;
  }

  void Clear() {
    slots_.clear();
    size_ = 0;
  }

 private:
  struct Slot {
    uint64_t hash = 0;
    Entry* entry = nullptr;
  };
  static constexpr size_t kFirstSlots = 16;
  static constexpr size_t kCacheLine = 64;

  size_t Home(uint64_t hash) const { return hash & (slots_.size() - 1); }
  size_t Next(size_t at) const { return (at + 1) & (slots_.size() - 1); }
  size_t Distance(size_t from, size_t to) const {
    return (to - from) & (slots_.size() - 1);
  }

  static void Fetch(const Entry* entry) {
    const auto* begin = reinterpret_cast<const char*>(entry);
    for (size_t at = 0; at < sizeof(Entry); at += kCacheLine) {
      __builtin_prefetch(begin + at);
    }
  }

  void Put(const Slot& slot) {
    size_t at = Home(slot.hash);
    while (slots_[at].entry != nullptr) at = Next(at);
    slots_[at] = slot;
  }

  void Grow() {
    std::vector<Slot> before(slots_.empty() ? kFirstSlots : 2 * slots_.size());
    before.swap(slots_);
    for (const Slot& slot : before) {
      if (slot.entry != nullptr) Put(slot);
    }
  }

  std::vector<Slot> slots_;  // a power of two of them, or none
  size_t size_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_FLOW_INDEX_H_
