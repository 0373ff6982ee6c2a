// Runs a plan over a reply as it comes: what its scripts say.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <array>
#include <utility>

#include "plan/matcher.h"

namespace stubdomain {
namespace {

constexpr std::array<std::string_view, 5> kFormatNames = {"", "raw", "http",
                                                          "dns", "tls"};

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// What of a whole message is content. `reader` knows the facts then.
std::string ContentOf(MessageReader* reader, std::span<const uint8_t> message) {
  std::string content;
  while (!message.empty()) {
    const MessageReader::Run run = reader->Take(message);
    const auto taken = message.first(run.size);
    if (run.content) content.append(taken.begin(), taken.end());
    if (run.after == MessageReader::After::kComplete ||
        run.after == MessageReader::After::kBroken) {
      break;
    }
    message = message.subspan(run.size);
  }
  return content;
}

}  // namespace

bool Matcher::FollowScript(const PlanAction& action) {
  using Next = ScriptVerdict::Next;
  ScriptVerdict verdict;
  if (text_.size() > kMaxScriptMessage) {
    verdict.problem = "the message is too long";
  } else {
    const auto reader = MessageReader::Make(format_, datagrams_, request_);
    const std::string body = ContentOf(reader.get(), Bytes(text_));
    verdict = RunScript(action.bytes,
                        {.format = kFormatNames[static_cast<size_t>(format_)],
                         .bytes = text_,
                         .body = body,
                         .facts = reader->facts(),
                         .handler = plan_->handlers[claim_->handler].name,
                         .number = message_,
                         .tries = tries_,
                         .datagram = datagrams_},
                        &script_steps_);
  }
  const bool may_ask = plan_->retries && plan_->retries->repeatable;
  if (verdict.next == Next::kRetry && verdict.problem.empty() && !may_ask) {
    verdict.problem = "retry: only with retries.repeatable of the plan";
  }
  const auto emit = [this](Action what) -> Step& {
    Step& step = Emit(what);
    step.scripted = true;
    return step;
  };
  for (std::string& alert : verdict.alerts) {
    emit(Action::kAlert).text = std::move(alert);
  }
  if (!verdict.problem.empty()) {
    emit(Action::kAlert).problem = "script: " + verdict.problem;
    emit(Action::kRestore);
    return false;
  }
  switch (verdict.next) {
    case Next::kNextAction:
      return true;
    case Next::kRestore:
      emit(Action::kRestore);
      break;
    case Next::kIgnore:
      emit(Action::kIgnore);
      break;
    case Next::kDiscard:
      emit(Action::kDiscard);
      break;
    case Next::kRetry:
      emit(Action::kRetry).after = verdict.after;
      break;
    case Next::kAnswer:
      emit(Action::kAnswer).text = std::move(verdict.answer);
      break;
  }
  return false;
}

}  // namespace stubdomain
