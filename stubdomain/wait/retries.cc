// When the guest's request is sent again.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/retries.h"

#include "state/saved_time.h"

namespace stubdomain {

Retries::Retries(const RetryRule& rule, Time begin)
    : rule_(rule),
      left_(rule.times),
      deadline_(rule.after ? begin + *rule.after : kNever) {}

Retries::Due Retries::Take(Time now) {
  if (deadline_ > now) return Due::kNothing;
  deadline_ = kNever;
  if (left_ == 0) return Due::kOver;
  --left_;
  if (rule_.after) deadline_ = now + *rule_.after;
  return Due::kSend;
}

bool Retries::Ask(Duration after, Time now) {
  if (left_ == 0) return false;
  deadline_ = now + after;
  return true;
}

void Retries::Save(Writer& writer, Time now) const {
  writer.U8(left_);
  SaveTime(deadline_, now, writer);
}

void Retries::Load(Reader& reader, Time now) {
  left_ = reader.U8();
  deadline_ = LoadTime(reader, now);
  if (left_ > rule_.times) reader.Fail();
}

}  // namespace stubdomain
