// One wait: for a reply, for a connection, or for a datagram.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/listener_stub.h"

#include <algorithm>

#include "plan/sd_plan.h"
#include "state/saved_time.h"
#include "wait/flow_names.h"
#include "wait/reply_buffer.h"

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
void SaveEnd(const Endpoint& endpoint, uint8_t prefix, Writer& writer) {
  const bool any = endpoint.address.family() == Family::kNone;
  writer.Bool(any);
  if (!any) writer.Put(endpoint.address);
  writer.U16(endpoint.port);
  writer.U8(prefix);
}

Endpoint LoadEnd(Reader& reader, uint8_t* prefix) {
  Endpoint endpoint;
  if (!reader.Bool()) endpoint.address = reader.GetAddress();
  endpoint.port = reader.U16();
  *prefix = reader.U8();
  return endpoint;
}

void SavePattern(const FlowPattern& pattern, Writer& writer) {
  SaveEnd(pattern.id.guest, pattern.guest_prefix, writer);
  SaveEnd(pattern.id.peer, pattern.peer_prefix, writer);
  writer.U8(static_cast<uint8_t>(pattern.nic ? *pattern.nic + 1 : 0));
}

FlowPattern LoadPattern(Reader& reader) {
  FlowPattern pattern;
  pattern.id.guest = LoadEnd(reader, &pattern.guest_prefix);
  pattern.id.peer = LoadEnd(reader, &pattern.peer_prefix);
  const uint8_t nic = reader.U8();
  if (nic != 0) pattern.nic = nic - 1;
  if (!IsSound(pattern)) reader.Fail();
  return pattern;
}

void SaveText(const std::string& text, Writer& writer) {
  writer.Bytes({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

std::string LoadText(Reader& reader, size_t most) {
  const auto bytes = reader.Bytes();
  if (bytes.size() > most) reader.Fail();
  return {bytes.begin(), bytes.end()};
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
  wanted_ = {.id = flow.id(), .nic = wanted_.nic};
  before_ = ReplyBegin(wait, flow);
}

ListenerStub::ListenerStub(uint32_t number, const sd_wait& wait, Time now)
    : number_(number),
      owner_(wait.owner),
      wanted_(PatternOf(wait)),
      guest_port_(wait.guest_port != 0 ? wait.guest_port
                                       : wait.flow.guest.port),
      at_handshake_(wait.bytes == 0),
      thread_(wait.thread),
      importance_(wait.importance),
      began_(now - std::chrono::milliseconds(wait.elapsed_ms)),
      request_class_(wait.request_class != nullptr ? wait.request_class : ""),
      application_(wait.application != nullptr ? wait.application : ""),
      depth_wish_(DepthWish::Of(wait)),
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
  if (wait.buffer != nullptr) {
    buffer_ = std::make_unique<sd_buffer>(*wait.buffer);
  }
  suspends_ = wait.suspend;
  if (wait.timeout_ms != 0) {
    timeout_ =
        std::max(now, began_ + std::chrono::milliseconds(wait.timeout_ms));
  }
}

ListenerStub ListenerStub::TakeAftermath() {
  ListenerStub after(handler_);
  after.number_ = number_;
  after.kind_ = kind_;
  after.port_ = port_;
  after.wanted_ = wanted_;
  after.before_ = before_;
  after.shift_ = shift_;
  after.timeout_ = timeout_;
  after.watch_ = std::move(watch_);
  return after;
}

bool ListenerStub::IsOn(const TcpFlow& flow) const {
  switch (kind_) {
    case Kind::kReply:
      return flow.port() == port_ && flow.id() == wanted_.id;
    case Kind::kAnswer:
      return flow.unknown_to_guest() && IsFor(kind_, flow.port(), flow.id());
    case Kind::kHold:
    case Kind::kPair:
      break;
  }
  return false;
}

bool ListenerStub::IsFor(Kind kind, unsigned port, const FlowId& id) const {
  return kind == kind_ && wanted_.Matches(port, id);
}

uint64_t ListenerStub::ReplyBytes(const TcpFlow& flow) const {
  const uint64_t came = flow.peer_bytes() - shift_;
  return came - std::min(came, before_);
}

uint64_t ListenerStub::ReplyBefore(uint64_t position) const {
  return position - std::min(position, before_ + shift_);
}

size_t ListenerStub::plan_weight() const {
  return watch_ != nullptr ? watch_->plan().weight() : 0;
}

std::optional<Ending> ListenerStub::Conclude(ReplyWatch::Result result,
                                             uint64_t bytes,
                                             const PlanEffects& effects) {
  importance_ = effects.importance.value_or(importance_);
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
    std::span<const uint8_t> payload, const Means& means, Time now,
    PlanEffects* effects) {
  if (watch_ == nullptr) {
    return Ending{SD_REPLIED, SD_REASON_REPLY, payload.size()};
  }
  return Conclude(watch_->OnDatagram(payload, means, now, effects),
                  payload.size(), *effects);
}

std::optional<Ending> ListenerStub::JudgeError(IcmpWhy why, const TcpFlow* flow,
                                               const Means& means, Time now,
                                               PlanEffects* effects) {
  const auto ending =
      Conclude(watch_->OnError(why, means, now, effects),
               flow != nullptr ? ReplyBytes(*flow) : 0, *effects);
  Place(effects);
  return ending;
}

std::optional<Ending> ListenerStub::JudgeTime(const TcpFlow* flow,
                                              const Means& means, Time now,
                                              PlanEffects* effects) {
  const auto ending =
      Conclude(watch_->OnTimer(means, now, effects),
               flow != nullptr ? ReplyBytes(*flow) : 0, *effects);
  Place(effects);
  return ending;
}

void ListenerStub::JudgeLate(PlanEffects* effects) const {
  if (watch_ != nullptr) watch_->OnLate(effects);
  Place(effects);
}

void ListenerStub::Place(PlanEffects* effects) const {
  if (kind_ != Kind::kReply) return;
  for (ReplyEdit& edit : effects->edits) {
    edit.begin += before_ + shift_;
    edit.stub = number_;
  }
  if (effects->answer) effects->answer->begin += before_ + shift_;
}

std::optional<Ending> ListenerStub::Judge(TcpFlow* flow, const Means& means,
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
            means.stopped ? flow->full() : bytes > 0 && flow->guest_full(),
    };
  }
  if (watch_ != nullptr) {
    const auto ending =
        Conclude(watch_->OnFlow(flow, before_ + shift_, means, now, effects),
                 progress.bytes, *effects);
    Place(effects);
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
  sd_stub_info info{
      .stub = number_,
      .owner = owner_,
      .protocol = kind_ == Kind::kPair ? SD_UDP : SD_TCP,
      .accept = AcceptOf(kind_),
      .flow = ToC(wanted_.id),
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
      .nic = static_cast<uint8_t>(wanted_.nic ? *wanted_.nic + 1 : 0),
  };
  info.flow.guest.prefix = wanted_.guest_prefix;
  info.flow.peer.prefix = wanted_.peer_prefix;
  std::ranges::copy(application_, info.application);
  return info;
}

void ListenerStub::Save(Writer& writer, Time now) const {
  writer.U32(number_);
  writer.U8(static_cast<uint8_t>(kind_));
  writer.U8(static_cast<uint8_t>(owner_));
  writer.U32(port_);
  SavePattern(wanted_, writer);
  writer.U64(before_);
  writer.U64(shift_);
  writer.U16(guest_port_);
  writer.Bool(at_handshake_);
  writer.U32(thread_);
  writer.U8(importance_);
  SaveTime(began_, now, writer);
  SaveText(request_class_, writer);
  SaveText(application_, writer);
  SaveTime(expected_ ? now + *expected_ : kNever, now, writer);
  depth_wish_.Save(writer);
  writer.U64(handler_.bytes());
  writer.Bool(watch_ != nullptr);
  if (watch_ != nullptr) watch_->Save(writer, now);
  writer.Bool(buffer_ != nullptr);
  if (buffer_ != nullptr) SaveBuffer(*buffer_, writer);
  SaveTime(timeout_, now, writer);
  writer.Bool(suspends_);
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
  stub.wanted_ = LoadPattern(reader);
  stub.before_ = reader.U64();
  stub.shift_ = reader.U64();
  stub.guest_port_ = reader.U16();
  stub.at_handshake_ = reader.Bool();
  stub.thread_ = reader.U32();
  stub.importance_ = reader.U8();
  if (stub.importance_ > SD_MAX_IMPORTANCE) reader.Fail();
  stub.began_ = LoadTime(reader, now);
  stub.request_class_ = LoadText(reader, SD_CLASS_MAX);
  stub.application_ = LoadText(reader, SD_APPLICATION_MAX);
  if (!reader.ok()) stub.application_.clear();
  const Time expected = LoadTime(reader, now);
  if (expected != kNever) stub.expected_ = expected - now;
  stub.depth_wish_ = DepthWish::Load(reader);
  stub.handler_ = DefaultHandler(reader.U64());
  if (reader.Bool()) {
    stub.watch_ = ReplyWatch::Load(reader, stub.kind_ == Kind::kPair, now);
    if (stub.watch_ == nullptr) reader.Fail();
  }
  if (reader.Bool()) {
    stub.buffer_ = std::make_unique<sd_buffer>(LoadBuffer(reader));
    if (stub.kind_ != Kind::kReply) reader.Fail();
  }
  stub.timeout_ = LoadTime(reader, now);
  stub.suspends_ = reader.Bool();
  stub.proposal_ = LoadTime(reader, now);
  return stub;
}

}  // namespace stubdomain
