// When the guest's request is sent again.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WAIT_RETRIES_H_
#define STUBDOMAIN_WAIT_RETRIES_H_

#include <cstdint>

#include "plan/plan.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// Counts the tries of one wait. Silence is what counts: once a reply has begun,
// none is due until that reply asks for one.
class Retries {
 public:
  enum class Due : uint8_t {
    kNothing,
    kSend,
    kOver,  // the last try has had its time, too
  };

  // The guest has sent its request at `begin`.
  Retries(const RetryRule& rule, Time begin);

  // When Take() has something; kNever: not by time alone.
  Time deadline() const { return deadline_; }
  // What is due by now. kSend counts as a try that was made, and kOver comes
  // once.
  Due Take(Time now);
  // The reply asks for another try, `after` from now. False: none is left.
  bool Ask(Duration after, Time now);
  // Tries that were made.
  uint32_t made() const { return rule_.times - left_; }
  // A reply has begun.
  void NoteReply() { deadline_ = kNever; }

  void Save(Writer& writer, Time now) const;
  // Of one that was just made with the same rule. Check reader.ok().
  void Load(Reader& reader, Time now);

 private:
  RetryRule rule_;
  uint8_t left_;
  Time deadline_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WAIT_RETRIES_H_
