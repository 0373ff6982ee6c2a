// The stub domain of one VM: whether a suspend is worth what it costs.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "policy/quorum.h"
#include "stub_domain.h"

namespace stubdomain {
namespace {

// When it is overdue by once more what was expected.
Time ExpectationEnds(const ListenerStub& stub) {
  return stub.expected() ? stub.began() + 2 * *stub.expected() : kNever;
}

}  // namespace

void StubDomain::SetCosts(const sd_costs& costs, Time now) {
  now = Advance(now);
  costs_ = costs;
  Consider(now);
}

void StubDomain::SetPressure(const sd_pressure& pressure, Time now) {
  now = Advance(now);
  pressure_ = pressure;
  Consider(now);
}

void StubDomain::ExpectReply(ListenerStub& stub, Time now) const {
  const uint32_t percent = config_.policy.learned;
  if (stub.expected() || percent == 0) return;
  const auto learned = reply_times_.ExceededBy(
      {stub.flow_id().peer, stub.request_class()}, percent, now - stub.began());
  if (learned) stub.Expect(*learned);
}

void StubDomain::LearnFrom(const ListenerStub& stub, const Ending& ending,
                           Time now) {
  const bool replied =
      ending.reason == SD_REASON_REPLY &&
      (ending.outcome == SD_REPLIED || ending.outcome == SD_CLOSED);
  const Endpoint& peer = stub.flow_id().peer;
  if (config_.policy.learned == 0 || !replied ||
      peer.address.family() == Family::kNone) {
    return;
  }
  reply_times_.Note({peer, stub.request_class()}, now - stub.began());
}

std::vector<Prospect> StubDomain::Prospects() const {
  std::map<std::pair<bool, uint32_t>, Prospect> prospects;
  for (const auto& [number, stub] : stubs_.all()) {
    Prospect& prospect = prospects[stub.waiter()];
    prospect.timeout = std::min(prospect.timeout, stub.timeout());
    prospect.wakes_alone = prospect.wakes_alone ||
                           stub.importance() >= config_.policy.wake_importance;
    if (stub.expected() && ExpectationEnds(stub) > now_) {
      prospect.reply =
          std::min(prospect.reply, stub.began() + *stub.expected());
    }
  }
  std::vector<Prospect> all;
  for (const auto& [waiter, prospect] : prospects) all.push_back(prospect);
  return all;
}

Time StubDomain::NextExpectationEnds() const {
  Time next = kNever;
  for (const auto& [number, stub] : stubs_.all()) {
    const Time ends = ExpectationEnds(stub);
    if (ends > now_) next = std::min(next, ends);
  }
  return next;
}

Time StubDomain::ExpectedWakeTime() const {
  const std::vector<Prospect> prospects = Prospects();
  return ExpectedWake(
      prospects,
      RepliesNeeded(config_.policy, static_cast<uint32_t>(prospects.size())));
}

}  // namespace stubdomain
