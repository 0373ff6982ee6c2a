// The checks of a plan, on one message as it comes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/examination.h"

#include <strings.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace stubdomain {
namespace {

using Kind = PlanCheck::Kind;

constexpr uint64_t kNoByte = std::numeric_limits<uint64_t>::max();

std::string_view Text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool SameName(const std::string& a, const std::string& b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

bool IsOneOf(IcmpWhy why, PlanCheck::Errors errors) {
  switch (errors) {
    case PlanCheck::Errors::kAny:
      return why != IcmpWhy::kTooBig;
    case PlanCheck::Errors::kUnreachable:
      return why == IcmpWhy::kUnreachable || why == IcmpWhy::kPortUnreachable;
    case PlanCheck::Errors::kPortUnreachable:
      return why == IcmpWhy::kPortUnreachable;
    case PlanCheck::Errors::kTimeExceeded:
      return why == IcmpWhy::kTimeExceeded;
  }
  return false;
}

// The content that makes `percent` of `length`.
uint64_t ShareOf(uint64_t length, uint64_t percent) {
  return length / 100 * percent + (length % 100 * percent + 99) / 100;
}

}  // namespace

Examination::Examination(std::shared_ptr<const Plan> plan)
    : plan_(std::move(plan)) {
  for (const PlanCheck& check : plan_->checks) {
    if (check.kind == Kind::kPattern) patterns_ = true;
    if (check.kind == Kind::kAt) {
      front_size_ =
          std::max<size_t>(front_size_, check.number + check.text->size());
    }
  }
  Begin();
}

void Examination::Begin() {
  truths_.assign(plan_->checks.size(), Truth::kUndecided);
  searches_.assign(plan_->checks.size(), {});
  bytes_ = 0;
  content_ = 0;
  window_.clear();
  window_end_ = 0;
  front_.clear();
}

size_t Examination::Ahead(std::span<const uint8_t> bytes, bool content,
                          const Facts& facts) {
  if (patterns_ && content) {
    const uint64_t in_piece = kPatternWindow - content_ % kPatternWindow;
    bytes = bytes.first(std::min<uint64_t>(bytes.size(), in_piece));
    Keep(bytes, content);
  }
  uint64_t ahead = bytes.size();
  for (size_t i = 0; i < truths_.size(); ++i) {
    if (truths_[i] != Truth::kUndecided) continue;
    ahead = std::min(ahead, AheadOf(i, bytes, content, facts));
  }
  return ahead;
}

void Examination::Keep(std::span<const uint8_t> bytes, bool content) {
  if (!content) return;
  if (content_ % kPatternWindow == 0 && window_.size() > kPatternWindow + 1) {
    window_.erase(0, window_.size() - kPatternWindow - 1);
  }
  window_ += Text(bytes.subspan(window_end_ - content_));
  window_end_ = content_ + bytes.size();
}

uint64_t Examination::AheadOf(size_t number, std::span<const uint8_t> bytes,
                              bool content, const Facts& facts) {
  const PlanCheck& check = plan_->checks[number];
  const auto until = [](uint64_t wanted, uint64_t have) {
    return wanted > have ? wanted - have : kNoByte;
  };
  switch (check.kind) {
    case Kind::kBytes:
      return until(check.number, bytes_);
    case Kind::kBody:
      return content ? until(check.number, content_) : kNoByte;
    case Kind::kShare:
      return content && facts.length
                 ? until(ShareOf(*facts.length, check.number), content_)
                 : kNoByte;
    case Kind::kAt:
      for (uint64_t i = std::max(bytes_, check.number);
           i < bytes_ + bytes.size(); ++i) {
        const uint64_t at = i - check.number;
        const bool same =
            static_cast<uint8_t>((*check.text)[at]) == bytes[i - bytes_];
        if (!same || at + 1 == check.text->size()) return i + 1 - bytes_;
      }
      return kNoByte;
    case Kind::kPattern: {
      if (!content) return kNoByte;
      Find(number);
      const uint64_t found = until(searches_[number].found, content_);
      return check.number == 0 ? found
                               : std::min(found, until(check.number, content_));
    }
    default:
      return kNoByte;
  }
}

// Looks for a pattern in the content that has come since it was last looked
// for.
void Examination::Find(size_t number) {
  Search& search = searches_[number];
  if (search.found != 0 || search.searched == window_end_) return;
  const PlanCheck& check = plan_->checks[number];
  const uint64_t kept = window_end_ - window_.size();
  const auto find = [&](uint64_t begin, uint64_t end) {
    const uint64_t from = std::max(begin - (begin > 0 ? 1 : 0), kept);
    const auto text = std::string_view(window_).substr(from - kept, end - from);
    const uint64_t least = search.searched - std::min(search.searched, from);
    const auto length = check.pattern->Find(text, from < begin ? 1 : 0, least);
    if (!length) return;
    const uint64_t found = from + *length;
    if (search.found == 0 || found < search.found) search.found = found;
  };
  if (check.number > 0) {
    find(0, std::min(window_end_, check.number));
  } else {
    // What lies in the piece that begins behind it lies in this one, too.
    const uint64_t piece = content_ - content_ % kPatternWindow;
    find(piece - std::min<uint64_t>(piece, kPatternWindow), window_end_);
  }
  search.searched = window_end_;
}

void Examination::Late(std::span<const uint8_t> content) {
  if (patterns_) {
    Keep(content, true);
    for (size_t i = 0; i < truths_.size(); ++i) {
      if (plan_->checks[i].kind == Kind::kPattern) Find(i);
    }
  }
  content_ += content.size();
}

void Examination::Advance(std::span<const uint8_t> bytes, bool content) {
  if (front_.size() < front_size_ && front_.size() == bytes_) {
    front_ += Text(bytes).substr(0, front_size_ - front_.size());
  }
  bytes_ += bytes.size();
  if (content) content_ += bytes.size();
}

void Examination::NoteError(IcmpWhy why) {
  for (size_t i = 0; i < truths_.size(); ++i) {
    const PlanCheck& check = plan_->checks[i];
    if (check.kind == Kind::kIcmp && truths_[i] == Truth::kUndecided &&
        IsOneOf(why, check.errors)) {
      truths_[i] = Truth::kYes;
    }
  }
}

bool Examination::Decide(const Facts& facts, const Clock& clock,
                         MessageEnd end) {
  bool news = false;
  for (size_t i = 0; i < truths_.size(); ++i) {
    if (truths_[i] != Truth::kUndecided) continue;
    truths_[i] = Look(i, facts, clock, end);
    news = news || truths_[i] != Truth::kUndecided;
  }
  return news;
}

Truth Examination::Look(size_t number, const Facts& facts, const Clock& clock,
                        MessageEnd end) const {
  const PlanCheck& check = plan_->checks[number];
  const bool over = end != MessageEnd::kNot;
  // What has come is enough; if not, more may.
  const auto enough = [over](bool yes) {
    return yes ? Truth::kYes : over ? Truth::kNo : Truth::kUndecided;
  };
  switch (check.kind) {
    case Kind::kStatus:
    case Kind::kRcode:
    case Kind::kId:
    case Kind::kHeader:
      return facts.known ? LookAtHead(check, facts) : enough(false);
    case Kind::kBytes:
      return enough(bytes_ >= check.number);
    case Kind::kBody:
      return enough(content_ >= check.number);
    case Kind::kShare:
      if (facts.known && !facts.length) return Truth::kNo;
      return enough(facts.known &&
                    content_ >= ShareOf(*facts.length, check.number));
    case Kind::kAt: {
      const Truth truth = LookAtFront(check);
      return truth == Truth::kUndecided ? enough(false) : truth;
    }
    case Kind::kPattern: {
      const Search& search = searches_[number];
      if (search.found != 0 && search.found <= content_) return Truth::kYes;
      const bool passed = check.number != 0 && content_ >= check.number;
      return passed ? Truth::kNo : enough(false);
    }
    case Kind::kComplete:
      return enough(end == MessageEnd::kComplete ||
                    end == MessageEnd::kCompleteByFin);
    case Kind::kQuiet:
      return enough(bytes_ > 0 && clock.quiet >= check.duration);
    case Kind::kElapsed:
      return enough(clock.elapsed >= check.duration);
    case Kind::kFin:
      return enough(end == MessageEnd::kFin ||
                    end == MessageEnd::kCompleteByFin);
    case Kind::kReset:
      return enough(end == MessageEnd::kReset);
    case Kind::kIcmp:
      return enough(false);  // NoteError() says yes
  }
  return Truth::kNo;
}

Truth Examination::LookAtHead(const PlanCheck& check,
                              const Facts& facts) const {
  switch (check.kind) {
    case Kind::kStatus:
      return Decided(facts.status && *facts.status >= check.low &&
                     *facts.status <= check.high);
    case Kind::kRcode:
      return Decided(facts.rcode == check.number);
    case Kind::kId:
      return Decided(facts.id == check.number);
    default:
      break;
  }
  const bool has = std::ranges::any_of(facts.headers, [&](const auto& header) {
    const auto& [name, value] = header;
    if (!SameName(name, check.name)) return false;
    if (check.text) return value == *check.text;
    return !check.pattern || check.pattern->Find(value, 0, 0).has_value();
  });
  return Decided(has);
}

Truth Examination::LookAtFront(const PlanCheck& check) const {
  for (size_t i = 0; i < check.text->size(); ++i) {
    if (check.number + i >= front_.size()) return Truth::kUndecided;
    if (front_[check.number + i] != (*check.text)[i]) return Truth::kNo;
  }
  return Truth::kYes;
}

Truth Examination::Evaluate(const Condition& condition) const {
  switch (condition.kind) {
    case Condition::Kind::kCheck:
      return truths_[condition.check];
    case Condition::Kind::kNot:
      return Not(Evaluate(condition.parts[0]));
    case Condition::Kind::kAll:
    case Condition::Kind::kAny:
      break;
  }
  // The one that decides it: a part that does not hold, or one that does.
  const Truth decisive = Decided(condition.kind == Condition::Kind::kAny);
  Truth truth = Not(decisive);
  for (const Condition& part : condition.parts) {
    const Truth of_part = Evaluate(part);
    if (of_part == decisive) return decisive;
    if (of_part == Truth::kUndecided) truth = Truth::kUndecided;
  }
  return truth;
}

Time Examination::Deadline(Time begin, Time last_byte) const {
  Time first = kNever;
  for (size_t i = 0; i < truths_.size(); ++i) {
    if (truths_[i] != Truth::kUndecided) continue;
    const PlanCheck& check = plan_->checks[i];
    if (check.kind == Kind::kQuiet && bytes_ > 0) {
      first = std::min(first, last_byte + check.duration);
    } else if (check.kind == Kind::kElapsed) {
      first = std::min(first, begin + check.duration);
    }
  }
  return first;
}

}  // namespace stubdomain
