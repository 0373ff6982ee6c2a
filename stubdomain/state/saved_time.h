// Points in time in the serial form.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_STATE_SAVED_TIME_H_
#define STUBDOMAIN_STATE_SAVED_TIME_H_

#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// The longest time between now and a saved time: all durations are given in
// milliseconds, in 32 bits.
inline constexpr Duration kMaxSavedDuration =
    std::chrono::milliseconds(UINT32_MAX);

// Clocks of two hosts have nothing to do with each other, so what is saved is
// the time that is left, in nanoseconds, negative for the past. INT64_MAX:
// never.
void SaveTime(Time time, Time now, Writer& writer);
// Fails if it is further away than kMaxSavedDuration.
Time LoadTime(Reader& reader, Time now);

}  // namespace stubdomain

#endif  // STUBDOMAIN_STATE_SAVED_TIME_H_
