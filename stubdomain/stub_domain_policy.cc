// The stub domain of one VM: who waits, when it is suspended, what wakes it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
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
  const bool waited = WaitingThreads().contains(thread);
  if (!threads_.Leave(thread)) return SD_REFUSED_UNKNOWN_THREAD;
  // It had something to do, and is done with it.
  if (!waited) ProposeAgain(now);
  Consider(now);
  return SD_OK;
}

void StubDomain::ProposeAgain(Time now) {
  if (!cycle_.running()) return;
  for (auto& [number, stub] : stubs_.all()) {
    if (stub.suspends() && stub.proposal() == kNever &&
        threads_.Has(stub.thread())) {
      stub.Propose(now + std::chrono::milliseconds(config_.suspend_delay_ms));
    }
  }
  UpdateRecording();
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

std::map<uint32_t, Time> StubDomain::WaitingThreads() const {
  std::map<uint32_t, Time> waiting;
  for (const auto& [number, stub] : stubs_.all()) {
    const auto thread = threads_.all().find(stub.thread());
    if (thread == threads_.all().end() || thread->second.answered) continue;
    const auto at = waiting.try_emplace(stub.thread(), kNever).first;
    at->second = std::min(at->second, stub.proposal());
  }
  return waiting;
}

std::vector<sd_thread_info> StubDomain::Threads() const {
  const std::map<uint32_t, Time> waiting = WaitingThreads();
  std::vector<sd_thread_info> infos;
  for (const auto& [number, thread] : threads_.all()) {
    sd_thread_info info{.thread = number, .waiting = waiting.contains(number)};
    std::ranges::copy(thread.name, info.name);
    infos.push_back(info);
  }
  return infos;
}

// -- suspending --

bool StubDomain::AwaitedFlowsCovered() const {
  return std::ranges::all_of(stubs_.all(), [this](const auto& entry) {
    const TcpFlow* flow = FlowOf(entry.second);
    return flow == nullptr || (flow->established() && flow->covered());
  });
}

bool StubDomain::AllFlowsCovered() const {
  bool covered = true;
  flows_->table.ForEach([&covered](const TcpFlow& flow) {
    // An untracked flow is not adopted, so nothing is won by waiting for it.
    covered = covered && (!flow.tracked() || flow.closed() || flow.covered());
  });
  return covered;
}

bool StubDomain::AllFlowsAwaited() const {
  bool awaited = true;
  flows_->table.ForEach([&awaited](const TcpFlow& flow) {
    awaited = awaited && (flow.closed() || flow.awaited());
  });
  return awaited;
}

bool StubDomain::EnoughThreadsWait() const {
  return threads_.empty() ||
         WaitingThreads().size() >=
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
  if (threads_.empty()) return stubs_.NextProposal();
  // A wait of the host is its word, and needs no thread of the guest.
  Time due = kNever;
  for (const auto& [number, stub] : stubs_.all()) {
    if (stub.owner() == SD_OWNER_HOST) due = std::min(due, stub.proposal());
  }
  std::vector<Time> proposals;
  for (const auto& [thread, proposal] : WaitingThreads()) {
    proposals.push_back(proposal);
  }
  const auto registered = static_cast<uint32_t>(threads_.size());
  return std::min(due, QuorumDue(std::move(proposals),
                                 WaitingNeeded(config_.policy, registered)));
}

// Asked for after each frame, so nothing is looked at that does not matter.
PauseView StubDomain::View() const {
  if (!cycle_.running()) return {};
  const Time idle_since = std::min(vcpus_idle_since_, idle_before_);
  PauseView view{
      .proposed = stubs_.NextProposal() != kNever,
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
    view.expects_anew = NextExpectationEnds();
  }
  view.all_awaited = view.by_idle == kNever || AllFlowsAwaited();
  view.awaited_covered = AwaitedFlowsCovered();
  view.all_covered = AllFlowsCovered();
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
  stubs_.StopProposing();
}

void StubDomain::UpdateRecording() {
  flows_->table.Record(!cycle_.running() || host_proposal_ != kNever ||
                       vcpus_idle_since_ != kNever ||
                       stubs_.NextProposal() != kNever);
}

// -- waking --

StubDomain::Replies StubDomain::KeptReplies() const {
  std::set<std::pair<bool, uint32_t>> answered;
  uint32_t importance = 0;
  for (const ListenerStub& stub : stubs_.answered()) {
    answered.insert(stub.waiter());
    importance = std::max<uint32_t>(importance, stub.importance());
  }
  std::set<std::pair<bool, uint32_t>> awaited = answered;
  for (const auto& [number, stub] : stubs_.all()) {
    awaited.insert(stub.waiter());
  }
  return {.awaited = static_cast<uint32_t>(awaited.size()),
          .answered = static_cast<uint32_t>(answered.size()),
          .importance = importance};
}

bool StubDomain::RepliesWake() const {
  if (cycle_.running() || cycle_.restore_requested() ||
      stubs_.answered().empty()) {
    return false;
  }
  const Replies replies = KeptReplies();
  return replies.importance >= config_.policy.wake_importance ||
         replies.answered >= RepliesNeeded(config_.policy, replies.awaited);
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
  const Replies replies = KeptReplies();
  return replies.answered >= RepliesNeeded(config_.policy, replies.awaited)
             ? SD_WHY_REPLIES
             : SD_WHY_IMPORTANCE;
}

sd_decision StubDomain::Terms(sd_decided decided, sd_why why, Time now) const {
  const auto registered = static_cast<uint32_t>(threads_.size());
  const Replies replies = KeptReplies();
  const Time expected = ExpectedWakeTime();
  return {
      .decided = decided,
      .why = why,
      .registered = registered,
      .waiting = static_cast<uint32_t>(WaitingThreads().size()),
      .needed = registered == 0 ? 0 : WaitingNeeded(config_.policy, registered),
      .awaited = replies.awaited,
      .answered = replies.answered,
      .replies = RepliesNeeded(config_.policy, replies.awaited),
      .importance = replies.importance,
      .inhibits = inhibitors_.total(),
      .suspends = guard_.SuspendsSince(now - std::chrono::minutes(1)),
      .expected_ms =
          expected == kNever ? SD_NEVER : Milliseconds(expected - now),
      .least_ms = Milliseconds(LeastWait(config_.policy, costs_, pressure_)),
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
