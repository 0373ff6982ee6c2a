// Runs the plan of a wait over what comes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/reply_watch.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace stubdomain {

static_assert(SD_HANDLER_MAX == kMaxNameLength);
static_assert(SD_ALERT_PART_MAX == kMaxAlertPart);
static_assert(SD_MAX_IMPORTANCE == kMaxImportance);

ReplyWatch::ReplyWatch(std::shared_ptr<const Plan> plan, bool datagrams,
                       Time now)
    : matcher_(std::move(plan), {}, datagrams, now) {
  if (const auto& rule = this->plan().retries) retries_.emplace(*rule, now);
}

sd_claim ReplyWatch::ClaimOf(const Step& step) const {
  sd_claim claim{.message = step.message, .offset = step.offset};
  if (step.by == Step::By::kHandler) {
    const std::string& name = plan().handlers[step.handler].name;
    std::ranges::copy(name, claim.handler);
  }
  return claim;
}

ReplyEdit ReplyWatch::EditOf(const Step& step) const {
  const PlanAction& action = plan().handlers[step.handler].actions[step.place];
  return {.claim = ClaimOf(step),
          .begin = step.begin,
          .length = step.offset - step.begin,
          .transform = action.transform};
}

PlanAction ReplyWatch::ActionOf(const Step& step) const {
  if (step.by != Step::By::kHandler) return {};
  const PlanAction& action = plan().handlers[step.handler].actions[step.place];
  if (!step.scripted) return action;
  PlanAction said{.action = step.action};
  if (step.action == Action::kRetry) {
    said.after =
        step.after.value_or(plan().retries->after.value_or(Duration::zero()));
  } else if (step.action == Action::kAnswer) {
    said.answer = std::make_shared<const ArtificialReply>(
        ArtificialReply{.bytes = step.text, .close = false});
  }
  return said;
}

// False: the wait ends here.
bool ReplyWatch::Do(const Step& step, const Means& means, Time now,
                    PlanEffects* effects) {
  const PlanAction action = ActionOf(step);
  switch (step.action) {
    case Action::kAlert:
      effects->alerts.push_back({.claim = ClaimOf(step),
                                 .part = step.part,
                                 .at = step.offset - step.part.size(),
                                 .problem = step.problem,
                                 .text = step.text});
      return true;
    case Action::kSend:
      if (!means.send) {
        if (matcher_.after()) {
          effects->alerts.push_back(
              {.claim = ClaimOf(step),
               .at = step.offset,
               .problem = "nothing can be sent in the guest's name"});
        }
        return false;
      }
      effects->sent.push_back(action.bytes);
      return true;
    case Action::kRetry:
      if (!means.ask || step.begin < means.kept_from ||
          !retries_->Ask(action.after, now)) {
        return false;
      }
      [[fallthrough]];
    case Action::kDiscard:
    case Action::kTransform:
      effects->edits.push_back(EditOf(step));
      return true;
    case Action::kImportance:
      effects->importance = action.importance;
      return true;
    case Action::kAnswer:
      effects->answer = {.begin = step.begin,
                         .length = step.offset - step.begin,
                         .reply = action.answer};
      return false;
    case Action::kRestore:
      return false;
    case Action::kBuffer:
    case Action::kIgnore:
    case Action::kScript:
      break;
  }
  return true;
}

ReplyWatch::Result ReplyWatch::Settle(const Means& means, Time now,
                                      PlanEffects* effects) {
  while (const auto step = matcher_.Take()) {
    if (Do(*step, means, now, effects)) continue;
    claim_ = ClaimOf(*step);
    return Result::kReplied;
  }
  return matcher_.over() ? Result::kReplied : Result::kWait;
}

ReplyWatch::Result ReplyWatch::OnFlow(TcpFlow* flow, uint64_t begin,
                                      const Means& means, Time now,
                                      PlanEffects* effects) {
  if (flow == nullptr) return OnEnd(true, means, now, effects);
  if (matcher_.position() == 0) {
    // By the time of the first byte, what the guest asked for has come by.
    const RequestSeen& seen = flow->request();
    matcher_.SetRequest({.head = seen.head,
                         .connect = seen.connect,
                         .awaits_continue = seen.ends_head,
                         .young = begin < kYoungBytes});
  }
  Result result = Result::kWait;
  if (matcher_.follows()) {
    matcher_.GoOn(now);
    result = Settle(means, now, effects);
    if (result != Result::kWait) return result;
  }
  const bool all = flow->ReadReply(begin + matcher_.position(),
                                   [&](std::span<const uint8_t> bytes) {
                                     if (retries_) retries_->NoteReply();
                                     matcher_.Feed(bytes, now);
                                     result = Settle(means, now, effects);
                                     return result == Result::kWait;
                                   });
  if (result != Result::kWait) return result;
  if (!all) return Result::kMissed;
  const bool reset = flow->peer_reset() || !flow->answered();
  if (reset || flow->peer_closed()) return OnEnd(reset, means, now, effects);
  return OnTimer(means, now, effects);
}

ReplyWatch::Result ReplyWatch::OnDatagram(std::span<const uint8_t> payload,
                                          const Means& means, Time now,
                                          PlanEffects* effects) {
  // It shows that the peer has got the request.
  if (retries_ && !plan().retries->repeatable) retries_->NoteReply();
  matcher_.Feed(payload, now);
  return Settle(means, now, effects);
}

ReplyWatch::Result ReplyWatch::OnError(IcmpWhy why, const Means& means,
                                       Time now, PlanEffects* effects) {
  const bool claimed = matcher_.OnError(why, now);
  const Result result = Settle(means, now, effects);
  return result == Result::kWait && !claimed && matcher_.datagrams()
             ? Result::kReset
             : result;
}

ReplyWatch::Result ReplyWatch::OnTimer(const Means& means, Time now,
                                       PlanEffects* effects) {
  matcher_.OnTimer(now);
  return Settle(means, now, effects);
}

void ReplyWatch::OnLate(PlanEffects* effects) const {
  const uint64_t end = matcher_.position();
  for (const PlanAction& action : plan().late) {
    if (action.action == Action::kAlert) {
      effects->alerts.push_back(
          {.claim = {.message = matcher_.message(), .offset = end}, .at = end});
    } else {
      effects->answer = {.begin = matcher_.message_begin(),
                         .length = end - matcher_.message_begin(),
                         .reply = action.answer};
    }
  }
}

ReplyWatch::Result ReplyWatch::OnEnd(bool reset, const Means& means, Time now,
                                     PlanEffects* effects) {
  matcher_.End(reset, now);
  const Result result = Settle(means, now, effects);
  if (result != Result::kWait || matcher_.settled()) return result;
  return reset ? Result::kReset : Result::kClosed;
}

void ReplyWatch::Save(Writer& writer, Time now) const {
  const std::string_view source = plan().source;
  writer.Bytes(
      {reinterpret_cast<const uint8_t*>(source.data()), source.size()});
  matcher_.Save(writer, now);
  if (retries_) retries_->Save(writer, now);
}

std::unique_ptr<ReplyWatch> ReplyWatch::Load(Reader& reader, bool datagrams,
                                             Time now) {
  const std::span<const uint8_t> source = reader.Bytes();
  if (!reader.ok()) return nullptr;
  Compiled compiled = CompilePlan(
      {reinterpret_cast<const char*>(source.data()), source.size()});
  if (compiled.plan == nullptr) return nullptr;
  auto watch =
      std::make_unique<ReplyWatch>(std::move(compiled.plan), datagrams, now);
  if (!watch->matcher_.Load(reader, now)) return nullptr;
  if (watch->retries_) watch->retries_->Load(reader, now);
  if (!reader.ok()) return nullptr;
  return watch;
}

}  // namespace stubdomain
