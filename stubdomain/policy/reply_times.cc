// How long replies take.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/reply_times.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <tuple>
#include <utility>

#include "stubdomain/stubdomain.h"

namespace stubdomain {
namespace {

using std::chrono::milliseconds;

// The step that a time is in: 1, 1.5, 2, 3, 4, 6, 8, ... ms begin one each.
size_t StepOf(Duration time) {
  const auto ms = static_cast<uint64_t>(std::max<int64_t>(
      1, std::chrono::duration_cast<milliseconds>(time).count()));
  const auto octave = static_cast<size_t>(std::bit_width(ms)) - 1;
  const bool upper = octave > 0 && ((ms >> (octave - 1)) & 1) != 0;
  return 2 * octave + (upper ? 1 : 0);
}

Duration BeginOf(size_t step) {
  const auto octave = milliseconds(int64_t{1} << (step / 2));
  return step % 2 == 0 ? Duration(octave) : Duration(octave) * 3 / 2;
}

}  // namespace

void ReplyHistogram::Add(Duration took) {
  if (total_ == kMaxReplies) {
    total_ = 0;
    for (uint16_t& count : counts_) total_ += count /= 2;
  }
  ++counts_[std::min(StepOf(took), kSteps - 1)];
  ++total_;
}

std::optional<Duration> ReplyHistogram::ExceededBy(uint32_t percent,
                                                   Duration elapsed) const {
  const auto longer = counts_.begin() +
                      static_cast<ptrdiff_t>(std::min(StepOf(elapsed), kSteps));
  uint32_t left = 0;
  for (auto at = longer; at != counts_.end(); ++at) left += *at;
  if (left < kLeastReplies) return std::nullopt;
  // At least the longest stays.
  const uint32_t shorter =
      std::min(left - 1, left * (100 - std::min<uint32_t>(percent, 100)) / 100);
  uint32_t passed = 0;
  auto at = longer;
  while (passed + *at <= shorter) passed += *at++;
  return BeginOf(static_cast<size_t>(at - counts_.begin()));
}

void ReplyHistogram::Save(Writer& writer) const {
  for (const uint16_t count : counts_) writer.U8(static_cast<uint8_t>(count));
}

bool ReplyHistogram::Load(Reader& reader) {
  total_ = 0;
  for (uint16_t& count : counts_) total_ += count = reader.U8();
  return total_ <= kMaxReplies || reader.Fail();
}

bool operator<(const ReplyTimes::Key& a, const ReplyTimes::Key& b) {
  const auto bytes = [](const ReplyTimes::Key& key) {
    return key.peer.address.bytes();
  };
  if (a.peer.port != b.peer.port) return a.peer.port < b.peer.port;
  if (!std::ranges::equal(bytes(a), bytes(b))) {
    return std::ranges::lexicographical_compare(bytes(a), bytes(b));
  }
  return a.request_class < b.request_class;
}

void ReplyTimes::MakeRoom() {
  if (entries_.size() < kMaxLearned) return;
  entries_.erase(std::ranges::min_element(
      entries_, {}, [](const auto& entry) { return entry.second.used; }));
}

void ReplyTimes::Note(const Key& key, Duration took) {
  if (!entries_.contains(key)) MakeRoom();
  Entry& entry = entries_[key];
  entry.used = ++uses_;
  entry.times.Add(took);
}

std::optional<Duration> ReplyTimes::ExceededBy(const Key& key, uint32_t percent,
                                               Duration elapsed) const {
  const auto at = entries_.find(key);
  if (at == entries_.end()) return std::nullopt;
  return at->second.times.ExceededBy(percent, elapsed);
}

void ReplyTimes::Save(Writer& writer) const {
  writer.U32(static_cast<uint32_t>(entries_.size()));
  for (const auto& [key, entry] : entries_) {
    writer.Put(key.peer);
    writer.Bytes({reinterpret_cast<const uint8_t*>(key.request_class.data()),
                  key.request_class.size()});
    entry.times.Save(writer);
  }
}

bool ReplyTimes::Load(Reader& reader) {
  entries_.clear();
  const uint32_t count = reader.U32();
  if (count > kMaxLearned) return reader.Fail();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    const Endpoint peer = reader.GetEndpoint();
    const auto name = reader.Bytes();
    if (!reader.ok() || name.size() > SD_CLASS_MAX) return reader.Fail();
    Entry& entry = entries_[{peer, std::string(name.begin(), name.end())}];
    if (!entry.times.Load(reader)) return false;
  }
  return reader.ok();
}

}  // namespace stubdomain
