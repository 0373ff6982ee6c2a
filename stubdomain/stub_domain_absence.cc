// The stub domain of one VM: what it says in the name of the guest or of a
// peer.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <utility>

#include "stub_domain.h"
#include "wire/answers.h"
#include "wire/udp_frame.h"

namespace stubdomain {
namespace {

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// Of a datagram that the guest has sent, and of one that comes back.
Route RouteOf(const Packet& packet) {
  const auto& datagram = std::get<UdpDatagram>(packet.body);
  return {.link = packet.link,
          .source = {packet.ip->source, datagram.source_port},
          .destination = {packet.ip->destination, datagram.destination_port}};
}

Route Back(const Route& route) {
  return {.link = {route.link.source, route.link.destination, route.link.vlan},
          .source = route.destination,
          .destination = route.source};
}

Packet Parsed(const Frame& frame) {
  Packet packet;
  Parse(frame.bytes, frame.offload, &packet);
  return packet;
}

PeerEnd EndOf(const ArtificialReply& reply) {
  if (reply.kind == ArtificialReply::Kind::kReset) return PeerEnd::kReset;
  return reply.close ? PeerEnd::kFin : PeerEnd::kOpen;
}

}  // namespace

const RecentDatagrams::Sent* StubDomain::AskedBy(
    const ListenerStub& stub) const {
  return recent_.Find([&stub](unsigned port, const FlowId& id) {
    return stub.IsFor(ListenerStub::Kind::kPair, port, id);
  });
}

void StubDomain::NoteQuestion(unsigned port, const Packet& packet) {
  recent_.Note(port, packet);
  if (duplicates_.empty()) return;
  const Route route = RouteOf(packet);
  duplicates_.Forget(port, {.guest = route.source, .peer = route.destination});
}

bool StubDomain::IsDuplicate(unsigned port, const Packet& packet, Time now) {
  if (duplicates_.empty()) return false;
  const auto* datagram = std::get_if<UdpDatagram>(&packet.body);
  return datagram != nullptr && ChecksumOk(packet) &&
         duplicates_.Take(port, FlowToGuest(packet), datagram->payload, now);
}

Means StubDomain::MeansOf(const ListenerStub& stub) const {
  Means means{.stopped = cycle_.stopped()};
  if (!means.stopped) return means;
  if (stub.kind() == ListenerStub::Kind::kPair) {
    means.send = means.ask = AskedBy(stub) != nullptr;
  } else if (const TcpFlow* flow = FlowOf(stub)) {
    means.send = flow->MaySend() == SendRefusal::kNone;
    means.ask = means.send && !flow->kept_request().empty();
    means.kept_from = stub.ReplyBefore(flow->unsent());
  }
  return means;
}

void StubDomain::Send(const ListenerStub& stub, const std::string& bytes,
                      Time now) {
  if (TcpFlow* flow = FlowOf(stub)) {
    flows_->table.SendInGuestsName(*flow, Bytes(bytes), now, outbound_);
  } else if (const auto* asked = AskedBy(stub)) {
    outbound_.Emit(asked->port, Side::kPeer,
                   UdpFrame(RouteOf(Parsed(asked->frame)), Bytes(bytes)));
  }
}

bool StubDomain::Answer(const ListenerStub& stub, const PlanAnswer& answer,
                        Time now) {
  TcpFlow* flow = FlowOf(stub);
  if (flow == nullptr) {
    return stub.kind() == ListenerStub::Kind::kPair &&
           AnswerDatagram(stub, *answer.reply);
  }
  const auto bytes = Compose(*answer.reply, {.request = flow->kept_request(),
                                             .head = flow->request().head});
  if (!bytes || answer.length > kMaxFlowBuffer) return false;
  const uint64_t before = flow->peer_bytes();
  const AnswerRefusal refusal = flows_->table.Answer(
      *flow, answer.begin, static_cast<uint32_t>(answer.length), *bytes,
      EndOf(*answer.reply), now, outbound_);
  if (refusal != AnswerRefusal::kNone) return false;
  NoteEdit(*flow, flow->peer_bytes() - before);
  return true;
}

bool StubDomain::AnswerDatagram(const ListenerStub& stub,
                                const ArtificialReply& reply) {
  const auto* asked = AskedBy(stub);
  if (asked == nullptr) return false;
  const Packet question = Parsed(asked->frame);
  Frame frame;
  if (reply.kind == ArtificialReply::Kind::kReset) {
    frame = AnswerUnreachable(question, question.link.destination);
  } else {
    const auto bytes =
        Compose(reply, {.request = std::get<UdpDatagram>(question.body).payload,
                        .datagram = true});
    if (!bytes) return false;
    frame = UdpFrame(Back(RouteOf(question)), *bytes);
  }
  if (cycle_.stopped()) {
    held_.Hold(asked->port, Parsed(frame));
  } else {
    outbound_.Emit(asked->port, Side::kGuest, std::move(frame));
  }
  return true;
}

// -- asking again --

bool StubDomain::MayAskAgain() const {
  return cycle_.stopped() && !cycle_.restore_requested();
}

bool StubDomain::Ask(const ListenerStub& stub, Time now) {
  if (stub.kind() == ListenerStub::Kind::kPair) {
    const auto* asked = AskedBy(stub);
    if (asked != nullptr) {
      outbound_.Emit(asked->port, Side::kPeer, asked->frame);
    }
    return asked != nullptr;
  }
  TcpFlow* flow = FlowOf(stub);
  if (flow == nullptr || flow->kept_request().empty()) return false;
  const SendRefusal refusal = flows_->table.SendInGuestsName(
      *flow, flow->kept_request(), now, outbound_);
  // What the peer has not acknowledged is sent again anyway.
  return refusal == SendRefusal::kNone || refusal == SendRefusal::kBusy;
}

void StubDomain::AskAgain(Time now) {
  if (!MayAskAgain()) return;
  std::vector<uint32_t> over;
  for (const uint64_t waiting : stubs_.retries().Until(now)) {
    const auto number = static_cast<uint32_t>(waiting);
    const auto due = stubs_.Change(number, [now](ListenerStub& stub) {
      return stub.retries()->Take(now);
    });
    if (due == Retries::Due::kOver ||
        (due == Retries::Due::kSend && !Ask(*stubs_.Find(number), now))) {
      over.push_back(number);
    }
  }
  for (const uint32_t number : over) TimeOut(number, now);
}

// -- the longest wait is over --

void StubDomain::EndTimedOut(Time now) {
  for (const uint64_t number : stubs_.timeouts().Until(now)) {
    TimeOut(static_cast<uint32_t>(number), now);
  }
}

void StubDomain::TimeOut(uint32_t number, Time now) {
  const ListenerStub& stub = *stubs_.Find(number);
  const uint64_t bytes = stub.Info(FlowOf(stub), now).bytes;
  PlanEffects effects;
  stub.JudgeLate(&effects);
  Alert(number, std::move(effects.alerts), now);
  const bool answered = effects.answer && Answer(stub, *effects.answer, now);
  End(number, SD_TIMED_OUT, bytes, {}, answered);
  Wake(SD_REASON_TIMEOUT, now);
}

}  // namespace stubdomain
