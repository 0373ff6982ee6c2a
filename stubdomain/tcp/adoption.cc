// The stub in the path of a connection: what comes, and what follows from it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/adoption.h"

#include <algorithm>

namespace stubdomain {
namespace {

std::optional<Seq> FinOf(const Stream& stream) {
  if (!stream.fin_seen()) return std::nullopt;
  return stream.fin_seq();
}

}  // namespace

Adoption::Adoption(Connection* connection, Guest guest,
                   const FlowConfig* config, BufferBudget* budget, Time now)
    : connection_(connection),
      config_(config),
      guest_(guest),
      receiver_(
          connection->peer.SeqAt(std::max<uint64_t>(connection->peer.acked, 1)),
          connection->peer_edge(), FinOf(connection->peer),
          connection->window_shift(Side::kGuest), connection->peer.last.value,
          budget, now),
      sender_(Sender::Way::kToGuest, connection->peer.acked_seq(),
              connection->peer.next),
      resender_(Sender::Way::kToPeer, connection->guest.acked_seq(),
                connection->guest.next),
      first_window_(
          Distance(connection->peer.acked_seq(), connection->peer.edge)),
      added_(connection->guest.acked_seq()) {
  // The guest owes the peer the last acknowledgement of the handshake.
  if (connection->peer.acked == 0) receiver_.Demand(Receiver::Due::kNow);
  resender_.Assume(now);
  TouchPeer(now);
}

void Adoption::Pause(Time now) {
  guest_ = Guest::kStopped;
  held_up_ = false;
  sender_.Restart();
  resender_ = Sender(Sender::Way::kToPeer, connection_->guest.acked_seq(),
                     connection_->guest.next);
  resender_.Assume(now);
  OfferWindow();
}

void Adoption::Resume(Guest guest, Time now, Output& output) {
  guest_ = guest;
  sender_.Restart();
  OfferWindow();
  Settle(now, output);
}

void Adoption::Added(Time now, Output& output) {
  added_ = connection_->guest.next;
  Settle(now, output);
}

void Adoption::Attach(Time now, Output& output) {
  // Its handshake must be answered even if there is nothing to send.
  guest_due_ = true;
  Resume(Guest::kReady, now, output);
}

// RFC 9293, 3.10.7.4, with the blind-attack checks of RFC 5961 and the
// timestamp check of RFC 7323.
void Adoption::OnPeer(const Packet& packet, const TcpSegment& segment, Time now,
                      Output& output) {
  if (reset_ || !ChecksumOk(packet)) return;
  if (severed_) return OnSevered(segment, now, output);
  const bool rst = segment.has(kRst);
  if (segment.has(kSyn) && !rst) {
    OnSynOfPeer(packet, segment, now, output);
  } else if (!rst && connection_->timestamps() &&
             receiver_.Outdated(segment, now)) {
    ChallengePeer(now);
  } else if (!receiver_.Acceptable(segment)) {
    if (rst) return;
    receiver_.NoteDuplicate(segment);
    ChallengePeer(now);
  } else if (rst) {
    reset_ = segment.seq == receiver_.next();
    if (!reset_) ChallengePeer(now);
  } else if (!segment.has(kAck)) {
    return;
  } else if (!AckIsAcceptable(segment.ack)) {
    ChallengePeer(now);
  } else {
    connection_->NoteLink(Side::kPeer, packet.link);
    connection_->NoteTimestamps(Side::kPeer, segment);
    const Stream& guest = connection_->guest;
    const bool news = connection_->NoteAck(Side::kPeer, segment);
    guest_due_ |= news;
    if (guest.acked_seq() > resender_.acked()) {
      resender_.OnAck(guest.acked_seq(), now);
    }
    // The guest needs these to see a loss at once.
    const bool duplicate = !news && segment.length() == 0 &&
                           segment.ack == guest.acked_seq() &&
                           guest.next > guest.acked_seq();
    if (duplicate && guest_runs()) {
      SendToGuest(IdleSeqForGuest(), kAck, segment.options.sack, output);
    } else if (duplicate && resender_.in_flight()) {
      resender_.OnDuplicateAck();
    }
    NoteMarks(packet, segment);
    receiver_.NoteDuplicate(segment);
    receiver_.Take(segment,
                   {.mss = SegmentSize(),
                    .max_ranges = config_->max_ranges,
                    .sent = connection_->peer.next},
                   now);
    NotePeer();
    TouchPeer(now);
  }
  OfferWindow();
  Settle(now, output);
}

// RFC 5961, 5.2: nothing that was not sent, and nothing older than the widest
// window. Before the guest's SYN is acknowledged, nothing less (RFC 9293,
// 3.10.7.4, SYN-RECEIVED).
bool Adoption::AckIsAcceptable(Seq ack) const {
  const Stream& guest = connection_->guest;
  const uint32_t widest = uint32_t{65535}
                          << connection_->window_shift(Side::kPeer);
  return ack <= guest.next && ack + widest >= guest.acked_seq() &&
         (guest.acked > 0 || ack > guest.isn);
}

// What a segment says beside its bytes: congestion, urgency.
void Adoption::NoteMarks(const Packet& packet, const TcpSegment& segment) {
  if (connection_->ecn() && !segment.payload.empty()) {
    if (segment.has(kCwr)) congested_ = false;
    if (packet.ip->ecn == kCongestionExperienced) congested_ = true;
  }
  if (segment.has(kUrg)) {
    const Seq end = segment.seq + segment.urgent;
    if (end > receiver_.bytes().begin()) {
      urgent_ = urgent_ ? Later(*urgent_, end) : end;
    }
  }
}

// The peer lacks the guest's SYN-ACK, or both sides begin at once; else it is a
// challenge (RFC 5961, 4.2).
void Adoption::OnSynOfPeer(const Packet& packet, const TcpSegment& segment,
                           Time now, Output& output) {
  const bool repeated = segment.seq == connection_->peer.isn;
  if (connection_->guest.acked > 0 || !repeated) return ChallengePeer(now);
  if (segment.has(kAck)) {
    if (!AckIsAcceptable(segment.ack)) return;
    connection_->NoteLink(Side::kPeer, packet.link);
    connection_->NoteTimestamps(Side::kPeer, segment);
    guest_due_ |= connection_->NoteAck(Side::kPeer, segment);
    resender_.OnAck(connection_->guest.acked_seq(), now);
    receiver_.Demand(Receiver::Due::kNow);
  } else if (peer_challenges_.Allow(now)) {
    SendSynToPeer(output);
  }
}

// What the guest has sent before it was stopped may still come while it is.
void Adoption::OnGuest(const Packet& packet, const TcpSegment& segment,
                       Time now, Output& output) {
  if (!ChecksumOk(packet)) return;
  const Stream& guest = connection_->guest;
  if (segment.has(kSyn)) {
    // It lacks an answer that the stub has, or is still to give.
    if (segment.seq != guest.isn || !guest_runs()) return;
    if (segment.has(kAck)) TakeAck(segment, now);
    if (guest.acked > 0 && connection_->peer.acked > 0) ChallengeGuest(now);
    Settle(now, output);
    return;
  }
  if (!connection_->Plausible(Side::kGuest, segment)) {
    ChallengeGuest(now);
    Settle(now, output);
    return;
  }
  connection_->NoteLink(Side::kGuest, packet.link);
  connection_->NoteTimestamps(Side::kGuest, segment);
  if (segment.has(kRst)) {
    if (!reset_) Forward(packet, output);
    connection_->guest_reset = true;
    return;
  }
  if (!segment.has(kAck)) return;
  TakeAck(segment, now);
  if (segment.length() == 0) {
    // Not where new data would go on: it asks whether the peer is there, and
    // with a closed window, whether it still is.
    if (segment.seq != guest.next) {
      ChallengeGuest(now);
      if (!reset_ && guest.edge == guest.acked_seq()) Forward(packet, output);
    }
  } else if (reset_ || segment.end() <= guest.acked_seq() ||
             (added() && segment.seq < added_) ||
             !connection_->NoteSent(Side::kGuest, segment)) {
    if (!reset_) ChallengeGuest(now);
  } else {
    Forward(packet, output);
    resender_.Sent({segment.seq, segment.end()}, now);
    TouchPeer(now);
  }
  OfferWindow();
  Settle(now, output);
}

// What the guest acknowledges of the peer's bytes.
void Adoption::TakeAck(const TcpSegment& segment, Time now) {
  if (segment.ack > connection_->peer.next) {
    ChallengeGuest(now);
    return;
  }
  const bool news = connection_->NoteAck(Side::kGuest, segment);
  if (segment.ack > sender_.acked()) {
    sender_.OnAck(segment.ack, now);
    receiver_.Release(segment.ack);
    if (urgent_ && *urgent_ <= segment.ack) urgent_.reset();
    NotePeer();
  } else if (!news && segment.length() == 0 && segment.ack == sender_.acked() &&
             sender_.in_flight()) {
    sender_.OnDuplicateAck();
  }
}

void Adoption::Flush(Time now, Output& output) {
  if (needs_flush()) SendAck(output);
  Settle(now, output);
}

Time Adoption::Deadline() const {
  if (!hears_peer()) {
    return guest_ == Guest::kReady ? sender_.Deadline() : kNever;
  }
  Time deadline = keepalive_;
  if (resends()) deadline = std::min(deadline, resender_.Deadline());
  if (guest_ == Guest::kReady)
    deadline = std::min(deadline, sender_.Deadline());
  return deadline;
}

void Adoption::OnTimer(Time now, Output& output) {
  if (hears_peer() && now >= keepalive_) {
    SendKeepalive(output);
    TouchPeer(now);
  }
  if (resends() && now >= resender_.Deadline()) {
    if (!output.HasRoom(connection_->port, Side::kPeer)) {
      resender_.Postpone(now);
    } else if (resender_.OnTimer(SegmentSize(), now) ==
               Sender::Expired::kProbe) {
      SendKeepalive(output);
      TouchPeer(now);
    }
  }
  if (guest_ == Guest::kReady && now >= sender_.Deadline()) {
    if (!output.HasRoom(connection_->port, Side::kGuest)) {
      sender_.Postpone(now);
    } else if (sender_.OnTimer(SegmentSize(), now) == Sender::Expired::kProbe) {
      SendToGuest(connection_->peer.acked_seq() - 1, kAck, {}, output);
    }
  }
  Settle(now, output);
}

bool Adoption::level() const {
  return !reset_ && receiver_.bytes().empty() &&
         sender_.acked() == receiver_.next();
}

uint64_t Adoption::kept() const {
  return uint64_t{receiver_.bytes().ready()} + receiver_.bytes().early();
}

bool Adoption::full() const {
  if (receiver_.fin_received() || !hears_peer()) return false;
  const auto buffer =
      static_cast<uint32_t>(std::min(config_->buffer, kMaxFlowBuffer));
  const Seq end =
      Earlier(receiver_.bytes().begin() + buffer, receiver_.Reachable());
  return Distance(receiver_.next(), Later(end, receiver_.limit())) <
         SegmentSize();
}

// How far the peer should be allowed to send. While the guest is away, more and
// more the faster it sends; then no further than the guest itself allows, so
// that the two become level.
Seq Adoption::DesiredEdge() const {
  const Seq next = receiver_.next();
  const auto buffer =
      static_cast<uint32_t>(std::min(config_->buffer, kMaxFlowBuffer));
  const uint32_t widest =
      std::min(Distance(next, receiver_.bytes().begin() + buffer),
               uint32_t{65535} << connection_->window_shift(Side::kGuest));
  if (guest_ == Guest::kReady) {
    const uint32_t window = Distance(next, connection_->peer.edge);
    return Later(receiver_.edge(), next + std::min(window, widest));
  }
  const uint32_t window = std::min(
      widest, std::max(first_window_, kMinWindow) + receiver_.bytes().ready());
  // A window that is still wide is left as the guest has promised it, so that a
  // short reply leaves nothing to be caught up with.
  if (Distance(next, receiver_.edge()) >= window / 2) return receiver_.edge();
  return Later(receiver_.edge(), next + window);
}

// The peer is told of enough more room (RFC 9293, 3.8.6.2.2).
bool Adoption::WorthTelling(Seq edge) const {
  if (!hears_peer() || receiver_.fin_received()) return false;
  const uint32_t enough = 2 * SegmentSize();
  const uint32_t gain = Distance(receiver_.edge(), edge);
  const uint32_t left = Distance(receiver_.next(), receiver_.edge());
  const uint32_t half =
      std::max(Distance(receiver_.next(), connection_->peer.edge) / 2, 1u);
  return guest_ == Guest::kReady ? gain >= std::min(enough, half)
                                 : gain >= enough && left < enough;
}

void Adoption::OfferWindow() {
  if (WorthTelling(Earlier(DesiredEdge(), receiver_.Reachable()))) {
    receiver_.Demand(Receiver::Due::kLater);
  }
}

void Adoption::Feed() {
  if (receiver_.lacking()) receiver_.Feed();
  OfferWindow();
}

bool Adoption::starved() const {
  if (receiver_.lacking()) return true;
  const Seq desired = DesiredEdge();
  return desired > receiver_.limit() && WorthTelling(desired) &&
         !WorthTelling(Earlier(desired, receiver_.Reachable()));
}

// Keeps what is known of the peer's stream in step with what was taken of it.
void Adoption::NotePeer() {
  Stream& peer = connection_->peer;
  if (receiver_.fin()) peer.fin = peer.PositionOf(*receiver_.fin());
  peer.next = Later(peer.next, receiver_.last());
  peer.seen = std::max(peer.seen, peer.PositionOf(receiver_.next()));
}

// Demands an answer to a segment that does not fit, within limits: two sides
// that disagree would otherwise answer each other forever.
void Adoption::ChallengePeer(Time now) {
  if (peer_challenges_.Allow(now)) receiver_.Demand(Receiver::Due::kNow);
}

void Adoption::ChallengeGuest(Time now) {
  if (guest_challenges_.Allow(now)) guest_due_ = true;
}

void Adoption::TouchPeer(Time now) {
  const bool wanted =
      config_->keepalive > Duration::zero() && !connection_->closed();
  keepalive_ = wanted ? now + config_->keepalive : kNever;
}

std::optional<Side> Adoption::held_up() const {
  if (!held_up_) return std::nullopt;
  return guest_runs() ? Side::kGuest : Side::kPeer;
}

void Adoption::Settle(Time now, Output& output) {
  held_up_ = false;
  if (hears_peer() && receiver_.due() == Receiver::Due::kNow) SendAck(output);
  if (resends()) Resend(now, output);
  if (guest_ == Guest::kReady) Replay(now, output);
  // To a guest without the peer's SYN an acknowledgement means nothing.
  if (guest_due_ && guest_runs() && connection_->peer.acked > 0) {
    SendToGuest(IdleSeqForGuest(), kAck, {}, output);
  }
}

void Adoption::Save(Writer& writer) const {
  writer.U8(static_cast<uint8_t>(guest_));
  writer.Bool(reset_);
  writer.Bool(severed_);
  writer.Bool(guest_due_);
  writer.Bool(congested_);
  writer.Bool(urgent_.has_value());
  writer.Put(urgent_.value_or(Seq()));
  writer.U32(first_window_);
  writer.Put(sender_.highest());
  writer.Put(added_);
  receiver_.Save(writer);
}

bool Adoption::Load(Reader& reader, Time now) {
  const uint8_t guest = reader.U8();
  if (guest > static_cast<uint8_t>(Guest::kReady)) return reader.Fail();
  guest_ = static_cast<Guest>(guest);
  reset_ = reader.Bool();
  severed_ = reader.Bool();
  guest_due_ = reader.Bool();
  congested_ = reader.Bool();
  const bool urgent = reader.Bool();
  const Seq urgent_end = reader.GetSeq();
  if (urgent) urgent_ = urgent_end;
  first_window_ = reader.U32();
  const Seq highest = reader.GetSeq();
  added_ = reader.GetSeq();
  const Stream& peer = connection_->peer;
  if (first_window_ > kMaxFlowBuffer || highest < peer.acked_seq() ||
      highest > peer.next || added_ > connection_->guest.next) {
    return reader.Fail();
  }
  sender_ = Sender(Sender::Way::kToGuest, peer.acked_seq(), highest);
  if (guest_ == Guest::kReady) sender_.Resume(now);
  const auto bound = static_cast<uint32_t>(kMaxFlowBuffer);
  if (!receiver_.Load(reader, peer.acked_seq() + bound)) return false;
  // The bytes must agree with what is known of the stream.
  if (receiver_.last() > peer.next ||
      peer.PositionOf(receiver_.next()) > peer.seen) {
    return reader.Fail();
  }
  TouchPeer(now);
  return true;
}

}  // namespace stubdomain
