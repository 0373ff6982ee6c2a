// The stub domain of one VM: what plans do once the guest runs again.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <utility>
#include <vector>

#include "stub_domain.h"

namespace stubdomain {

bool StubDomain::AnyAftermathOn(const TcpFlow& flow) const {
  return std::ranges::any_of(aftermaths_, [&flow](const Aftermath& aftermath) {
    return aftermath.stub().IsOn(flow);
  });
}

void StubDomain::JudgeAftermaths(TcpFlow& flow, Time now,
                                 PlanChanges* changes) {
  if (!cycle_.running()) return;
  for (Aftermath& aftermath : aftermaths_) {
    ListenerStub& stub = aftermath.stub();
    if (!stub.IsOn(flow)) continue;
    // Right after the vCPUs were started, nothing of the guest has come yet.
    const Means means{.send = flow.MaySend() == SendRefusal::kNone};
    PlanEffects effects;
    const auto ending = stub.Judge(&flow, means, now, &effects);
    aftermath.NoteReply(stub.Info(&flow, now).bytes, now);
    if (ending || flow.full()) aftermath.Finish();
    Take(stub, std::move(effects), now, changes);
  }
}

void StubDomain::BeginAftermaths(Time now) {
  std::vector<TcpFlow*> flows;
  flows_->table.ForEach([&](TcpFlow& flow) {
    if (AnyAftermathOn(flow)) flows.push_back(&flow);
  });
  for (TcpFlow* flow : flows) Settle(*flow, now);
}

void StubDomain::EndAftermaths(Time now) {
  for (Aftermath& aftermath : aftermaths_) {
    if (aftermath.until() > now) continue;
    aftermath.Finish();
    Alert(aftermath.stub().number(),
          {{.claim = aftermath.stub().Standing(),
            .problem = "the message does not get complete"}},
          now);
  }
  ForgetAftermaths(now);
}

void StubDomain::ForgetAftermaths(Time now) {
  std::vector<TcpFlow*> flows;
  std::erase_if(aftermaths_, [&](const Aftermath& aftermath) {
    if (!aftermath.over()) return false;
    flows.push_back(FlowOf(aftermath.stub()));
    return true;
  });
  for (TcpFlow* flow : flows) {
    if (flow == nullptr) continue;
    UpdateAwaited(*flow);
    if (cycle_.running() && gate_opens_ == kNever) {
      flows_->table.Replay(*flow, now, outbound_);
    }
  }
}

Time StubDomain::NextAftermathEnds() const {
  Time next = kNever;
  for (const Aftermath& aftermath : aftermaths_) {
    next = std::min(next, aftermath.until());
  }
  return next;
}

}  // namespace stubdomain
