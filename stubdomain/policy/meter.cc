// What a VM gave back.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/meter.h"

#include <algorithm>
#include <chrono>
#include <limits>

namespace stubdomain {
namespace {

constexpr uint64_t kMillisecondsPerSecond = 1000;

// In byte-seconds, up to what fits.
uint64_t Product(uint64_t bytes, uint64_t ms) {
  constexpr auto kMax = std::numeric_limits<uint64_t>::max();
  const uint64_t seconds = ms / kMillisecondsPerSecond;
  if (bytes != 0 && seconds > kMax / bytes / 2) return kMax / 2;
  // The rest of a second is below what overflows, once it is divided first.
  return bytes * seconds +
         bytes / kMillisecondsPerSecond * (ms % kMillisecondsPerSecond);
}

}  // namespace

void Meter::Enter(Depth depth, Time now) {
  before_ = Read(now);
  depth_ = depth;
  since_ = now;
}

void Meter::OnEvicted(uint64_t bytes, Time now) {
  Enter(Depth::kEvicted, now);
  bytes_ = bytes;
}

sd_given_back Meter::Read(Time now) const {
  sd_given_back given = before_;
  const auto ms = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(
          std::max(now, since_) - since_)
          .count());
  if (depth_ == Depth::kIdle) given.idle_ms += ms;
  if (depth_ == Depth::kEvicted) {
    given.evicted_ms += ms;
    given.byte_seconds += Product(bytes_, ms);
  }
  return given;
}

void Meter::Save(Writer& writer, Time now) const {
  const sd_given_back given = Read(now);
  writer.U8(static_cast<uint8_t>(depth_));
  writer.U64(bytes_);
  writer.U64(given.idle_ms);
  writer.U64(given.evicted_ms);
  writer.U64(given.byte_seconds);
}

bool Meter::Load(Reader& reader, Time now) {
  const uint8_t depth = reader.U8();
  if (depth > static_cast<uint8_t>(Depth::kEvicted)) return reader.Fail();
  depth_ = static_cast<Depth>(depth);
  since_ = now;
  bytes_ = reader.U64();
  before_.idle_ms = reader.U64();
  before_.evicted_ms = reader.U64();
  before_.byte_seconds = reader.U64();
  return reader.ok();
}

}  // namespace stubdomain
