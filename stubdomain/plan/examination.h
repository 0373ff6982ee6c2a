// The checks of a plan, on one message as it comes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_EXAMINATION_H_
#define STUBDOMAIN_PLAN_EXAMINATION_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "plan/message_reader.h"
#include "plan/plan.h"
#include "plan/truth.h"
#include "wire/icmp_why.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// Of a message, for PlanCheck::Kind::kAt.
inline constexpr size_t kMaxFront = 1024;

// The last word on a message.
enum class MessageEnd : uint8_t {
  kNot,
  kComplete,
  kCompleteByFin,  // the peer has closed, by which it is complete
  kFin,            // the peer has closed in its midst, or before it began
  kReset,          // the connection is gone
};

// How long it takes until a check of time is decided, if nothing comes.
struct Clock {
  Duration elapsed{};  // since the wait began
  Duration quiet{};    // since the last byte
};

// Each check is undecided at the beginning, and keeps what it is decided as. A
// pattern is looked for in pieces of the content that begin at each multiple of
// kPatternWindow and are twice as long: so a match that is no longer than one
// of them lies within some piece, wherever it begins.
class Examination {
 public:
  explicit Examination(std::shared_ptr<const Plan> plan);

  // A message begins.
  void Begin();
  // How many of the bytes that come next can be taken before something is
  // decided; at most as many as there are. `content`: they are.
  size_t Ahead(std::span<const uint8_t> bytes, bool content,
               const Facts& facts);
  // They have come. `bytes` are at most what Ahead() said, and the same.
  void Advance(std::span<const uint8_t> bytes, bool content);
  // The first bytes, which have come, are content: at most kPatternWindow.
  void Late(std::span<const uint8_t> content);
  // As much has come of a content that nobody can look into.
  void Credit(uint64_t content) { content_ += content; }
  // An error about the connection or the datagrams has come.
  void NoteError(IcmpWhy why);
  // Decides what can be. Once `end` is given, that is everything. True:
  // something new was.
  bool Decide(const Facts& facts, const Clock& clock, MessageEnd end);

  Truth Evaluate(const Condition& condition) const;
  uint64_t bytes() const { return bytes_; }
  uint64_t content() const { return content_; }
  // When a check is decided next by nothing but time; kNever: none is.
  Time Deadline(Time begin, Time last_byte) const;

  void Save(Writer& writer) const;
  // Of one that was just made. Check reader.ok().
  void Load(Reader& reader);

 private:
  struct Search {           // of a pattern
    uint64_t searched = 0;  // content that it is not in
    uint64_t found = 0;     // the content up to here has it; 0: not found yet
  };

  Truth Look(size_t number, const Facts& facts, const Clock& clock,
             MessageEnd end) const;
  Truth LookAtHead(const PlanCheck& check, const Facts& facts) const;
  Truth LookAtFront(const PlanCheck& check) const;
  uint64_t AheadOf(size_t number, std::span<const uint8_t> bytes, bool content,
                   const Facts& facts);
  void Find(size_t number);
  void Keep(std::span<const uint8_t> bytes, bool content);

  std::shared_ptr<const Plan> plan_;
  std::vector<Truth> truths_;     // by check
  std::vector<Search> searches_;  // by check
  uint64_t bytes_ = 0;
  uint64_t content_ = 0;
  // Patterns: content from the last multiple of kPatternWindow but one on, and
  // the byte before it. What was looked at ahead is in it.
  std::string window_;
  uint64_t window_end_ = 0;
  std::string front_;  // the first bytes, as many as the plan looks at
  size_t front_size_ = 0;
  bool patterns_ = false;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_EXAMINATION_H_
