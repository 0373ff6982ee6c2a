// The stub domain of one VM: who waits, when it is suspended, what wakes it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "policy/quorum.h"
#include "stub_domain.h"

namespace stubdomain {
namespace {

uint64_t Milliseconds(Duration duration) {
  return static_cast<uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(
                                   std::max(duration, Duration::zero()))
                                   .count());
}

}  // namespace

// -- threads --

sd_refusal StubDomain::RegisterThread(std::string_view name, Time now,
                                      uint32_t* thread) {
  Advance(now);
  if (threads_.size() >= config_.max_threads) {
    return SD_REFUSED_TOO_MANY_THREADS;
  }
  if (name.size() > SD_THREAD_NAME_MAX) return SD_REFUSED_THREAD_NAME;
  *thread = threads_.Register(std::string(name));
  Consider(now_);
  return SD_OK;
}

sd_refusal StubDomain::LeaveThread(uint32_t thread, Time now) {
  now = Advance(now);
  const bool waited = threads_.IsWaiting(thread);
  if (!threads_.Leave(thread)) return SD_REFUSED_UNKNOWN_THREAD;
  // It had something to do, and is done with it.
  if (!waited) ProposeAgain(now);
  Consider(now);
  return SD_OK;
}

void StubDomain::ProposeAgain(Time now) {
  if (!cycle_.running()) return;
  for (const auto& [number, stub] : stubs_.all()) {
    if (stub.suspends() && stub.proposal() == kNever &&
        threads_.Has(stub.thread())) {
      Propose(stub, now + std::chrono::milliseconds(config_.suspend_delay_ms));
    }
  }
  UpdateRecording();
}

void StubDomain::Propose(const ListenerStub& stub, Time at) {
  stubs_.Change(stub.number(), [at](ListenerStub& wait) { wait.Propose(at); });
  UpdateThread(stub.thread());
}

void StubDomain::ForgetAgent() {
  threads_.Clear();
  inhibitors_.Clear(SD_OWNER_GUEST);
}

sd_refusal StubDomain::Inhibit(sd_owner owner, Time now) {
  now = Advance(now);
  if (!inhibitors_.Add(owner)) return SD_REFUSED_TOO_MANY_INHIBITS;
  Consider(now);
  return SD_OK;
}

sd_refusal StubDomain::Allow(sd_owner owner, Time now) {
  now = Advance(now);
  if (!inhibitors_.Remove(owner)) return SD_REFUSED_NOT_INHIBITED;
  Consider(now);
  return SD_OK;
}

std::vector<sd_thread_info> StubDomain::Threads() const {
  std::vector<sd_thread_info> infos;
  for (const auto& [number, thread] : threads_.all()) {
    sd_thread_info info{.thread = number, .waiting = thread.waits()};
    std::ranges::copy(thread.name, info.name);
    infos.push_back(info);
  }
  return infos;
}

// -- suspending --

void StubDomain::ViewFlows(PauseView* view) const {
  const bool by_idle = view->by_idle != kNever;
  flows_->table.ForEach([view, by_idle](const TcpFlow& flow) {
    if (by_idle && !flow.closed() && !flow.awaited()) view->all_awaited = false;
    // An untracked flow is not adopted, so nothing is won by waiting for it.
    if (flow.tracked() && !flow.closed() && !flow.covered()) {
      view->all_covered = false;
    }
    if (flow.awaited() && !flow.unknown_to_guest() &&
        !(flow.established() && flow.covered())) {
      view->awaited_covered = false;
    }
  });
}

bool StubDomain::EnoughThreadsWait() const {
  return threads_.empty() ||
         threads_.waiting().size() >=
             WaitingNeeded(config_.policy,
                           static_cast<uint32_t>(threads_.size()));
}

void StubDomain::SetVcpusIdle(bool idle, Time now) {
  now = Advance(now);
  if (!idle) {
    vcpus_idle_since_ = kNever;
  } else if (cycle_.running() && vcpus_idle_since_ == kNever) {
    vcpus_idle_since_ = now;
  }
  UpdateRecording();
  Consider(now);
}

Time StubDomain::ProposedByWaits() const {
  if (threads_.empty()) return stubs_.proposals().First();
  const auto registered = static_cast<uint32_t>(threads_.size());
  // A wait of the host is its word, and needs no thread of the guest.
  return std::min(
      stubs_.host_proposals().First(),
      QuorumDue(threads_.waiting(), WaitingNeeded(config_.policy, registered)));
}

// Asked for after each frame, so nothing is looked at that does not matter.
PauseView StubDomain::View() const {
  if (!cycle_.running()) return {};
  const Time idle_since = std::min(vcpus_idle_since_, idle_before_);
  PauseView view{
      .proposed = stubs_.proposals().First() != kNever,
      .idle = idle_since != kNever && !stubs_.empty(),
      .by_host = host_proposal_,
      .inhibits = inhibitors_.total(),
  };
  if (view.proposed) view.by_waits = ProposedByWaits();
  if (view.idle && EnoughThreadsWait()) view.by_idle = idle_since;
  const bool asked = view.by_waits != kNever || view.by_idle != kNever;
  if ((!asked || view.inhibits != 0) && view.by_host == kNever) return view;
  view.after_interval = guard_.AfterInterval(config_.policy);
  view.after_budget = guard_.AfterBudget(config_.policy);
  // What may be worth too little is the eviction, which is judged apart unless
  // it comes with the suspend.
  if (Depth().depth == SD_DEPTH_EVICT) {
    view.least_wait = LeastWait(config_.policy, costs_, pressure_);
  }
  if (view.least_wait > Duration::zero()) {
    view.expected_wake = ExpectedWakeTime();
    view.expects_anew = stubs_.overdue().First();
  }
  ViewFlows(&view);
  return view;
}

const Judgement& StubDomain::Judged() const {
  if (!judged_) judged_ = JudgePause(View(), now_);
  return *judged_;
}

Time StubDomain::SuspendDue() const { return Judged().due; }

StubDomain::Standing StubDomain::StandingOf(const TcpFlow* flow) {
  if (flow == nullptr) return {};
  return {.known = true,
          .tracked = flow->tracked(),
          .established = flow->established(),
          .closed = flow->closed(),
          .covered = flow->covered()};
}

void StubDomain::Consider(Time now) {
  const Judgement judgement = JudgePause(View(), now);
  if (judgement.why == SD_WHY_NOTHING || judgement.due <= now) return;
  decisions_.Note(Terms(SD_DECIDED_STAY, judgement.why, now), judgement.due,
                  now);
}

void StubDomain::DropSuspend() {
  judged_.reset();
  host_proposal_ = kNever;
  for (const uint64_t proposing :
       stubs_.proposals().Until(kNever - Duration(1))) {
    Propose(*stubs_.Find(static_cast<uint32_t>(proposing)), kNever);
  }
}

void StubDomain::UpdateRecording() {
  flows_->table.Record(!cycle_.running() || host_proposal_ != kNever ||
                       vcpus_idle_since_ != kNever ||
                       stubs_.proposals().First() != kNever);
}

// -- waking --

uint32_t StubDomain::RepliesThatWake() const {
  return RepliesNeeded(config_.policy, stubs_.waiters().awaited());
}

bool StubDomain::RepliesWake() const {
  const Waiters& waiters = stubs_.waiters();
  if (cycle_.running() || cycle_.restore_requested() ||
      waiters.answered() == 0) {
    return false;
  }
  return waiters.importance() >= config_.policy.wake_importance ||
         waiters.answered() >= RepliesThatWake();
}

sd_why StubDomain::WhyAwake(sd_reason reason) const {
  switch (reason) {
    case SD_REASON_REPLY:
      break;
    case SD_REASON_TIMEOUT:
      return SD_WHY_TIMEOUT;
    case SD_REASON_UNMATCHED:
      return SD_WHY_UNMATCHED;
    case SD_REASON_BUFFER:
      return SD_WHY_BUFFER;
    case SD_REASON_HOST:
      return SD_WHY_HOST;
  }
  return stubs_.waiters().answered() >= RepliesThatWake() ? SD_WHY_REPLIES
                                                          : SD_WHY_IMPORTANCE;
}

sd_decision StubDomain::Terms(sd_decided decided, sd_why why, Time now) const {
  const auto registered = static_cast<uint32_t>(threads_.size());
  const Waiters& waiters = stubs_.waiters();
  const Time expected = ExpectedWakeTime();
  return {
      .decided = decided,
      .why = why,
      .registered = registered,
      .waiting = static_cast<uint32_t>(threads_.waiting().size()),
      .needed = registered == 0 ? 0 : WaitingNeeded(config_.policy, registered),
      .awaited = waiters.awaited(),
      .answered = waiters.answered(),
      .replies = RepliesThatWake(),
      .importance = waiters.importance(),
      .inhibits = inhibitors_.total(),
      .suspends = guard_.SuspendsSince(now - std::chrono::minutes(1)),
      .expected_ms =
          expected == kNever ? SD_NEVER : Milliseconds(expected - now),
      .least_ms = Milliseconds(LeastWait(config_.policy, costs_, pressure_)),
      .costs = costs_,
      .pressure = pressure_,
  };
}

std::vector<sd_decision> StubDomain::Decisions(Time now) const {
  return decisions_.All(now);
}

void StubDomain::EndAndWake(uint32_t number, const Ending& ending, Time now) {
  LearnFrom(*stubs_.Find(number), ending, now);
  End(number, ending.outcome, ending.bytes, ending.claim);
  // A guest that runs has something to do now.
  if (cycle_.running() || ending.reason != SD_REASON_REPLY || RepliesWake()) {
    Wake(ending.reason, now);
  } else if (!cycle_.restore_requested()) {
    decisions_.Note(Terms(SD_DECIDED_SLEEP, SD_WHY_REPLIES, now), kNever, now);
  }
}

void StubDomain::Wake(sd_reason reason, Time now) {
  if (host_proposal_ != kNever) notices_.push_back(SuspendCancelled{reason});
  DropSuspend();
  RequestRestore(reason, now);
}

void StubDomain::RequestRestore(sd_reason reason, Time now) {
  if (cycle_.running() || cycle_.restore_requested()) return;
  decisions_.Note(Terms(SD_DECIDED_WAKE, WhyAwake(reason), now), kNever, now);
  cycle_.RequestRestore(reason, now);
}

}  // namespace stubdomain
