// The stub domain of one VM: what becomes of each frame.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <utility>

#include "answer/answer.h"
#include "stub_domain.h"
#include "unmatched/description.h"
#include "wire/protocol_numbers.h"

namespace stubdomain {
namespace {

// How far a peer is, as far as the guest would have to know.
struct PeerProgress {
  uint64_t bytes = 0;
  bool closed = false;
  bool reset = false;

  static PeerProgress Of(const TcpFlow* flow) {
    if (flow == nullptr) return {};
    return {flow->peer_bytes(), flow->peer_closed(), flow->peer_reset()};
  }
  friend bool operator==(const PeerProgress&, const PeerProgress&) = default;
};

// Pure acknowledgements and keep-alives can wait, or are sent again.
bool AsksSomething(const TcpSegment& segment) {
  return segment.length() > 0 || segment.has(kRst);
}

}  // namespace

Verdict StubDomain::OnFrame(unsigned port, Side from,
                            std::span<const uint8_t> bytes,
                            const Offload& offload, Time now) {
  now = AdvanceByFrame(now);
  Packet packet;
  const bool malformed = Parse(bytes, offload, &packet) != Malformed::kNo;
  const bool to_stopped_guest = cycle_.stopped() && from == Side::kPeer;
  if (malformed) return to_stopped_guest ? Verdict::kTaken : Verdict::kPass;
  outbound_.Observe({port, Other(from)}, offload);
  if (from == Side::kPeer && IsDuplicate(port, packet, now)) {
    return Verdict::kTaken;
  }
  if (!to_stopped_guest) return OnPassingFrame(port, from, packet, true, now);
  OnFrameToStoppedGuest(port, packet, now);
  return Verdict::kTaken;
}

bool StubDomain::PassHead(unsigned port, std::span<const uint8_t> bytes,
                          size_t head, const Offload& offload, Time now) {
  Packet packet;
  if (cycle_.stopped() || Parse(bytes, offload, &packet) != Malformed::kNo) {
    return false;
  }
  // What was read lies before the payload.
  const TcpSegment* segment = packet.tcp();
  if (segment == nullptr || segment->payload.data() > bytes.data() + head) {
    return false;
  }
  const FlowId id = {
      .guest = {packet.ip->source, segment->source_port},
      .peer = {packet.ip->destination, segment->destination_port}};
  const TcpFlow* flow = flows_->table.Find(port, id);
  if (flow == nullptr || !flow->PassesUnread(packet)) return false;
  now = AdvanceByFrame(now);
  outbound_.Observe({port, Side::kPeer}, offload);
  OnPassingFrame(port, Side::kGuest, packet, false, now);
  return true;
}

Verdict StubDomain::OnPassingFrame(unsigned port, Side from,
                                   const Packet& packet, bool whole, Time now) {
  const TcpSegment* segment = packet.tcp();
  if (from == Side::kGuest) {
    own_addresses_.Learn(port, packet);
    if (std::holds_alternative<UdpDatagram>(packet.body)) {
      NoteQuestion(port, packet);
    }
    if (segment != nullptr) acceptor_.Learn(*packet.ip, *segment);
  } else {
    if (segment != nullptr && acceptor_.serves() &&
        TakeAcknowledgement(port, FlowToGuest(packet), packet, now)) {
      judged_.reset();
      return Verdict::kTaken;
    }
    if (!stubs_.empty() && !NoteArrival(port, packet, now))
      return Verdict::kTaken;
    NoteError(port, packet, now);
  }
  if (segment == nullptr) return PassInOrder(port, from, packet);
  const bool proposed = judged_ && judged_->why != SD_WHY_NOTHING;
  const FlowId id =
      from == Side::kPeer
          ? FlowToGuest(packet)
          : FlowId{{packet.ip->source, segment->source_port},
                   {packet.ip->destination, segment->destination_port}};
  const Standing before =
      proposed ? StandingOf(flows_->table.Find(port, id)) : Standing();
  const auto [verdict, flow] =
      flows_->table.OnFrame(port, from, packet, now, outbound_);
  if (proposed && StandingOf(flow) != before) judged_.reset();
  if (flow != nullptr && from == Side::kGuest) {
    flow->NoteRequest(*segment, whole);
  }
  if (flow != nullptr && flow->awaited()) Settle(*flow, now);
  return verdict;
}

// A datagram does not overtake those that are held for the guest and only wait
// to be dispatched.
Verdict StubDomain::PassInOrder(unsigned port, Side from,
                                const Packet& packet) {
  if (from == Side::kGuest) return Verdict::kPass;
  Frame frame{{packet.frame.begin(), packet.frame.end()}, packet.offload};
  const auto* error = std::get_if<IcmpError>(&packet.body);
  const TcpFlow* flow = error != nullptr && error->protocol == kProtocolTcp
                            ? flows_->table.Find(port, FlowToGuest(packet))
                            : nullptr;
  const bool translated =
      flow != nullptr && flow->TranslateQuote(packet, &frame);
  if (!translated && !outbound_.waiting({port, Side::kGuest})) {
    return Verdict::kPass;
  }
  outbound_.Emit(port, Side::kGuest, std::move(frame));
  return Verdict::kTaken;
}

void StubDomain::OnFrameToStoppedGuest(unsigned port, const Packet& packet,
                                       Time now) {
  if (packet.tcp() != nullptr) {
    OnSegmentToStoppedGuest(port, packet, now);
  } else if (auto answer = AnswerFor(own_addresses_, port, packet)) {
    outbound_.Emit(port, Side::kPeer, std::move(*answer));
  } else if (std::holds_alternative<UdpDatagram>(packet.body)) {
    if (!HoldAwaited(ListenerStub::Kind::kPair, port, packet,
                     *PairEnding(packet), now)) {
      HoldUnanswerable(port, packet, now);
    }
  } else if (std::holds_alternative<IcmpError>(packet.body)) {
    OnErrorToStoppedGuest(port, packet, now);
  } else if (std::holds_alternative<Fragment>(packet.body)) {
    OnFragmentToStoppedGuest(port, packet, now);
  }
}

void StubDomain::OnSegmentToStoppedGuest(unsigned port, const Packet& packet,
                                         Time now) {
  const FlowId id = FlowToGuest(packet);
  if (TakeHandshake(port, packet, now)) return;
  const auto before = PeerProgress::Of(flows_->table.Find(port, id));
  const auto [verdict, flow] =
      flows_->table.OnFrame(port, Side::kPeer, packet, now, outbound_);
  if (verdict == Verdict::kPass) {
    const bool connects = packet.tcp()->has(kSyn) && !packet.tcp()->has(kAck);
    if (connects && HoldAwaited(ListenerStub::Kind::kHold, port, packet,
                                {SD_REPLIED, SD_REASON_REPLY, 0}, now)) {
      return;
    }
    if (AsksSomething(*packet.tcp())) HoldUnanswerable(port, packet, now);
    return;
  }
  if (flow == nullptr) return;
  const bool unmatched = !flow->awaited() &&
                         stubs_.answered_by_flow().On(*flow).empty() &&
                         PeerProgress::Of(flow) != before;
  if (flow->awaited()) Settle(*flow, now);
  if (unmatched) OnUnmatched(packet, now);
  if (flow->full()) RequestRestore(SD_REASON_BUFFER, now);
}

void StubDomain::HoldUnanswerable(unsigned port, const Packet& packet,
                                  Time now) {
  if (!own_addresses_.IsFor(port, packet.link) || !ChecksumOk(packet)) return;
  // A guest that is about to run gets it soon.
  if (config_.unmatched == SD_UNMATCHED_RESTORE || cycle_.restore_requested()) {
    held_.Hold(port, packet);
  }
  OnUnmatched(packet, now);
}

void StubDomain::OnUnmatched(const Packet& packet, Time now) {
  // A guest that is about to run is not woken by this.
  if (config_.unmatched == SD_UNMATCHED_IGNORE || cycle_.restore_requested()) {
    return;
  }
  if (unmatched_limit_.Allow(now)) {
    notices_.push_back(UnmatchedCame{Describe(packet)});
  }
  if (config_.unmatched == SD_UNMATCHED_RESTORE) {
    RequestRestore(SD_REASON_UNMATCHED, now);
  }
}

}  // namespace stubdomain
