// The stub domain of one VM: what joins flows, waits and the VM's state.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_STUB_DOMAIN_H_
#define STUBDOMAIN_STUB_DOMAIN_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "accept/acceptor.h"
#include "answer/own_addresses.h"
#include "cycle/suspend_cycle.h"
#include "effect/notice.h"
#include "effect/outbound_queue.h"
#include "policy/break_even.h"
#include "policy/decision_log.h"
#include "policy/depth.h"
#include "policy/inhibitors.h"
#include "policy/judgement.h"
#include "policy/meter.h"
#include "policy/registered_threads.h"
#include "policy/reply_times.h"
#include "policy/suspend_guard.h"
#include "stubdomain/stubdomain.h"
#include "tcp/buffer_budget.h"
#include "tcp/flow_table.h"
#include "tcp/rate_limit.h"
#include "unmatched/held_frames.h"
#include "wait/aftermath.h"
#include "wait/duplicate_replies.h"
#include "wait/listener_stubs.h"
#include "wait/recent_datagrams.h"
#include "wire/packet.h"
#include "wire/time.h"

namespace stubdomain {

// Effects of one Dispatch(); what is left stays pending.
inline constexpr int kDispatchBatch = 1024;
// Notices that may wait for Dispatch() when a wait is laid; beyond it the wait
// is refused.
inline constexpr size_t kMaxPendingNotices = 1024;

// The C API's object, in C++'s types: see there for the contract of each event,
// and for what may be called when.
//
// Theory of operation. While the guest runs, frames pass, and the flows note
// how far each connection is. Whatever may end a wait (a frame, a timer, a
// stopped VM) is followed by Settle(), which judges the waits concerned. A wait
// that ends wakes the guest: it takes back a suspend that is only proposed, or
// has SuspendCycle request a restore, if the policy does not ask for more
// replies first. Once the vCPUs are stopped, the frames
// from the peers are the flows', or are answered, or are held. When the VM runs
// again, held frames go first; what the flows kept follows once the guest is
// ready for it.
class StubDomain {
 public:
  // `callbacks` is copied; all of them are set.
  StubDomain(const sd_config& config, const sd_callbacks& callbacks,
             void* opaque);

  void SetConfig(const sd_config& config);
  void Seed(std::span<const uint8_t, SD_SEED_LENGTH> seed);

  // -- effects --
  bool pending() const;
  void Dispatch(Time now);
  Time NextDeadline() const;

  // -- the network --
  Verdict OnFrame(unsigned port, Side from, std::span<const uint8_t> bytes,
                  const Offload& offload, Time now);
  // Whether a frame of the guest of which only the first `head` bytes can be
  // read passes; if not, nothing was done.
  bool PassHead(unsigned port, std::span<const uint8_t> bytes, size_t head,
                const Offload& offload, Time now);
  void OnWritable(unsigned port, Side side) { outbound_.Unblock({port, side}); }
  bool CanTake(unsigned port, Side from) const {
    return !outbound_.busy({port, from});
  }

  // -- the VM --
  void OnStopped(Time now);
  void OnSuspended(Time now);
  void OnSuspendFailed(Time now);
  // See sd_next_buffer() and sd_take_reply().
  uint32_t NextBuffer(uint32_t after, sd_buffer* buffer) const;
  size_t TakeReply(uint32_t number, std::span<uint8_t> bytes, Time now);
  void OnRunning(Time now);
  void OnReset(Time now);

  // -- requests --
  sd_refusal WaitFor(const sd_wait& wait, Time now, uint32_t* number);
  sd_refusal Cancel(sd_owner owner, uint32_t number, Time now);
  sd_refusal Suspend(sd_depth depth, Time now);
  sd_refusal Restore(Time now);
  void SetAgent(bool present, bool prepares);
  void OnPrepared(Time now);
  void OnReady(Time now);

  // -- threads of the guest --
  sd_refusal RegisterThread(std::string_view name, Time now, uint32_t* thread);
  sd_refusal LeaveThread(uint32_t thread, Time now);
  std::vector<sd_thread_info> Threads() const;

  // -- what keeps the VM running --
  sd_refusal Inhibit(sd_owner owner, Time now);
  sd_refusal Allow(sd_owner owner, Time now);
  std::vector<sd_decision> Decisions(Time now) const;
  void SetVcpusIdle(bool idle, Time now);
  void SetCosts(const sd_costs& costs, Time now);
  void SetPressure(const sd_pressure& pressure, Time now);

  // -- connections without their socket --
  sd_refusal Detach(const sd_flow_id& id, Time now);
  sd_refusal Parameters(const sd_flow_id& id, sd_flow_parameters* parameters);
  sd_refusal Reattach(const sd_flow_id& id, Time now);
  sd_refusal ConnectGuest(const sd_flow_id& id, uint16_t guest_port, Time now);

  // -- inspection --
  sd_info Info() const;
  sd_given_back GivenBack(Time now) const { return meter_.Read(now); }
  std::vector<sd_stub_info> Stubs(Time now) const;

  // -- serial form --
  std::vector<uint8_t> Save(Time now) const;
  sd_refusal Load(std::span<const uint8_t> data, Time now);

 private:
  // The budget lies beside the table that it outlives, so that both can be
  // replaced at once.
  struct Flows {
    explicit Flows(const sd_config& config);
    BufferBudget budget;
    FlowTable table;
  };

  // Notes the time: `now`, unless a callback's event was already later. Any
  // event but a frame may change what is to be decided.
  Time Advance(Time now);
  Time AdvanceByFrame(Time now);

  bool LoadAftermaths(Reader& reader, Time now);
  // Takes up the work after everything was loaded.
  void Resume(Time now);

  // -- frames --
  // `whole`: all of it can be read.
  Verdict OnPassingFrame(unsigned port, Side from, const Packet& packet,
                         bool whole, Time now);
  Verdict PassInOrder(unsigned port, Side from, const Packet& packet);
  void OnFrameToStoppedGuest(unsigned port, const Packet& packet, Time now);
  void OnSegmentToStoppedGuest(unsigned port, const Packet& packet, Time now);
  void OnErrorToStoppedGuest(unsigned port, const Packet& packet, Time now);
  // An ICMP error passes to the guest.
  void NoteError(unsigned port, const Packet& packet, Time now);
  void OnFragmentToStoppedGuest(unsigned port, const Packet& packet, Time now);
  void HoldUnanswerable(unsigned port, const Packet& packet, Time now);
  void OnUnmatched(const Packet& packet, Time now);

  // -- connections and datagrams that a wait names --
  // A flow that counted as one of a stopped guest no longer does.
  void LetGo(Time now);
  static std::optional<Ending> PairEnding(const Packet& packet);
  void PassOnErrors();
  // What a frame of a peer ends by coming to a guest that runs. False: the
  // guest is not to have it.
  bool NoteArrival(unsigned port, const Packet& packet, Time now);
  // A SYN, or an acknowledgement of the stub's answer to one. False: neither.
  bool TakeHandshake(unsigned port, const Packet& packet, Time now);
  bool TakeSyn(unsigned port, const FlowId& id, const Packet& packet, Time now);
  bool TakeAcknowledgement(unsigned port, const FlowId& id,
                           const Packet& packet, Time now);
  // Holds a frame that a wait of this kind is for, which ends by it.
  bool HoldAwaited(ListenerStub::Kind kind, unsigned port, const Packet& packet,
                   const Ending& ending, Time now);
  // Ends a wait that `packet` is for, unless its plan says otherwise. False:
  // the guest is not to have it.
  bool OnAwaited(const ListenerStub& stub, unsigned port, const Packet& packet,
                 const Ending& ending, Time now);
  // Null: its reply goes to the socket.
  const sd_buffer* BufferOf(const ListenerStub& stub) const;
  // Of an answered connection, before it is known who it is.
  uint16_t AnswerWindow() const;

  // -- waits --
  sd_refusal MayLay(const sd_wait& wait) const;
  void Lay(const ListenerStub& stub, const sd_wait& wait, Time now,
           uint32_t* number);
  // A wait of a thread was laid or is over, or what it proposes has changed.
  void UpdateThread(uint32_t thread);
  TcpFlow* FlowOf(const ListenerStub& stub) const;
  // What plans change of what is kept of a flow.
  struct PlanChanges {
    std::vector<ReplyEdit> edits;
    std::vector<std::pair<const ListenerStub*, PlanAnswer>> answers;
  };
  // Ends the waits on the flow that are over by now; `error`: by one that has
  // come about it.
  void Settle(TcpFlow& flow, Time now,
              std::optional<IcmpWhy> error = std::nullopt);
  // Does what can be done at once of what a plan wants; the rest is appended.
  void Take(const ListenerStub& stub, PlanEffects effects, Time now,
            PlanChanges* changes);
  // -- plans that go on once the guest runs --
  bool AnyAftermathOn(const TcpFlow& flow) const;
  void JudgeAftermaths(TcpFlow& flow, Time now, PlanChanges* changes);
  // The guest runs from here on.
  void BeginAftermaths(Time now);
  // Gives up those for which it is time.
  void EndAftermaths(Time now);
  // The guest gets what those that are over have held back.
  void ForgetAftermaths(Time now);
  Time NextAftermathEnds() const;
  // The same for all, and for buffers that no wait is on.
  void SettleAll(Time now);
  void EndTimedOut(Time now);
  void TimeOut(uint32_t number, Time now);
  // All that came on the flow was judged, and then something of it replaced.
  void NoteEdit(const TcpFlow& flow, uint64_t growth);
  // Ends the waits whose plans have something to say by now.
  void EndWatched(Time now);
  // What is known of the flow by the waits on it changes.
  void UpdateAwaited(TcpFlow& flow);
  void Alert(uint32_t number, std::vector<PlanAlert> alerts, Time now);
  // Changes what is kept of the flow, as far as that is possible: what the
  // guest was sent stays. All waits on the flow were judged.
  void Edit(TcpFlow& flow, std::vector<ReplyEdit> edits, Time now);
  // What takes the place of what is kept; not null: why it stays as it is.
  static const char* Replacement(TcpFlow& flow, const ReplyEdit& edit,
                                 std::string* replacement);
  void End(uint32_t number, sd_outcome outcome, uint64_t bytes,
           const sd_claim& claim = {}, bool answered = false);
  // A wait ended, which wakes a guest that is not to sleep on.
  void EndAndWake(uint32_t number, const Ending& ending, Time now);
  // So many replies wake the guest.
  uint32_t RepliesThatWake() const;
  // Those that were kept for it do.
  bool RepliesWake() const;
  sd_why WhyAwake(sd_reason reason) const;
  // Wakes a guest that is suspended, or about to be.
  void RequestRestore(sd_reason reason, Time now);
  // The guest has something to do.
  void Wake(sd_reason reason, Time now);

  // -- in the name of the guest, or of a peer --
  // The guest sends a datagram.
  void NoteQuestion(unsigned port, const Packet& packet);
  // The one to which the awaited one is the answer; null: it is not known.
  const RecentDatagrams::Sent* AskedBy(const ListenerStub& stub) const;
  Means MeansOf(const ListenerStub& stub) const;
  void Send(const ListenerStub& stub, const std::string& bytes, Time now);
  // False: the guest gets what the peer has sent.
  bool Answer(const ListenerStub& stub, const PlanAnswer& answer, Time now);
  bool AnswerDatagram(const ListenerStub& stub, const ArtificialReply& reply);
  // A guest that runs, or is about to, can ask again by itself.
  bool MayAskAgain() const;
  bool Ask(const ListenerStub& stub, Time now);
  void AskAgain(Time now);
  // A datagram of a peer answers a question that was asked again, and is not
  // the first one that does.
  bool IsDuplicate(unsigned port, const Packet& packet, Time now);

  // -- suspending --
  // Whether connections can be adopted with nothing of what the guest has sent
  // left out. The peers' bytes need nothing: what the guest does not have is
  // sent again, to the stub.
  void ViewFlows(PauseView* view) const;
  // What the guest asked for is no longer asked for.
  void ForgetAgent();
  // As many threads wait as the policy asks for.
  bool EnoughThreadsWait() const;
  void Propose(const ListenerStub& stub, Time at);
  // Waits of threads that still wait after a wake propose again.
  void ProposeAgain(Time now);
  // When enough waits have proposed a suspend; kNever: too few have.
  Time ProposedByWaits() const;
  Time ExpectedWakeTime() const;
  void ExpectReply(const ListenerStub& stub, Time now);
  void LearnFrom(const ListenerStub& stub, const Ending& ending, Time now);
  PauseView View() const;
  // Asked for after each frame, so it is kept until an event may change it.
  const Judgement& Judged() const;
  // What of a flow it rests on.
  struct Standing {
    bool known = false;
    bool tracked = false;
    bool established = false;
    bool closed = false;
    bool covered = false;
    friend bool operator==(const Standing&, const Standing&) = default;
  };
  static Standing StandingOf(const TcpFlow* flow);
  // When the suspend that is proposed may begin, if nothing happens until
  // then; kNever: not without an event.
  Time SuspendDue() const;
  // Notes why the guest runs on, if a suspend is proposed.
  void Consider(Time now);
  // True: memory is given back at once.
  bool BeginSuspend(Time now);
  // How deep the VM is to sleep, by what is open now.
  DepthRule Depth() const;
  // When memory is given back if the vCPUs stop, or stopped, then.
  Judgement Eviction(Time since, std::optional<sd_depth> ordered) const;
  // The same of a VM that idles; kNever: not without an event.
  Time EvictDue() const;
  void BeginEviction(Time now);
  sd_decision Terms(sd_decided decided, sd_why why, Time now) const;
  void DropSuspend();
  // Has the flows record what the guest sends from the proposal of a suspend
  // until it is over.
  void UpdateRecording();
  void OpenGate(Time now);

  // -- the agent's preparations, between a proposal and its suspend --
  // When something is due: to tell the agent, or to begin.
  Time NextStepDue() const;
  void TakeNextStep(Time now);
  // The agent was told of a suspend that nobody asks for any more.
  bool PreparedInVain() const;
  void EndPreparations();

  // -- effects --
  void OnTimer(Time now);
  bool DeliverOne();
  void Deliver(const Notice& notice);
  void DeliverFrame(OutboundQueue::Item item);

  sd_config config_;
  sd_callbacks callbacks_;
  void* opaque_;

  Time now_{};
  mutable std::optional<Judgement> judged_;
  SuspendCycle cycle_;
  std::unique_ptr<Flows> flows_;
  ListenerStubs stubs_;
  std::vector<Aftermath> aftermaths_;
  RegisteredThreads threads_;
  Inhibitors inhibitors_;
  SuspendGuard guard_;
  DecisionLog decisions_;
  ReplyTimes reply_times_;
  sd_costs costs_{};
  sd_pressure pressure_{};
  Meter meter_;
  OwnAddresses own_addresses_;
  Acceptor acceptor_;
  HeldFrames held_;
  // ICMP errors about connections, which the guest gets behind the bytes that
  // came before them.
  HeldFrames held_errors_;
  RecentDatagrams recent_;
  DuplicateReplies duplicates_;
  // When the host asked for a suspend that has not begun; kNever: it did not.
  Time host_proposal_ = kNever;
  sd_depth host_depth_ = SD_DEPTH_EVICT;
  // Of the suspend under way: when the vCPUs stopped, and how deep the host
  // wants it; nothing: it did not say.
  Time idle_since_{};
  std::optional<sd_depth> ordered_;
  // Since when the vCPUs have nothing to do, as far as anybody said; kNever:
  // they have.
  Time vcpus_idle_since_ = kNever;
  bool agent_ = false;
  // It is told before a suspend.
  bool prepares_ = false;
  // Since it was told: until when it may take its time, whether it is done, and
  // since when the vCPUs had nothing to do, which its preparations end. kNever:
  // it was not told.
  Time prepare_until_ = kNever;
  bool prepared_ = false;
  Time idle_before_ = kNever;
  // While the guest runs but is not ready for what was kept: until when it may
  // take its time. kNever: the gate is open.
  Time gate_opens_ = kNever;
  RateLimit unmatched_limit_{1};
  RateLimit alert_limit_{SD_ALERTS_MAX};

  std::deque<Notice> notices_;
  OutboundQueue outbound_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_STUB_DOMAIN_H_
