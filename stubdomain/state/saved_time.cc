// Points in time in the serial form.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "state/saved_time.h"

#include <algorithm>

namespace stubdomain {

void SaveTime(Time time, Time now, Writer& writer) {
  if (time == kNever) {
    writer.U64(UINT64_MAX);
    return;
  }
  const Duration left = std::clamp(time - now, Duration(0), kMaxSavedDuration);
  writer.U64(static_cast<uint64_t>(left.count()));
}

Time LoadTime(Reader& reader, Time now) {
  const uint64_t left = reader.U64();
  if (left == UINT64_MAX) return kNever;
  if (left > static_cast<uint64_t>(kMaxSavedDuration.count())) {
    reader.Fail();
    return kNever;
  }
  return now + Duration(static_cast<int64_t>(left));
}

}  // namespace stubdomain
