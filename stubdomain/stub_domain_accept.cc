// The stub domain of one VM: connections and datagrams that a wait names.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <limits>

#include "stub_domain.h"
#include "wire/protocol_numbers.h"

namespace stubdomain {
namespace {

bool IsFirstSyn(const TcpSegment& segment) {
  return segment.has(kSyn) && !segment.has(kAck) && !segment.has(kRst);
}

// The flow is one that segments between its ends are of; with anything less,
// they may be of another.
bool IsAlive(const TcpFlow* flow) {
  return flow != nullptr && !flow->closed() &&
         (flow->answered() || flow->phase() != Phase::kFollowing);
}

}  // namespace

uint16_t StubDomain::AnswerWindow() const {
  return static_cast<uint16_t>(std::min<uint64_t>(
      config_.flow_buffer, std::numeric_limits<uint16_t>::max()));
}

// What a frame about a UDP pair ends a wait on it by; nothing: it is of another
// kind, or in pieces of which this is not the first.
std::optional<Ending> StubDomain::PairEnding(const Packet& packet) {
  if (const auto* datagram = std::get_if<UdpDatagram>(&packet.body)) {
    return Ending{SD_REPLIED, SD_REASON_REPLY, datagram->payload.size()};
  }
  if (const auto* fragment = std::get_if<Fragment>(&packet.body)) {
    if (!fragment->first || fragment->protocol != kProtocolUdp) return {};
    return Ending{SD_REPLIED, SD_REASON_REPLY, 0};
  }
  if (const auto* error = std::get_if<IcmpError>(&packet.body)) {
    if (error->protocol != kProtocolUdp) return {};
    return Ending{SD_RESET, SD_REASON_REPLY, 0};
  }
  return {};
}

bool StubDomain::NoteArrival(unsigned port, const Packet& packet, Time now) {
  const TcpSegment* segment = packet.tcp();
  const ListenerStub* stub = nullptr;
  Ending ending{SD_REPLIED, SD_REASON_REPLY, 0};
  if (segment != nullptr) {
    if (!IsFirstSyn(*segment)) return true;
    const FlowId id = FlowToGuest(packet);
    stub = stubs_.by_flow().FindFor(ListenerStub::Kind::kHold, port, id);
    if (stub == nullptr) {
      stub = stubs_.by_flow().FindFor(ListenerStub::Kind::kAnswer, port, id);
    }
  } else if (const auto of_pair = PairEnding(packet)) {
    stub = stubs_.by_flow().FindFor(ListenerStub::Kind::kPair, port,
                                    FlowToGuest(packet));
    ending = *of_pair;
  }
  if (stub == nullptr || !ChecksumOk(packet)) return true;
  return OnAwaited(*stub, port, packet, ending, now);
}

bool StubDomain::OnAwaited(const ListenerStub& stub, unsigned port,
                           const Packet& packet, const Ending& ending,
                           Time now) {
  const auto* datagram = std::get_if<UdpDatagram>(&packet.body);
  const auto* error = std::get_if<IcmpError>(&packet.body);
  if (!stub.watches() || (datagram == nullptr && error == nullptr)) {
    EndAndWake(stub.number(), ending, now);
    return true;
  }
  PlanEffects effects;
  const Means means = MeansOf(stub);
  const auto by_plan = stubs_.Change(stub.number(), [&](ListenerStub& wait) {
    return error != nullptr
               ? wait.JudgeError(error->why, nullptr, means, now, &effects)
               : wait.JudgeDatagram(datagram->payload, means, now, &effects);
  });
  Alert(stub.number(), std::move(effects.alerts), now);
  for (const std::string& bytes : effects.sent) Send(stub, bytes, now);
  const bool answered = effects.answer && Answer(stub, *effects.answer, now);
  if (by_plan) {
    const Retries* retries = stub.retries();
    if (retries != nullptr && datagram != nullptr) {
      duplicates_.Expect(port, FlowToGuest(packet), datagram->payload,
                         stub.ReadsDns(), retries->made(), now);
    }
    EndAndWake(stub.number(), *by_plan, now);
  }
  return effects.edits.empty() && !answered;
}

bool StubDomain::HoldAwaited(ListenerStub::Kind kind, unsigned port,
                             const Packet& packet, const Ending& ending,
                             Time now) {
  const FlowId id = FlowToGuest(packet);
  const ListenerStub* stub = stubs_.by_flow().FindFor(kind, port, id);
  // More of what was awaited, for a guest that was not woken by the first.
  const bool more = stub == nullptr && stubs_.answered_by_flow().FindFor(
                                           kind, port, id) != nullptr;
  if ((stub == nullptr && !more) || !own_addresses_.IsFor(port, packet.link) ||
      !ChecksumOk(packet)) {
    return false;
  }
  if (more || OnAwaited(*stub, port, packet, ending, now))
    held_.Hold(port, packet);
  return true;
}

// RFC 1122, 4.2.3.9: an error about a connection need not end it, so it does
// not wake the guest either, unless a plan says so.
void StubDomain::OnErrorToStoppedGuest(unsigned port, const Packet& packet,
                                       Time now) {
  if (const auto ending = PairEnding(packet)) {
    HoldAwaited(ListenerStub::Kind::kPair, port, packet, *ending, now);
    return;
  }
  TcpFlow* flow = flows_->table.Find(port, FlowToGuest(packet));
  if (flow == nullptr || !own_addresses_.IsFor(port, packet.link) ||
      !ChecksumOk(packet)) {
    return;
  }
  const auto& error = std::get<IcmpError>(packet.body);
  if (!flow->IsUnderWay(error)) return;
  flow->OnError(error);
  held_errors_.Hold(port, packet);
  if (flow->awaited()) Settle(*flow, now, error.why);
}

void StubDomain::NoteError(unsigned port, const Packet& packet, Time now) {
  const auto* error = std::get_if<IcmpError>(&packet.body);
  if (error == nullptr || error->protocol != kProtocolTcp) return;
  TcpFlow* flow = flows_->table.Find(port, FlowToGuest(packet));
  if (flow != nullptr && flow->awaited() && flow->IsUnderWay(*error) &&
      ChecksumOk(packet)) {
    Settle(*flow, now, error->why);
  }
}

void StubDomain::OnFragmentToStoppedGuest(unsigned port, const Packet& packet,
                                          Time now) {
  if (const auto ending = PairEnding(packet);
      ending &&
      HoldAwaited(ListenerStub::Kind::kPair, port, packet, *ending, now)) {
    return;
  }
  // The others of a datagram that is held, or is not; no one can tell.
  HoldUnanswerable(port, packet, now);
}

// The guest gets what it would have got, had it been running.
void StubDomain::PassOnErrors() {
  held_errors_.PassOn(outbound_, [this](unsigned port, Frame* frame) {
    Packet packet;
    Parse(frame->bytes, frame->offload, &packet);
    const TcpFlow* flow = flows_->table.Find(port, FlowToGuest(packet));
    if (flow != nullptr) flow->TranslateQuote(packet, frame);
  });
}

bool StubDomain::TakeHandshake(unsigned port, const Packet& packet, Time now) {
  const FlowId id = FlowToGuest(packet);
  return IsFirstSyn(*packet.tcp())
             ? TakeSyn(port, id, packet, now)
             : acceptor_.serves() && TakeAcknowledgement(port, id, packet, now);
}

bool StubDomain::TakeSyn(unsigned port, const FlowId& id, const Packet& packet,
                         Time now) {
  const ListenerStub* stub =
      stubs_.by_flow().FindFor(ListenerStub::Kind::kAnswer, port, id);
  const MacAddress* mac =
      own_addresses_.Find(port, packet.link, id.guest.address);
  if (stub == nullptr || mac == nullptr || *mac != packet.link.destination ||
      IsAlive(flows_->table.Find(port, id)) || !ChecksumOk(packet)) {
    return false;
  }
  outbound_.Emit(
      port, Side::kPeer,
      acceptor_.Answer(id, packet, stub->guest_port(), AnswerWindow(), now));
  return true;
}

bool StubDomain::TakeAcknowledgement(unsigned port, const FlowId& id,
                                     const Packet& packet, Time now) {
  if (IsAlive(flows_->table.Find(port, id)) || !ChecksumOk(packet)) {
    return false;
  }
  const auto accepted = acceptor_.Check(id, packet, AnswerWindow(), now);
  // Without a flow it may be a later segment of a peer whose acknowledgement
  // was lost or comes late. A guest would reset it; the peer sends it again,
  // behind one that is known.
  if (!accepted) {
    return acceptor_.Serves(id.guest, now) &&
           flows_->table.Find(port, id) == nullptr;
  }
  if (flows_->table.unknown_to_guest() >= config_.max_accepted) {
    // The guest can make room. The peer sends this again.
    const ListenerStub* stub =
        stubs_.by_flow().FindFor(ListenerStub::Kind::kAnswer, port, id);
    if (stub != nullptr) {
      EndAndWake(stub->number(), {SD_REPLIED, SD_REASON_BUFFER, 0}, now);
    }
    return true;
  }
  TcpFlow* flow =
      flows_->table.Accept(port, id, accepted->answered, accepted->guest_port,
                           packet, now, outbound_);
  if (flow == nullptr) return true;
  UpdateAwaited(*flow);
  if (flow->awaited()) Settle(*flow, now);
  LetGo(now);
  return true;
}

}  // namespace stubdomain
