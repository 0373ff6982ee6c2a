// The stub domain of one VM: the VM's state, requests, and effects.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stub_domain.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <utility>

#include "plan/sd_plan.h"
#include "wait/flow_names.h"
#include "wait/reply_buffer.h"

namespace stubdomain {
namespace {

using std::chrono::milliseconds;

FlowTableConfig TableConfig(const sd_config& config) {
  return {
      .max_flows = config.max_flows,
      .resend =
          static_cast<uint32_t>(std::min(config.resend_buffer, kMaxFlowBuffer)),
      .total_resend = config.total_resend_buffer,
      .flow = {.buffer = config.flow_buffer,
               .max_ranges = config.max_ranges,
               .keepalive = milliseconds(config.keepalive_ms)},
  };
}

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace

StubDomain::Flows::Flows(const sd_config& config)
    : budget(config.total_buffer), table(TableConfig(config), &budget) {}

StubDomain::StubDomain(const sd_config& config, const sd_callbacks& callbacks,
                       void* opaque)
    : config_(config),
      callbacks_(callbacks),
      opaque_(opaque),
      flows_(std::make_unique<Flows>(config)) {}

void StubDomain::SetConfig(const sd_config& config) {
  judged_.reset();
  config_ = config;
  flows_->budget.set_limit(config.total_buffer);
  flows_->table.set_config(TableConfig(config));
}

void StubDomain::Seed(std::span<const uint8_t, SD_SEED_LENGTH> seed) {
  SipKey key;
  std::ranges::copy(seed, key.begin());
  acceptor_.Seed(key);
}

Time StubDomain::Advance(Time now) {
  judged_.reset();
  return AdvanceByFrame(now);
}

Time StubDomain::AdvanceByFrame(Time now) {
  now_ = std::max(now_, now);
  stubs_.StopExpecting(now_);
  return now_;
}

// -- the VM --

void StubDomain::OnStopped(Time now) {
  now = Advance(now);
  if (!cycle_.OnStopped()) return;
  idle_since_ = now;
  vcpus_idle_since_ = kNever;
  meter_.OnStopped(now);
  gate_opens_ = kNever;
  flows_->table.Adopt(now);
  SettleAll(now);
}

void StubDomain::OnSuspended(Time now) {
  now = Advance(now);
  cycle_.OnSuspended();
  if (cycle_.state() == SD_SUSPENDED) {
    meter_.OnEvicted(costs_.bytes_back, now);
  }
}

void StubDomain::OnSuspendFailed(Time now) {
  cycle_.OnSuspendFailed(Advance(now));
  if (cycle_.running()) stubs_.ForgetAnswered();
}

void StubDomain::OnRunning(Time now) {
  now = Advance(now);
  // Whoever runs it without being asked to is the host.
  if (cycle_.stopped()) RequestRestore(SD_REASON_HOST, now);
  stubs_.ForgetAnswered();
  if (!cycle_.OnRunning(now)) return;
  guard_.NoteRunning(now);
  meter_.OnRunning(now);
  held_.PassOn(outbound_);
  BeginAftermaths(now);
  flows_->table.Release(now, outbound_);
  if (agent_) {
    gate_opens_ = now + milliseconds(config_.ready_timeout_ms);
  } else {
    OpenGate(now);
  }
}

void StubDomain::OnReset(Time now) {
  now = Advance(now);
  while (!stubs_.empty()) {
    const ListenerStub& stub = stubs_.all().begin()->second;
    End(stub.number(), SD_RESET, stub.Info(FlowOf(stub), now).bytes);
  }
  stubs_.ForgetAnswered();
  aftermaths_.clear();
  ForgetAgent();
  flows_->table.Clear();
  held_.Clear();
  held_errors_.Clear();
  recent_.Clear();
  duplicates_.Clear();
  own_addresses_.Clear();
  outbound_.ClearGuest();
  agent_ = prepares_ = false;
  EndPreparations();
  gate_opens_ = kNever;
  // Nothing is left that could wake it, and who resets a VM wants it to boot.
  RequestRestore(SD_REASON_HOST, now);
}

void StubDomain::OnReady(Time now) {
  now = Advance(now);
  if (gate_opens_ != kNever) OpenGate(now);
}

void StubDomain::OpenGate(Time now) {
  gate_opens_ = kNever;
  flows_->table.Replay(now, outbound_);
  PassOnErrors();
}

// -- requests --

sd_refusal StubDomain::MayLay(const sd_wait& wait) const {
  if (stubs_.size() + stubs_.answered() + aftermaths_.size() >=
          config_.max_stubs ||
      notices_.size() >= kMaxPendingNotices) {
    return SD_REFUSED_TOO_MANY_STUBS;
  }
  if (wait.plan != nullptr) {
    const Plan& plan = *wait.plan->plan;
    size_t weight = stubs_.plan_weight() + plan.weight();
    for (const Aftermath& aftermath : aftermaths_) {
      weight += aftermath.stub().plan_weight();
    }
    if (weight > kMaxPlanMemory) {
      return SD_REFUSED_PLANS_TOO_LARGE;
    }
    if (wait.protocol == SD_UDP &&
        (plan.format == Format::kHttp || plan.format == Format::kTls)) {
      return SD_REFUSED_PLAN_FORMAT;
    }
    if (wait.protocol == SD_UDP && !plan.for_datagrams) {
      return SD_REFUSED_PLAN_ANSWER;
    }
    if (wait.protocol == SD_UDP && plan.after_restore) {
      return SD_REFUSED_PLAN_AFTER;
    }
    if (wait.protocol == SD_TCP && plan.retries && !plan.retries->repeatable) {
      return SD_REFUSED_PLAN_RETRIES;
    }
    if (wait.accept != SD_ACCEPT_NONE) return SD_REFUSED_BAD_WAIT;
  }
  if (wait.thread != 0 && !threads_.Has(wait.thread)) {
    return SD_REFUSED_UNKNOWN_THREAD;
  }
  if (wait.request_class != nullptr &&
      std::string_view(wait.request_class).size() > SD_CLASS_MAX) {
    return SD_REFUSED_CLASS_NAME;
  }
  if (wait.application != nullptr &&
      std::string_view(wait.application).size() > SD_APPLICATION_MAX) {
    return SD_REFUSED_APPLICATION_NAME;
  }
  if (const sd_refusal refusal = CheckWait(wait); refusal != SD_OK) {
    return refusal;
  }
  if (wait.buffer != nullptr &&
      (wait.protocol != SD_TCP || wait.accept != SD_ACCEPT_NONE ||
       !wait.has_received || !IsSound(*wait.buffer))) {
    return SD_REFUSED_BUFFER;
  }
  return wait.accept == SD_ACCEPT_ANSWER && !acceptor_.seeded()
             ? SD_REFUSED_NO_SEED
             : SD_OK;
}

sd_refusal StubDomain::WaitFor(const sd_wait& wait, Time now,
                               uint32_t* number) {
  now = Advance(now);
  if (const sd_refusal refusal = MayLay(wait); refusal != SD_OK) {
    return refusal;
  }
  if (wait.protocol != SD_TCP || wait.accept != SD_ACCEPT_NONE) {
    Lay(stubs_.Add(wait, now), wait, now, number);
    return SD_OK;
  }
  const auto [refusal, flow] = FindFlow(flows_->table, PatternOf(wait));
  if (refusal != SD_OK) return refusal;
  Lay(stubs_.Add(wait, *flow, now), wait, now, number);
  UpdateAwaited(*flow);
  Settle(*flow, now);
  return SD_OK;
}

void StubDomain::Lay(const ListenerStub& stub, const sd_wait& wait, Time now,
                     uint32_t* number) {
  threads_.NoteWait(stub.thread());
  UpdateThread(stub.thread());
  ExpectReply(stub, now);
  stubs_.StopExpecting(now);
  if (wait.suspend && cycle_.running()) {
    Propose(stub, std::max(now, stub.began() +
                                    milliseconds(config_.suspend_delay_ms)));
  }
  *number = stub.number();
  UpdateRecording();
  notices_.push_back(WaitLaid{stub.Info(FlowOf(stub), now)});
}

sd_refusal StubDomain::Cancel(sd_owner owner, uint32_t number, Time now) {
  now = Advance(now);
  const ListenerStub* stub = stubs_.Find(number);
  if (stub == nullptr ||
      (owner == SD_OWNER_GUEST && stub->owner() != SD_OWNER_GUEST)) {
    return SD_REFUSED_UNKNOWN_STUB;
  }
  End(number, SD_CANCELLED, stub->Info(FlowOf(*stub), now).bytes);
  return SD_OK;
}

// Threads registered with the agent that was there before, if any.
void StubDomain::SetAgent(bool present, bool prepares) {
  judged_.reset();
  agent_ = present;
  prepares_ = present && prepares;
  EndPreparations();
  ForgetAgent();
}

sd_refusal StubDomain::Restore(Time now) {
  now = Advance(now);
  if (cycle_.running() && host_proposal_ == kNever) {
    return SD_REFUSED_NOT_SUSPENDED;
  }
  Wake(SD_REASON_HOST, now);
  return SD_OK;
}

// -- waits --

TcpFlow* StubDomain::FlowOf(const ListenerStub& stub) const {
  return flows_->table.Find(stub.port(), stub.flow_id());
}

void StubDomain::UpdateAwaited(TcpFlow& flow) {
  const auto on = stubs_.by_flow().On(flow);
  const bool after = AnyAftermathOn(flow);
  flow.set_awaited(after || !on.empty());
  flow.WatchReply(after || std::ranges::any_of(on, &ListenerStub::watches));
  flow.Hold(after);
}

void StubDomain::UpdateThread(uint32_t thread) {
  threads_.SetProposal(thread,
                       stubs_.waiters().Proposal(Waiters::Thread(thread)));
}

void StubDomain::Alert(uint32_t number, std::vector<PlanAlert> alerts,
                       Time now) {
  for (PlanAlert& alert : alerts) {
    if (notices_.size() < kMaxPendingNotices && alert_limit_.Allow(now)) {
      notices_.push_back(AlertRaised{number, std::move(alert)});
    }
  }
}

void StubDomain::Settle(TcpFlow& flow, Time now, std::optional<IcmpWhy> error) {
  std::vector<std::pair<uint32_t, Ending>> endings;
  PlanChanges changes;
  for (const ListenerStub* stub : stubs_.by_flow().On(flow)) {
    PlanEffects effects;
    const Means means = MeansOf(*stub);
    const auto ending = stubs_.Change(stub->number(), [&](ListenerStub& wait) {
      if (!error) return wait.Judge(&flow, means, now, &effects);
      return wait.watches()
                 ? wait.JudgeError(*error, &flow, means, now, &effects)
                 : std::nullopt;
    });
    Take(*stub, std::move(effects), now, &changes);
    if (ending) endings.emplace_back(stub->number(), *ending);
  }
  for (const auto& [number, ending] : endings) {
    if (!stubs_.Find(number)->Follows()) continue;
    aftermaths_.emplace_back(stubs_.TakeAftermath(number), now);
  }
  JudgeAftermaths(flow, now, &changes);
  flow.ForgetPassed();
  // They lie behind what is edited.
  for (const auto& [stub, answer] : changes.answers) Answer(*stub, answer, now);
  Edit(flow, std::move(changes.edits), now);
  for (const auto& [number, ending] : endings) EndAndWake(number, ending, now);
  ForgetAftermaths(now);
}

void StubDomain::Take(const ListenerStub& stub, PlanEffects effects, Time now,
                      PlanChanges* changes) {
  Alert(stub.number(), std::move(effects.alerts), now);
  for (const std::string& bytes : effects.sent) Send(stub, bytes, now);
  if (effects.answer) changes->answers.emplace_back(&stub, *effects.answer);
  std::ranges::move(effects.edits, std::back_inserter(changes->edits));
}

void StubDomain::SettleAll(Time now) {
  std::vector<TcpFlow*> flows;
  flows_->table.ForEach([&](TcpFlow& flow) {
    UpdateAwaited(flow);
    if (flow.awaited()) flows.push_back(&flow);
    if (flow.full()) RequestRestore(SD_REASON_BUFFER, now);
  });
  for (TcpFlow* flow : flows) Settle(*flow, now);
  std::vector<std::pair<uint32_t, Ending>> endings;
  for (const auto& [number, stub] : stubs_.all()) {
    if (stub.kind() != ListenerStub::Kind::kReply || FlowOf(stub) != nullptr) {
      continue;
    }
    PlanEffects effects;
    const Means means = MeansOf(stub);
    const auto ending = stubs_.Change(number, [&](ListenerStub& wait) {
      return wait.Judge(nullptr, means, now, &effects);
    });
    Alert(number, std::move(effects.alerts), now);
    if (ending) endings.emplace_back(number, *ending);
  }
  for (const auto& [number, ending] : endings) EndAndWake(number, ending, now);
}

void StubDomain::EndWatched(Time now) {
  std::vector<std::pair<uint32_t, Ending>> endings;
  for (const uint64_t due : stubs_.watches().Until(now)) {
    const auto number = static_cast<uint32_t>(due);
    const ListenerStub& stub = *stubs_.Find(number);
    PlanEffects effects;
    const Means means = MeansOf(stub);
    const auto ending = stubs_.Change(number, [&](ListenerStub& wait) {
      return wait.JudgeTime(FlowOf(wait), means, now, &effects);
    });
    Alert(number, std::move(effects.alerts), now);
    for (const std::string& bytes : effects.sent) Send(stub, bytes, now);
    if (effects.answer) Answer(stub, *effects.answer, now);
    if (ending) endings.emplace_back(number, *ending);
  }
  for (const auto& [number, ending] : endings) EndAndWake(number, ending, now);
}

void StubDomain::End(uint32_t number, sd_outcome outcome, uint64_t bytes,
                     const sd_claim& claim, bool answered) {
  const ListenerStub* stub = stubs_.Find(number);
  notices_.push_back(WaitEnded{{.stub = number,
                                .owner = stub->owner(),
                                .outcome = outcome,
                                .bytes = bytes,
                                .claim = claim,
                                .answered = answered}});
  judged_.reset();
  TcpFlow* flow = FlowOf(*stub);
  const uint32_t thread = stub->thread();
  if (outcome != SD_CANCELLED) threads_.NoteAnswer(thread);
  if (cycle_.running() || outcome == SD_CANCELLED) {
    stubs_.Remove(number);
  } else {
    stubs_.Answer(number);
  }
  UpdateThread(thread);
  if (flow != nullptr) UpdateAwaited(*flow);
}

// -- effects --

bool StubDomain::pending() const {
  return !notices_.empty() || cycle_.restore_due() || RepliesWake() ||
         NextStepDue() <= now_ || PreparedInVain() || EvictDue() <= now_ ||
         outbound_.deliverable(cycle_.stopped()) || outbound_.reopenable() ||
         flows_->table.needs_flush() || (gate_opens_ != kNever && !agent_);
}

Time StubDomain::NextDeadline() const {
  return std::min({stubs_.timeouts().First(), stubs_.watches().First(),
                   MayAskAgain() ? stubs_.retries().First() : kNever,
                   NextAftermathEnds(), NextStepDue(), EvictDue(), gate_opens_,
                   flows_->table.Deadline()});
}

void StubDomain::OnTimer(Time now) {
  EndWatched(now);
  EndTimedOut(now);
  EndAftermaths(now);
  AskAgain(now);
  // Fewer replies may be needed than when the last one came.
  if (RepliesWake()) Wake(SD_REASON_REPLY, now);
  flows_->table.OnTimer(now, outbound_);
  if (gate_opens_ <= now || (gate_opens_ != kNever && !agent_)) OpenGate(now);
}

void StubDomain::Dispatch(Time now) {
  OnTimer(Advance(now));
  UpdateRecording();
  Consider(now_);
  for (int i = 0; i < kDispatchBatch && DeliverOne(); ++i) {
  }
}

// Each effect leaves the state consistent before its callback is called, since
// the callback may bring the next event.
bool StubDomain::DeliverOne() {
  while (const auto lane = outbound_.Reopen()) {
    flows_->table.GoOn(lane->port, lane->to, now_, outbound_);
  }
  if (!notices_.empty()) {
    const Notice notice = std::move(notices_.front());
    notices_.pop_front();
    Deliver(notice);
  } else if (cycle_.restore_due()) {
    callbacks_.restore(opaque_, cycle_.TakeRestore());
  } else if (PreparedInVain()) {
    EndPreparations();
    callbacks_.prepare(opaque_, false);
  } else if (NextStepDue() <= now_) {
    TakeNextStep(now_);
  } else if (EvictDue() <= now_) {
    BeginEviction(now_);
    callbacks_.evict(opaque_);
  } else if (auto item = outbound_.Next(cycle_.stopped())) {
    DeliverFrame(std::move(*item));
  } else if (flows_->table.needs_flush()) {
    flows_->table.Flush(now_, outbound_);
  } else {
    return false;
  }
  return true;
}

void StubDomain::Deliver(const Notice& notice) {
  std::visit(Overloaded{
                 [this](const WaitLaid& laid) {
                   callbacks_.waiting(opaque_, &laid.info);
                 },
                 [this](const WaitEnded& ended) {
                   callbacks_.ended(opaque_, &ended.ended);
                 },
                 [this](const AlertRaised& raised) {
                   const auto& [claim, part, at, problem, text] = raised.alert;
                   const sd_alert alert{
                       .stub = raised.stub,
                       .claim = claim,
                       .part = reinterpret_cast<const uint8_t*>(part.data()),
                       .length = part.size(),
                       .at = at,
                       .problem = problem.empty() ? nullptr : problem.c_str(),
                       .text = text.empty() ? nullptr : text.c_str()};
                   callbacks_.alert(opaque_, &alert);
                 },
                 [this](const UnmatchedCame& came) {
                   callbacks_.unmatched(opaque_, came.description.c_str());
                 },
                 [this](const SuspendCancelled& cancelled) {
                   callbacks_.suspend_cancelled(opaque_, cancelled.reason);
                 },
             },
             notice);
}

void StubDomain::DeliverFrame(OutboundQueue::Item item) {
  const sd_frame frame{
      .data = item.frame.bytes.data(),
      .length = item.frame.bytes.size(),
      .offload = item.frame.offload,
  };
  const sd_side to = item.lane.to == Side::kGuest ? SD_GUEST : SD_PEER;
  if (!callbacks_.send(opaque_, item.lane.port, to, &frame)) {
    outbound_.Refused(std::move(item));
  }
}

// -- inspection --

sd_info StubDomain::Info() const {
  const Time met = cycle_.condition_met();
  return {
      .state = cycle_.state(),
      .agent = agent_,
      .flows = static_cast<uint32_t>(flows_->table.size()),
      .stubs = static_cast<uint32_t>(stubs_.size()),
      .guest_inhibits = inhibitors_.count(SD_OWNER_GUEST),
      .host_inhibits = inhibitors_.count(SD_OWNER_HOST),
      .learned = static_cast<uint32_t>(reply_times_.size()),
      .kept = flows_->table.kept(),
      .condition_met = met == kNever ? 0 : ToNs(met),
      .idle_flow_bytes = FlowTable::IdleFlowBytes(),
  };
}

std::vector<sd_stub_info> StubDomain::Stubs(Time now) const {
  std::vector<sd_stub_info> infos;
  for (const auto& [number, stub] : stubs_.all()) {
    infos.push_back(stub.Info(FlowOf(stub), now));
  }
  return infos;
}

}  // namespace stubdomain
