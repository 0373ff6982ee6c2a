// The stub in the path of a connection: the frames that it makes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <utility>

#include "tcp/adoption.h"

namespace stubdomain {
namespace {

constexpr uint32_t kMaxWindow = 65535;
// An IP packet is at most 65535 bytes long; this leaves room for the longest
// headers of IPv4 or IPv6 and TCP.
constexpr uint32_t kMaxGsoPayload = 65535 - 40 - 60;
// What the timestamps take of each segment, padded.
constexpr uint32_t kTimestampsPadded = 12;

// The fields of a segment that begins before what is urgent ends.
void MarkUrgent(std::optional<Seq> end, TcpFields* fields) {
  constexpr uint32_t kMaxPointer = 65535;
  if (!end || Distance(fields->seq, *end) == 0 ||
      Distance(fields->seq, *end) > kMaxPointer) {
    return;
  }
  fields->flags |= kUrg;
  fields->urgent = static_cast<uint16_t>(Distance(fields->seq, *end));
}

uint16_t WindowField(uint32_t window, uint8_t shift) {
  return static_cast<uint16_t>(std::min(window >> shift, kMaxWindow));
}

}  // namespace

// -- to the peer, in the guest's name --

TcpFields Adoption::FieldsForPeer(Seq seq, Seq edge) const {
  TcpFields fields;
  fields.seq = seq;
  fields.ack = receiver_.next();
  fields.flags = congested_ ? kAck | kEce : kAck;
  fields.window = WindowField(Distance(receiver_.next(), edge),
                              connection_->window_shift(Side::kGuest));
  if (connection_->timestamps()) {
    fields.options.timestamps =
        Timestamps{connection_->guest.last.value, receiver_.timestamp()};
  }
  if (connection_->sack()) fields.options.sack = receiver_.Sack();
  return fields;
}

void Adoption::SendToPeer(const TcpFields& fields, Output& output) {
  output.Emit(connection_->port, Side::kPeer,
              TcpFrame(connection_->RouteTo(Side::kPeer), fields, 0).Finish());
  receiver_.Acknowledged();
}

void Adoption::SendAck(Output& output) {
  receiver_.Promise(DesiredEdge());
  // A probe byte of the guest may lie beyond the peer's window; a segment
  // there would not be looked at.
  const Stream& guest = connection_->guest;
  const Seq seq = Earlier(guest.next, guest.edge);
  SendToPeer(FieldsForPeer(seq, receiver_.edge()), output);
}

void Adoption::Refuse(Output& output) {
  TcpFields fields = FieldsForPeer(connection_->guest.next, receiver_.edge());
  fields.flags = kRst | kAck;
  fields.options.sack = {};
  SendToPeer(fields, output);
}

// Where the peer expects nothing, so that it must answer (RFC 9293, 3.8.4).
void Adoption::SendKeepalive(Output& output) {
  const Seq seq = connection_->guest.acked_seq() - 1;
  SendToPeer(FieldsForPeer(seq, receiver_.edge()), output);
}

void Adoption::SendSynToPeer(Output& output) {
  TcpFields fields = connection_->SynOf(Side::kGuest);
  // What was a SYN is a SYN-ACK once the peer's has come; ECN was not agreed
  // on then.
  if ((fields.flags & kAck) == 0) fields.flags = kSyn | kAck;
  fields.ack = receiver_.next();
  if (fields.options.timestamps) {
    fields.options.timestamps->echo = receiver_.timestamp();
  }
  SendToPeer(fields, output);
}

void Adoption::Forward(const Packet& packet, Output& output) {
  receiver_.Promise(DesiredEdge());
  const TcpFields fields = FieldsForPeer(Seq(), receiver_.edge());
  TcpRewrite rewrite;
  rewrite.ack = fields.ack;
  rewrite.window = fields.window;
  rewrite.timestamp_echo = receiver_.timestamp();
  output.Emit(connection_->port, Side::kPeer, RewriteTcp(packet, rewrite));
  if (packet.tcp()->has(kAck)) receiver_.Acknowledged();
}

Sender::Supply Adoption::SupplyForPeer() const {
  const Stream& guest = connection_->guest;
  Sender::Supply supply;
  supply.end = connection_->resendable();
  supply.edge = guest.edge;
  supply.fin = guest.fin_seen() && supply.end == guest.fin_seq() + 1;
  supply.segment = SegmentSize();
  supply.burst = supply.segment;
  if (guest.acked == 0) {
    // The SYN goes alone.
    supply.end = guest.SeqAt(1);
    supply.edge = supply.end;
    supply.fin = false;
  }
  return supply;
}

void Adoption::Resend(Time now, Output& output) {
  // As a rule there is nothing to send again, and with every frame one asks.
  const Stream& guest = connection_->guest;
  if (guest.next == guest.acked_seq() && resender_.Deadline() == kNever) return;
  const auto supply = SupplyForPeer();
  while (const auto piece = resender_.Next(supply)) {
    if (!output.HasRoom(connection_->port, Side::kPeer)) {
      held_up_ = true;
      return;
    }
    if (connection_->guest.acked == 0) {
      SendSynToPeer(output);
      resender_.Sent(*piece, now);
      continue;
    }
    const bool last = piece->end == supply.end;
    const bool fin = last && supply.fin;
    const uint32_t size = piece->length() - (fin ? 1 : 0);
    TcpFields fields = FieldsForPeer(piece->begin, receiver_.edge());
    fields.flags |=
        static_cast<uint8_t>((last && size > 0 ? kPsh : 0) | (fin ? kFin : 0));
    if (size > 0) MarkUrgent(connection_->resend->urgent(), &fields);
    fields.options.sack = {};  // the segment is as long as may be without
    TcpFrame frame(connection_->RouteTo(Side::kPeer), fields, size);
    if (size > 0) connection_->resend->Read(piece->begin, frame.payload());
    output.Emit(connection_->port, Side::kPeer, std::move(frame).Finish());
    receiver_.Acknowledged();
    resender_.Sent(*piece, now);
    TouchPeer(now);
  }
  resender_.Wait(supply, now);
}

// -- to the guest, in the peer's name --

TcpFields Adoption::FieldsForGuest(Seq seq, uint8_t flags) const {
  const Stream& guest = connection_->guest;
  TcpFields fields;
  fields.seq = seq;
  fields.ack = guest.acked_seq();
  fields.flags = flags;
  fields.window = WindowField(Distance(guest.acked_seq(), guest.edge),
                              connection_->window_shift(Side::kPeer));
  if (connection_->timestamps()) {
    // The echo is what the peer has echoed, not what the guest sent last: the
    // guest measures the round trip of what is acknowledged with it.
    fields.options.timestamps = connection_->peer.last;
  }
  return fields;
}

Seq Adoption::IdleSeqForGuest() const {
  return Earlier(sender_.highest(), connection_->peer.edge);
}

void Adoption::SendToGuest(Seq seq, uint8_t flags, const SackBlocks& sack,
                           Output& output) {
  TcpFields fields = FieldsForGuest(seq, flags);
  if (connection_->sack()) fields.options.sack = sack;
  output.Emit(connection_->port, Side::kGuest,
              TcpFrame(connection_->RouteTo(Side::kGuest), fields, 0).Finish());
  guest_due_ = false;
}

void Adoption::SendSynToGuest(Output& output) {
  TcpFields fields = connection_->SynOf(Side::kPeer);
  if (connection_->guest.acked > 0) {
    if ((fields.flags & kAck) == 0) fields.flags = kSyn | kAck;
    fields.ack = connection_->guest.acked_seq();
  }
  output.Emit(connection_->port, Side::kGuest,
              TcpFrame(connection_->RouteTo(Side::kGuest), fields, 0).Finish());
  guest_due_ = false;
}

// The payload of a full segment, in both directions.
uint32_t Adoption::SegmentSize() const {
  const uint32_t mss = std::min(connection_->guest.mss, connection_->peer.mss);
  return std::min(mss - (connection_->timestamps() ? kTimestampsPadded : 0),
                  kMaxGsoPayload);
}

Sender::Supply Adoption::SupplyFor(const Output& output) const {
  Sender::Supply supply;
  supply.end = receiver_.next();
  supply.edge = connection_->peer.edge;
  supply.fin = receiver_.fin_received();
  supply.segment = SegmentSize();
  supply.burst = supply.segment;
  // Whoever cuts a GSO frame up would not know where what is urgent ends.
  if (output.OptionsFor(connection_->port, Side::kGuest).gso && !urgent_) {
    supply.burst = kMaxGsoPayload / supply.segment * supply.segment;
  }
  if (connection_->peer.acked == 0) {
    supply.end = connection_->peer.SeqAt(1);
    supply.edge = supply.end;
    supply.fin = false;
  }
  return supply;
}

void Adoption::Replay(Time now, Output& output) {
  const auto supply = SupplyFor(output);
  while (const auto piece = sender_.Next(supply)) {
    if (!output.HasRoom(connection_->port, Side::kGuest)) {
      held_up_ = true;
      return;
    }
    SendPiece(*piece, supply, output);
    sender_.Sent(*piece, now);
  }
  sender_.Wait(supply, now);
  if (reset_ && sender_.acked() == receiver_.next()) {
    SendToGuest(sender_.acked(), kRst | kAck, {}, output);
    reset_ = false;
    connection_->peer_reset = true;
  }
}

void Adoption::SendPiece(SeqRange piece, const Sender::Supply& supply,
                         Output& output) {
  if (connection_->peer.acked == 0) return SendSynToGuest(output);
  const bool last = piece.end == supply.end;
  const bool fin = last && supply.fin;
  const uint32_t size = piece.length() - (fin ? 1 : 0);
  const uint8_t flags = static_cast<uint8_t>(
      kAck | (last && size > 0 ? kPsh : 0) | (fin ? kFin : 0));
  TcpFields fields = FieldsForGuest(piece.begin, flags);
  if (size > 0) MarkUrgent(urgent_, &fields);
  TcpFrame frame(connection_->RouteTo(Side::kGuest), fields, size);
  receiver_.bytes().Read(piece.begin, frame.payload());
  output.Emit(connection_->port, Side::kGuest,
              size > supply.segment ? std::move(frame).FinishGso(
                                          static_cast<uint16_t>(supply.segment))
                                    : std::move(frame).Finish());
  guest_due_ = false;
}

void Adoption::Leave(Time now, Output& output) {
  Settle(now, output);
  const Seq edge = connection_->peer.edge;
  if (!receiver_.fin_received() && (needs_flush() || edge > receiver_.edge())) {
    SendToPeer(FieldsForPeer(connection_->guest.next, edge), output);
  } else if (needs_flush()) {
    SendAck(output);
  }
  connection_->promised = connection_->peer.PositionOf(receiver_.edge());
}

}  // namespace stubdomain
