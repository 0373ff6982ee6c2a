// One wait: for a reply, for a connection, or for a datagram.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/listener_stub.h"

#include <algorithm>

#include "plan/sd_plan.h"
#include "state/saved_time.h"
#include "wait/flow_names.h"

namespace stubdomain {
namespace {

// Where the reply begins in the peer's stream. Bytes that the guest was sent
// but does not have yet are of the reply: it is on its way in.
uint64_t ReplyBegin(const sd_wait& wait, const TcpFlow& flow) {
  const uint64_t sent = flow.peer_bytes();
  if (!wait.has_received) return std::min(sent, flow.guest_acked_bytes());
  // Only the low 32 bits of the guest's count are known to agree with ours. A
  // count beyond what was sent includes the peer's FIN.
  const uint32_t unread =
      static_cast<uint32_t>(sent) - static_cast<uint32_t>(wait.received);
  if (unread > INT32_MAX) return sent;
  return sent - std::min<uint64_t>(sent, unread);
}

// An endpoint of which the address may be any.
void SavePattern(const Endpoint& endpoint, Writer& writer) {
  const bool any = endpoint.address.family() == Family::kNone;
  writer.Bool(any);
  if (!any) writer.Put(endpoint.address);
  writer.U16(endpoint.port);
}

Endpoint LoadPattern(Reader& reader) {
  Endpoint endpoint;
  if (!reader.Bool()) endpoint.address = reader.GetAddress();
  endpoint.port = reader.U16();
  return endpoint;
}

sd_accept AcceptOf(ListenerStub::Kind kind) {
  switch (kind) {
    case ListenerStub::Kind::kHold:
      return SD_ACCEPT_HOLD;
    case ListenerStub::Kind::kAnswer:
      return SD_ACCEPT_ANSWER;
    default:
      return SD_ACCEPT_NONE;
  }
}

uint64_t MillisecondsLeft(Time time, Time now) {
  if (time == kNever) return SD_NEVER;
  if (time <= now) return 0;
  return static_cast<uint64_t>(
      std::chrono::ceil<std::chrono::milliseconds>(time - now).count());
}

}  // namespace

ListenerStub::ListenerStub(uint32_t number, const sd_wait& wait,
                           const TcpFlow& flow, Time now)
    : ListenerStub(number, wait, now) {
  kind_ = Kind::kReply;
  port_ = flow.port();
  flow_id_ = flow.id();
  before_ = ReplyBegin(wait, flow);
}

ListenerStub::ListenerStub(uint32_t number, const sd_wait& wait, Time now)
    : number_(number),
      owner_(wait.owner),
      flow_id_(FromC(wait.flow)),
      guest_port_(wait.guest_port != 0 ? wait.guest_port
                                       : wait.flow.guest.port),
      at_handshake_(wait.bytes == 0),
      thread_(wait.thread),
      importance_(wait.importance),
      began_(now - std::chrono::milliseconds(wait.elapsed_ms)),
      request_class_(wait.request_class != nullptr ? wait.request_class : ""),
      handler_(wait.bytes) {
  if (wait.protocol == SD_UDP) {
    kind_ = Kind::kPair;
  } else {
    kind_ = wait.accept == SD_ACCEPT_HOLD ? Kind::kHold : Kind::kAnswer;
  }
  if (wait.plan != nullptr) {
    watch_ = std::make_unique<ReplyWatch>(wait.plan->plan, kind_ == Kind::kPair,
                                          now);
  }
  if (wait.expected_ms != 0) {
    expected_ = std::chrono::milliseconds(wait.expected_ms);
  }
  if (wait.timeout_ms != 0) {
    timeout_ =
        std::max(now, began_ + std::chrono::milliseconds(wait.timeout_ms));
  }
}

bool ListenerStub::IsOn(const TcpFlow& flow) const {
  switch (kind_) {
    case Kind::kReply:
      return flow.port() == port_ && flow.id() == flow_id_;
    case Kind::kAnswer:
      return flow.unknown_to_guest() && IsFor(kind_, flow.id());
    case Kind::kHold:
    case Kind::kPair:
      break;
  }
  return false;
}

bool ListenerStub::IsFor(Kind kind, const FlowId& id) const {
  return kind == kind_ && Matches(flow_id_.guest, id.guest) &&
         Matches(flow_id_.peer, id.peer);
}

uint64_t ListenerStub::ReplyBytes(const TcpFlow& flow) const {
  const uint64_t came = flow.peer_bytes() - shift_;
  return came - std::min(came, before_);
}

size_t ListenerStub::plan_weight() const {
  return watch_ != nullptr ? watch_->plan().weight() : 0;
}

std::optional<Ending> ListenerStub::Conclude(ReplyWatch::Result result,
                                             uint64_t bytes) const {
  switch (result) {
    case ReplyWatch::Result::kWait:
      break;
    case ReplyWatch::Result::kReplied:
      return Ending{SD_REPLIED, SD_REASON_REPLY, bytes, watch_->claim()};
    case ReplyWatch::Result::kMissed:
      return Ending{SD_REPLIED, SD_REASON_REPLY, bytes};
    case ReplyWatch::Result::kClosed:
      return Ending{SD_CLOSED, SD_REASON_REPLY, bytes};
    case ReplyWatch::Result::kReset:
      return Ending{SD_RESET, SD_REASON_REPLY, bytes};
  }
  return std::nullopt;
}

std::optional<Ending> ListenerStub::JudgeDatagram(
    std::span<const uint8_t> payload, Time now, PlanEffects* effects) {
  if (watch_ == nullptr) {
    return Ending{SD_REPLIED, SD_REASON_REPLY, payload.size()};
  }
  return Conclude(watch_->OnDatagram(payload, now, effects), payload.size());
}

std::optional<Ending> ListenerStub::JudgeTime(const TcpFlow* flow, Time now,
                                              PlanEffects* effects) {
  return Conclude(watch_->OnTimer(now, effects),
                  flow != nullptr ? ReplyBytes(*flow) : 0);
}

std::optional<Ending> ListenerStub::Judge(TcpFlow* flow, bool guest_stopped,
                                          Time now, PlanEffects* effects) {
  ReplyProgress progress{.reset = true};
  if (kind_ == Kind::kAnswer) {
    // A peer that has gone again is none that the guest needs to know of.
    if (flow->peer_reset()) return std::nullopt;
    if (at_handshake_) return Ending{SD_REPLIED, SD_REASON_REPLY, 0};
  }
  if (flow != nullptr) {
    const uint64_t bytes = ReplyBytes(*flow);
    progress = {
        .bytes = bytes,
        .closed = flow->peer_closed(),
        .reset = flow->peer_reset() || !flow->answered(),
        // While the guest runs its own buffer is what fills up, since a program
        // that waits does not read. One that is full before the reply has to
        // wait all the same.
        .buffer_full =
            guest_stopped ? flow->full() : bytes > 0 && flow->guest_full(),
    };
  }
  if (watch_ != nullptr) {
    const size_t known = effects->edits.size();
    const auto ending = Conclude(
        watch_->OnFlow(flow, before_ + shift_, now, effects), progress.bytes);
    for (size_t i = known; i < effects->edits.size(); ++i) {
      effects->edits[i].begin += before_ + shift_;
    }
    if (ending || !progress.buffer_full) return ending;
    return Ending{SD_REPLIED, SD_REASON_BUFFER, progress.bytes};
  }
  switch (handler_.Decide(progress)) {
    case Decision::kWait:
      break;
    case Decision::kReplied:
      return Ending{SD_REPLIED, SD_REASON_REPLY, progress.bytes};
    case Decision::kBufferFull:
      return Ending{SD_REPLIED, SD_REASON_BUFFER, progress.bytes};
    case Decision::kClosed:
      return Ending{SD_CLOSED, SD_REASON_REPLY, progress.bytes};
    case Decision::kReset:
      return Ending{SD_RESET, SD_REASON_REPLY, progress.bytes};
  }
  return std::nullopt;
}

sd_stub_info ListenerStub::Info(const TcpFlow* flow, Time now) const {
  return {
      .stub = number_,
      .owner = owner_,
      .protocol = kind_ == Kind::kPair ? SD_UDP : SD_TCP,
      .accept = AcceptOf(kind_),
      .flow = ToC(flow_id_),
      .bytes = flow != nullptr ? ReplyBytes(*flow) : 0,
      .wanted = watch_ == nullptr ? handler_.bytes() : 0,
      .timeout_left_ms = MillisecondsLeft(timeout_, now),
      .thread = thread_,
      .importance = importance_,
      .expected_ms =
          expected_
              ? static_cast<uint64_t>(
                    std::chrono::ceil<std::chrono::milliseconds>(*expected_)
                        .count())
              : SD_NEVER,
  };
}

void ListenerStub::Save(Writer& writer, Time now) const {
  writer.U32(number_);
  writer.U8(static_cast<uint8_t>(kind_));
  writer.U8(static_cast<uint8_t>(owner_));
  writer.U32(port_);
  SavePattern(flow_id_.guest, writer);
  SavePattern(flow_id_.peer, writer);
  writer.U64(before_);
  writer.U64(shift_);
  writer.U16(guest_port_);
  writer.Bool(at_handshake_);
  writer.U32(thread_);
  writer.U8(importance_);
  SaveTime(began_, now, writer);
  writer.Bytes({reinterpret_cast<const uint8_t*>(request_class_.data()),
                request_class_.size()});
  SaveTime(expected_ ? now + *expected_ : kNever, now, writer);
  writer.U64(handler_.bytes());
  writer.Bool(watch_ != nullptr);
  if (watch_ != nullptr) watch_->Save(writer, now);
  SaveTime(timeout_, now, writer);
  SaveTime(proposal_, now, writer);
}

ListenerStub ListenerStub::Load(Reader& reader, Time now) {
  ListenerStub stub{DefaultHandler(0)};
  stub.number_ = reader.U32();
  const uint8_t kind = reader.U8();
  if (kind > static_cast<uint8_t>(Kind::kPair)) reader.Fail();
  stub.kind_ = reader.ok() ? static_cast<Kind>(kind) : Kind::kReply;
  const uint8_t owner = reader.U8();
  if (owner > SD_OWNER_HOST || stub.number_ == 0) reader.Fail();
  stub.owner_ = owner == SD_OWNER_HOST ? SD_OWNER_HOST : SD_OWNER_GUEST;
  stub.port_ = reader.GetNic();
  stub.flow_id_.guest = LoadPattern(reader);
  stub.flow_id_.peer = LoadPattern(reader);
  stub.before_ = reader.U64();
  stub.shift_ = reader.U64();
  stub.guest_port_ = reader.U16();
  stub.at_handshake_ = reader.Bool();
  stub.thread_ = reader.U32();
  stub.importance_ = reader.U8();
  if (stub.importance_ > SD_MAX_IMPORTANCE) reader.Fail();
  stub.began_ = LoadTime(reader, now);
  const auto name = reader.Bytes();
  if (name.size() > SD_CLASS_MAX) reader.Fail();
  stub.request_class_.assign(name.begin(), name.end());
  const Time expected = LoadTime(reader, now);
  if (expected != kNever) stub.expected_ = expected - now;
  stub.handler_ = DefaultHandler(reader.U64());
  if (reader.Bool()) {
    stub.watch_ = ReplyWatch::Load(reader, stub.kind_ == Kind::kPair, now);
    if (stub.watch_ == nullptr) reader.Fail();
  }
  stub.timeout_ = LoadTime(reader, now);
  stub.proposal_ = LoadTime(reader, now);
  return stub;
}

}  // namespace stubdomain
