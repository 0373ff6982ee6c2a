// The stub domain of one VM: connections and datagrams that a wait names.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <limits>

#include "stub_domain.h"

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

void StubDomain::NoteArrival(const Packet& packet, Time now) {
  const TcpSegment* segment = packet.tcp();
  const auto* datagram = std::get_if<UdpDatagram>(&packet.body);
  const ListenerStub* stub = nullptr;
  uint64_t bytes = 0;
  if (segment != nullptr && IsFirstSyn(*segment)) {
    const FlowId id = FlowToGuest(packet);
    stub = stubs_.FindFor(ListenerStub::Kind::kHold, id);
    if (stub == nullptr) {
      stub = stubs_.FindFor(ListenerStub::Kind::kAnswer, id);
    }
  } else if (datagram != nullptr) {
    stub = stubs_.FindFor(ListenerStub::Kind::kPair, FlowToGuest(packet));
    bytes = datagram->payload.size();
  }
  if (stub == nullptr || !ChecksumOk(packet)) return;
  EndAndWake(stub->number(), {SD_REPLIED, SD_REASON_REPLY, bytes}, now);
}

bool StubDomain::HoldAwaited(ListenerStub::Kind kind, unsigned port,
                             const Packet& packet, uint64_t bytes, Time now) {
  const ListenerStub* stub = stubs_.FindFor(kind, FlowToGuest(packet));
  if (stub == nullptr || !own_addresses_.IsFor(port, packet.link) ||
      !ChecksumOk(packet)) {
    return false;
  }
  held_.Hold(port, packet);
  EndAndWake(stub->number(), {SD_REPLIED, SD_REASON_REPLY, bytes}, now);
  return true;
}

bool StubDomain::TakeHandshake(unsigned port, const Packet& packet, Time now) {
  const FlowId id = FlowToGuest(packet);
  return IsFirstSyn(*packet.tcp())
             ? TakeSyn(port, id, packet, now)
             : acceptor_.serves() && TakeAcknowledgement(port, id, packet, now);
}

bool StubDomain::TakeSyn(unsigned port, const FlowId& id, const Packet& packet,
                         Time now) {
  const ListenerStub* stub = stubs_.FindFor(ListenerStub::Kind::kAnswer, id);
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
    const ListenerStub* stub = stubs_.FindFor(ListenerStub::Kind::kAnswer, id);
    if (stub != nullptr) {
      EndAndWake(stub->number(), {SD_REPLIED, SD_REASON_BUFFER, 0}, now);
    }
    return true;
  }
  TcpFlow* flow =
      flows_->table.Accept(port, id, accepted->answered, accepted->guest_port,
                           packet, now, outbound_);
  if (flow == nullptr) return true;
  flow->set_awaited(stubs_.AnyOn(*flow));
  if (flow->awaited()) Settle(*flow, now);
  if (!cycle_.stopped() && gate_opens_ == kNever) {
    flows_->table.Replay(now, outbound_);
  }
  return true;
}

}  // namespace stubdomain
