// Points in time in the serial form.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "state/saved_time.h"

#include <algorithm>

namespace stubdomain {

void SaveTime(Time time, Time now, Writer& writer) {
  const Duration left =
      time == kNever
          ? Duration::max()
          : std::clamp(time - now, -kMaxSavedDuration, kMaxSavedDuration);
  writer.U64(static_cast<uint64_t>(left.count()));
}

Time LoadTime(Reader& reader, Time now) {
  const Duration left(static_cast<int64_t>(reader.U64()));
  if (left == Duration::max()) return kNever;
  if (left < -kMaxSavedDuration || left > kMaxSavedDuration) {
    reader.Fail();
    return kNever;
  }
  return now + left;
}

}  // namespace stubdomain
