// One wait: for a reply, for a connection, or for a datagram.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WAIT_LISTENER_STUB_H_
#define STUBDOMAIN_WAIT_LISTENER_STUB_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plan/default_handler.h"
#include "policy/depth.h"
#include "policy/waiters.h"
#include "stubdomain/stubdomain.h"
#include "tcp/tcp_flow.h"
#include "wait/flow_names.h"
#include "wait/reply_watch.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// How a wait ends.
struct Ending {
  sd_outcome outcome;
  sd_reason reason;  // why the guest is woken then
  uint64_t bytes;    // of the reply
  sd_claim claim{};  // by which handler of a plan
};

// What a wait is for; see sd_wait.
class ListenerStub {
 public:
  enum class Kind : uint8_t {
    kReply,   // more bytes on one connection
    kHold,    // a peer's SYN to one port
    kAnswer,  // bytes on any connection that the stub answered on one port
    kPair,    // a datagram
  };

  // A wait for the reply on one connection. The reply begins behind the bytes
  // that the guest had received when it began to wait. `flow` is what
  // FindFlow() found for `wait`.
  ListenerStub(uint32_t number, const sd_wait& wait, const TcpFlow& flow,
               Time now);
  // Any other wait, which CheckWait() has found to be in order.
  ListenerStub(uint32_t number, const sd_wait& wait, Time now);

  uint32_t number() const { return number_; }
  Kind kind() const { return kind_; }
  sd_owner owner() const { return owner_; }
  unsigned port() const { return port_; }
  // With another kind than kReply, what may be any is empty.
  const FlowId& flow_id() const { return wanted_.id; }
  // The port of the guest that answered connections are handed to.
  uint16_t guest_port() const { return guest_port_; }
  // The registered thread that waits, and may have left since; 0: none.
  uint32_t thread() const { return thread_; }
  Waiters::Id waiter() const {
    return thread_ != 0 ? Waiters::Thread(thread_) : Waiters::Wait(number_);
  }
  uint8_t importance() const { return importance_; }
  // When the program's call began.
  Time began() const { return began_; }
  // The kind of request, as the program names it.
  const std::string& request_class() const { return request_class_; }
  // How long after that the reply is expected; nothing: it is not known.
  std::optional<Duration> expected() const { return expected_; }
  void Expect(Duration after) { expected_ = after; }
  // When the reply is overdue by once more what was expected, so that it is
  // expected no longer; kNever: it is not expected, or not any more.
  Time overdue() const { return replies() ? began_ + 2 * *expected_ : kNever; }
  void StopExpecting() { overdue_ = true; }
  WaitTerms terms() const {
    return {.proposal = proposal_,
            .reply = replies() ? began_ + *expected_ : kNever,
            .importance = importance_};
  }
  // How deep the VM may sleep while it is open.
  const DepthWish& depth_wish() const { return depth_wish_; }
  // When it times out; kNever: never.
  Time timeout() const { return timeout_; }
  // It may end by what happens to the flow.
  bool IsOn(const TcpFlow& flow) const;
  // The datagram or the connection is one that it waits for.
  bool IsFor(Kind kind, unsigned port, const FlowId& id) const;

  // When it proposes to suspend the VM; kNever: it does not, or not any more.
  Time proposal() const { return proposal_; }
  void Propose(Time at) { proposal_ = at; }
  // Where its reply may be written; null: nowhere.
  const sd_buffer* buffer() const { return buffer_.get(); }
  void DropBuffer() { buffer_.reset(); }
  // Bytes of the peer's stream that the program had read when it was laid; with
  // kReply.
  uint64_t before() const { return before_; }
  // It was laid to propose, and may again.
  bool suspends() const { return suspends_; }

  // It has a plan, which looks at what comes. What the plan wants to be done
  // is appended to `effects` of the following.
  bool watches() const { return watch_ != nullptr; }
  // What it waits for is taken for DNS.
  bool ReadsDns() const {
    return watch_ != nullptr && watch_->plan().format == Format::kDns;
  }
  // It has ended, so that the plan looks at nothing any more.
  void EndWatch() { watch_.reset(); }
  // See ReplyWatch.
  bool Follows() const { return watch_ != nullptr && watch_->Follows(); }
  sd_claim Standing() const { return watch_->Standing(); }
  // What follows its end, with its plan, which it loses.
  ListenerStub TakeAftermath();
  bool HasScript() const {
    return watch_ != nullptr && !watch_->plan().script.empty();
  }
  // Memory that the plan may take.
  size_t plan_weight() const;
  // Whether it ends by `flow`, which it is on. `flow` may be null for kReply:
  // it is gone. A buffer that is full ends it: the stub's while the guest is
  // stopped, the guest's own while it runs.
  std::optional<Ending> Judge(TcpFlow* flow, const Means& means, Time now,
                              PlanEffects* effects);
  // How much of the reply lies before a position of what the peer sends.
  uint64_t ReplyBefore(uint64_t position) const;
  // All that came was judged, and then something of it replaced by something
  // that is longer by `growth`, modulo 2^64.
  void NoteEdit(uint64_t growth) { shift_ += growth; }
  // Whether it ends by a datagram that it is for.
  std::optional<Ending> JudgeDatagram(std::span<const uint8_t> payload,
                                      const Means& means, Time now,
                                      PlanEffects* effects);
  // Whether it ends by an ICMP error about `flow`, or, null, about the
  // datagrams that it is for. It has a plan.
  std::optional<Ending> JudgeError(IcmpWhy why, const TcpFlow* flow,
                                   const Means& means, Time now,
                                   PlanEffects* effects);
  // Whether it ends by the time, `bytes` after the reply began. To be called at
  // watch_deadline().
  std::optional<Ending> JudgeTime(const TcpFlow* flow, const Means& means,
                                  Time now, PlanEffects* effects);
  // It times out.
  void JudgeLate(PlanEffects* effects) const;
  // Null: what the guest asked is not asked again.
  Retries* retries() { return watch_ != nullptr ? watch_->retries() : nullptr; }
  const Retries* retries() const {
    return watch_ != nullptr ? std::as_const(*watch_).retries() : nullptr;
  }
  // When the plan has something to say if nothing comes; kNever: never.
  Time watch_deadline() const {
    return watch_ != nullptr ? watch_->Deadline() : kNever;
  }
  sd_stub_info Info(const TcpFlow* flow, Time now) const;

  void Save(Writer& writer, Time now) const;
  // Check reader.ok() afterwards.
  static ListenerStub Load(Reader& reader, Time now);

 private:
  explicit ListenerStub(const DefaultHandler& handler) : handler_(handler) {}

  // Notes what the plan says of the wait itself.
  std::optional<Ending> Conclude(ReplyWatch::Result result, uint64_t bytes,
                                 const PlanEffects& effects);

  bool replies() const { return expected_ && !overdue_; }
  uint64_t ReplyBytes(const TcpFlow& flow) const;
  // `effects` count from where the reply begins.
  void Place(PlanEffects* effects) const;

  uint32_t number_ = 0;
  Kind kind_ = Kind::kReply;
  sd_owner owner_ = SD_OWNER_GUEST;
  unsigned port_ = 0;
  FlowPattern wanted_;
  uint64_t before_ = 0;  // bytes of the peer's stream before the reply
  uint64_t shift_ = 0;   // by which edits have made it longer since
  uint16_t guest_port_ = 0;
  bool at_handshake_ = false;  // no byte is waited for
  uint32_t thread_ = 0;
  uint8_t importance_ = 0;
  Time began_{};
  std::string request_class_;
  std::string application_;
  std::optional<Duration> expected_;
  bool overdue_ = false;  // by now; whoever loads it finds out
  DepthWish depth_wish_;
  DefaultHandler handler_;             // without a plan
  std::unique_ptr<ReplyWatch> watch_;  // with one
  std::unique_ptr<sd_buffer> buffer_;
  Time timeout_ = kNever;
  bool suspends_ = false;
  Time proposal_ = kNever;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WAIT_LISTENER_STUB_H_
