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

ReplyWatch::ReplyWatch(std::shared_ptr<const Plan> plan, bool datagrams,
                       Time now)
    : matcher_(std::move(plan), {}, datagrams, now) {}

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

ReplyWatch::Result ReplyWatch::Settle(PlanEffects* effects) {
  while (const auto step = matcher_.Take()) {
    switch (step->action) {
      case Action::kAlert:
        effects->alerts.push_back({.claim = ClaimOf(*step),
                                   .part = step->part,
                                   .at = step->offset - step->part.size()});
        break;
      case Action::kDiscard:
      case Action::kTransform:
        effects->edits.push_back(EditOf(*step));
        break;
      case Action::kRestore:
        claim_ = ClaimOf(*step);
        return Result::kReplied;
      case Action::kBuffer:
      case Action::kIgnore:
        break;
    }
  }
  return Result::kWait;
}

ReplyWatch::Result ReplyWatch::OnFlow(TcpFlow* flow, uint64_t begin, Time now,
                                      PlanEffects* effects) {
  if (flow == nullptr) return OnEnd(true, now, effects);
  if (matcher_.position() == 0) {
    // By the time of the first byte, what the guest asked for has come by.
    const RequestSeen& seen = flow->request();
    matcher_.SetRequest({.head = seen.head,
                         .connect = seen.connect,
                         .awaits_continue = seen.ends_head,
                         .young = begin < kYoungBytes});
  }
  Result result = Result::kWait;
  const bool all = flow->ReadReply(begin + matcher_.position(),
                                   [&](std::span<const uint8_t> bytes) {
                                     matcher_.Feed(bytes, now);
                                     result = Settle(effects);
                                     return result == Result::kWait;
                                   });
  if (result != Result::kWait) return result;
  if (!all) return Result::kMissed;
  if (flow->peer_reset() || !flow->answered()) return OnEnd(true, now, effects);
  if (flow->peer_closed()) return OnEnd(false, now, effects);
  return OnTimer(now, effects);
}

ReplyWatch::Result ReplyWatch::OnDatagram(std::span<const uint8_t> payload,
                                          Time now, PlanEffects* effects) {
  matcher_.Feed(payload, now);
  return Settle(effects);
}

ReplyWatch::Result ReplyWatch::OnTimer(Time now, PlanEffects* effects) {
  matcher_.OnTimer(now);
  return Settle(effects);
}

ReplyWatch::Result ReplyWatch::OnEnd(bool reset, Time now,
                                     PlanEffects* effects) {
  matcher_.End(reset, now);
  const Result result = Settle(effects);
  if (result != Result::kWait || matcher_.settled()) return result;
  return reset ? Result::kReset : Result::kClosed;
}

void ReplyWatch::Save(Writer& writer, Time now) const {
  const std::string_view source = plan().source;
  writer.Bytes(
      {reinterpret_cast<const uint8_t*>(source.data()), source.size()});
  matcher_.Save(writer, now);
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
  return watch;
}

}  // namespace stubdomain
