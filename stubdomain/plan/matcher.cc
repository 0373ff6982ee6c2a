// Runs a plan over a reply as it comes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/matcher.h"

#include <algorithm>
#include <array>
#include <utility>

namespace stubdomain {
namespace {

using After = MessageReader::After;

constexpr uint16_t kContinue = 100;
constexpr uint16_t kSwitchingProtocols = 101;
constexpr uint16_t kOk = 200;

Format FormatFor(Format wanted, bool datagrams) {
  // A datagram says nothing of what it is.
  return datagrams && wanted != Format::kDns ? Format::kRaw : wanted;
}

// It is done once the message is complete. What ends the connection is not:
// nothing of the message follows it.
bool NeedsAll(const PlanAction& action) {
  return action.action == Action::kBuffer || Changes(action.action) ||
         action.action == Action::kScript ||
         (action.action == Action::kAnswer && !action.answer->close);
}

}  // namespace

Matcher::Matcher(std::shared_ptr<const Plan> plan, const Request& request,
                 bool datagrams, Time now)
    : plan_(std::move(plan)),
      datagrams_(datagrams),
      begin_(now),
      last_byte_(now),
      now_(now),
      format_(FormatFor(plan_->format, datagrams)),
      examination_(plan_) {
  SetRequest(request);
  Judge(MessageEnd::kNot);
}

void Matcher::SetRequest(const Request& request) {
  request_ = request;
  if (plan_->method) {
    request_.head = *plan_->method == "HEAD";
    request_.connect = *plan_->method == "CONNECT";
  }
  if (format_ != Format::kAny) SetFormat(format_);
}

// -- events --

void Matcher::Feed(std::span<const uint8_t> bytes, Time now) {
  OnTimer(now);
  if (over_ || ended_) return;
  last_byte_ = now_;
  if (datagrams_ && bytes.empty()) Behind(After::kComplete);
  if (rest_ && !bytes.empty()) {
    const size_t size = std::min(bytes.size(), rest_->size);
    Count(bytes.first(size), rest_->content);
    bytes = bytes.subspan(size);
    rest_->size -= size;
    if (rest_->size > 0) return;
    const MessageReader::Run run = *std::exchange(rest_, std::nullopt);
    FinishRun(run);
  }
  while (!bytes.empty() && !over_) {
    if (reader_ == nullptr) {
      Recognize(bytes.front());
      bytes = bytes.subspan(1);
    } else {
      const MessageReader::Run run = TakeRun(bytes);
      bytes = bytes.subspan(run.size);
    }
  }
}

bool Matcher::OnError(IcmpWhy why, Time now) {
  OnTimer(now);
  if (over_ || ended_ || claim_) return false;
  examination_.NoteError(why);
  if (datagrams_) return JudgeErrorOfDatagrams();
  Judge(MessageEnd::kNot);
  return claim_.has_value();
}

void Matcher::End(bool reset, Time now) {
  OnTimer(now);
  if (over_ || ended_) return;
  if (reader_ == nullptr) SetFormat(Format::kRaw);
  if (over_) return;
  ended_ = true;
  const bool complete = !reset && position_ > message_begin_ && reader_->End();
  if (!claim_) {
    Judge(reset      ? MessageEnd::kReset
          : complete ? MessageEnd::kCompleteByFin
                     : MessageEnd::kFin);
    settled_ = claim_.has_value();
  }
  if (claim_) GoOnWith(complete);
}

Time Matcher::PatienceEnds() const {
  if (!fallen_ || position_ == message_begin_) return kNever;
  const Duration patience =
      reader_ != nullptr ? reader_->patience() : kPatience;
  return patience == Duration::zero() ? kNever : last_byte_ + patience;
}

Time Matcher::Deadline() const {
  if (over_ || ended_ || claim_) return kNever;
  return std::min(examination_.Deadline(begin_, last_byte_), PatienceEnds());
}

void Matcher::OnTimer(Time now) {
  now = std::max(now_, now);
  // What is due comes in its order, however late this is called.
  for (Time due = Deadline(); due <= now; due = Deadline()) {
    now_ = std::max(now_, due);
    Judge(MessageEnd::kNot);
    if (!claim_ && PatienceEnds() <= now_) SetClaim(Step::By::kBuiltIn, 0);
  }
  now_ = now;
}

std::optional<Step> Matcher::Take() {
  if (steps_.empty()) return std::nullopt;
  const Step step = steps_.front();
  steps_.pop_front();
  return step;
}

// -- bytes --

void Matcher::Recognize(uint8_t byte) {
  Count({&byte, 1}, false);
  if (const auto format = recognizer_.Put(byte)) {
    SetFormat(*format);
  } else {
    Judge(MessageEnd::kNot);
  }
}

void Matcher::SetFormat(Format format) {
  format_ = format;
  reader_ = MessageReader::Make(format_, datagrams_, request_);
  known_ = reader_->facts().known;
  const std::span<const uint8_t> taken = recognizer_.taken();
  if (taken.empty()) return;
  const MessageReader::Run run = reader_->Take(taken);
  if (run.content) examination_.Late(taken);
  control_ = run.control;
  Behind(run.after);
}

MessageReader::Run Matcher::TakeRun(std::span<const uint8_t> bytes) {
  MessageReader::Run run = reader_->Take(bytes);
  const bool last = run.size == bytes.size() && run.after != After::kBroken;
  if (datagrams_ && last) run.after = After::kComplete;
  bytes = bytes.first(run.size);
  while (!bytes.empty() && !over_) {
    size_t size = bytes.size();
    if (!claim_) {
      size = examination_.Ahead(bytes, run.content, facts());
      // What falls to nobody does so at its first byte.
      if (fallen_ && position_ == message_begin_) size = 1;
    }
    Count(bytes.first(size), run.content);
    bytes = bytes.subspan(size);
    // What is known behind the run counts at its last byte already.
    if (!bytes.empty()) Judge(MessageEnd::kNot);
  }
  if (!over_) {
    FinishRun(run);
  } else {
    rest_ = run;
    rest_->size = bytes.size();
  }
  return run;
}

void Matcher::FinishRun(const MessageReader::Run& run) {
  examination_.Credit(run.credit);
  control_ = control_ || run.control;
  Behind(run.after);
}

void Matcher::Count(std::span<const uint8_t> bytes, bool content) {
  if (!claim_) examination_.Advance(bytes, content);
  position_ += bytes.size();
  if (!plan_->script.empty()) {
    const auto kept = bytes.first(
        std::min(bytes.size(), kMaxScriptMessage + 1 - text_.size()));
    text_.append(kept.begin(), kept.end());
  }
  if (!plan_->alerts) return;
  bytes = bytes.last(std::min(bytes.size(), kMaxAlertPart));
  part_.append(bytes.begin(), bytes.end());
  if (part_.size() > kMaxAlertPart) {
    part_.erase(0, part_.size() - kMaxAlertPart);
  }
}

void Matcher::Behind(After after) {
  switch (after) {
    case After::kNothing:
      Judge(MessageEnd::kNot);
      return;
    case After::kHead:
      known_ = true;
      Judge(MessageEnd::kNot);
      return;
    case After::kComplete:
      known_ = true;
      Judge(MessageEnd::kComplete);
      GoOnWith(true);
      if (!over_) NextMessage();
      return;
    case After::kBroken:
      claim_ = {.by = Step::By::kNotUnderstood};
      Emit(Action::kRestore);
      return;
  }
}

void Matcher::NextMessage() {
  // The next response is to another request.
  if (facts().status.value_or(kOk) >= kOk) {
    request_.head = request_.connect = false;
  }
  reader_->Next();
  known_ = reader_->facts().known;
  ++message_;
  message_begin_ = position_;
  part_.clear();
  text_.clear();
  claim_.reset();
  whole_ = false;
  fallen_ = false;
  examination_.Begin();
  Judge(MessageEnd::kNot);
}

// -- what becomes of the message --

const Facts& Matcher::facts() const {
  static const Facts kNothingKnown;
  return known_ ? reader_->facts() : kNothingKnown;
}

void Matcher::Judge(MessageEnd end) {
  if (claim_ || over_) return;
  const Clock clock{.elapsed = now_ - begin_, .quiet = now_ - last_byte_};
  examination_.Decide(facts(), clock, end);
  const Truth match =
      plan_->match ? examination_.Evaluate(*plan_->match) : Truth::kYes;
  if (match == Truth::kUndecided) return;
  fallen_ = true;
  for (size_t i = 0; i < plan_->handlers.size() && match == Truth::kYes; ++i) {
    const Truth truth = examination_.Evaluate(plan_->handlers[i].when);
    if (truth == Truth::kYes) {
      return SetClaim(Step::By::kHandler, static_cast<uint32_t>(i));
    }
    if (truth == Truth::kUndecided) fallen_ = false;
  }
  const bool begun = position_ > message_begin_ || end == MessageEnd::kComplete;
  if (!fallen_ || ended_ || !begun) return;
  if (match == Truth::kNo) {
    SetClaim(Step::By::kNotMatched, 0);
  } else if (plan_->otherwise != Otherwise::kRestore) {
    SetClaim(Step::By::kOtherwise, 0);
  } else if (FallsToFormat(end)) {
    SetClaim(Step::By::kBuiltIn, 0);
  }
}

// Nothing is known of a datagram, and nothing is to come.
bool Matcher::JudgeErrorOfDatagrams() {
  const Clock clock{.elapsed = now_ - begin_, .quiet = now_ - last_byte_};
  examination_.Decide(facts(), clock, MessageEnd::kNot);
  for (size_t i = 0; i < plan_->handlers.size(); ++i) {
    if (examination_.Evaluate(plan_->handlers[i].when) != Truth::kYes) continue;
    SetClaim(Step::By::kHandler, static_cast<uint32_t>(i));
    GoOnWith(true);
    if (!over_) NextMessage();
    return true;
  }
  return false;
}

// Whether the built-in rules know by now what to do.
bool Matcher::FallsToFormat(MessageEnd end) const {
  if (end == MessageEnd::kComplete || format_ == Format::kRaw) return true;
  if (!known_) return false;
  return format_ != Format::kTls || control_ || examination_.content() > 0;
}

void Matcher::SetClaim(Step::By by, uint32_t handler) {
  const uint16_t status = facts().status.value_or(0);
  claim_ = {.by = by,
            .handler = handler,
            .interim = status >= 100 && status < 200 &&
                       status != kSwitchingProtocols &&
                       (status != kContinue || !request_.awaits_continue)};
  GoOnWith(false);
}

std::span<const PlanAction> Matcher::ActionsOf(const Claim& claim) const {
  static const std::array kRestoring = {PlanAction{Action::kRestore}};
  static const std::array kIgnoring = {PlanAction{Action::kIgnore}};
  static const std::array kAlerting = {PlanAction{Action::kAlert},
                                       PlanAction{Action::kIgnore}};
  switch (claim.by) {
    case Step::By::kHandler:
      return plan_->handlers[claim.handler].actions;
    case Step::By::kBuiltIn:
      if (claim.interim) return kIgnoring;
      return kRestoring;
    case Step::By::kOtherwise:
      if (plan_->otherwise == Otherwise::kAlert) return kAlerting;
      return kIgnoring;
    case Step::By::kNotMatched:
      return kIgnoring;
    case Step::By::kNotUnderstood:
      break;
  }
  return kRestoring;
}

bool Matcher::follows() const {
  return over_ && !after_ && claim_ && claim_->by == Step::By::kHandler &&
         claim_->done < ActionsOf(*claim_).size();
}

void Matcher::GoOn(Time now) {
  now_ = std::max(now_, now);
  after_ = true;
  over_ = false;
  GoOnWith(whole_);
}

void Matcher::GoOnWith(bool complete) {
  whole_ = complete;
  if (over_) return;
  const std::span<const PlanAction> actions = ActionsOf(*claim_);
  for (; claim_->done < actions.size(); ++claim_->done) {
    if (NeedsAll(actions[claim_->done]) && !complete) return;
    const Action action = actions[claim_->done].action;
    if (action == Action::kScript) {
      if (FollowScript(actions[claim_->done])) continue;
      claim_->done = actions.size();
      over_ = over_ || after_;
      return;
    }
    if (action != Action::kBuffer) Emit(action);
    if (action != Action::kRestore) continue;
    ++claim_->done;
    return;
  }
  over_ = over_ || after_;
}

Step& Matcher::Emit(Action action) {
  steps_.push_back({.action = action,
                    .by = claim_->by,
                    .handler = claim_->handler,
                    .place = static_cast<uint32_t>(claim_->done),
                    .message = message_,
                    .begin = message_begin_,
                    .offset = position_,
                    .part = action == Action::kAlert ? part_ : ""});
  over_ = over_ || action == Action::kRestore || action == Action::kAnswer;
  if (action == Action::kRetry) ++tries_;
  return steps_.back();
}

}  // namespace stubdomain
