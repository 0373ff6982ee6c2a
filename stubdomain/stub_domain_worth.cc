// The stub domain of one VM: whether a suspend is worth what it costs.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>

#include "policy/quorum.h"
#include "stub_domain.h"

namespace stubdomain {

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

void StubDomain::ExpectReply(const ListenerStub& stub, Time now) {
  const uint32_t percent = config_.policy.learned;
  if (stub.expected() || percent == 0) return;
  const auto learned = reply_times_.ExceededBy(
      {stub.flow_id().peer, stub.request_class()}, percent, now - stub.began());
  if (!learned) return;
  stubs_.Change(stub.number(),
                [&](ListenerStub& wait) { wait.Expect(*learned); });
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

Time StubDomain::ExpectedWakeTime() const {
  const Waiters& waiters = stubs_.waiters();
  const auto open = static_cast<uint32_t>(waiters.open());
  return std::min(stubs_.timeouts().First(),
                  waiters.ExpectedWake(RepliesNeeded(config_.policy, open),
                                       config_.policy.wake_importance));
}

}  // namespace stubdomain
