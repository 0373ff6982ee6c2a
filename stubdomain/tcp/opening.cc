// A connection that the guest was opening when it was stopped.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/opening.h"

#include "wire/tcp_frame.h"

namespace stubdomain {

Opening::Opening(Connection* connection, Time now)
    : connection_(connection), deadline_(now + timeout_.value()) {}

// RFC 9293, 3.10.7.3.
bool Opening::OnPeer(const Packet& packet, const TcpSegment& segment) {
  const Stream& guest = connection_->guest;
  if (refused_ || !ChecksumOk(packet)) return false;
  if (segment.has(kAck) &&
      (segment.ack <= guest.isn || segment.ack > guest.next)) {
    return false;
  }
  if (segment.has(kRst)) {
    if (!segment.has(kAck)) return false;
    connection_->NoteLink(Side::kPeer, packet.link);
    refused_ = true;
    deadline_ = kNever;
    return false;
  }
  if (!segment.has(kSyn)) return false;
  connection_->Observe(Side::kPeer, packet, segment);
  return true;
}

void Opening::OnTimer(Time now, Output& output) {
  if (now < deadline_) return;
  output.Emit(connection_->port, Side::kPeer,
              TcpFrame(connection_->RouteTo(Side::kPeer),
                       connection_->SynOf(Side::kGuest), 0)
                  .Finish());
  timeout_.BackOff();
  deadline_ = now + timeout_.value();
}

void Opening::Leave(Output& output) {
  if (!refused_) return;
  TcpFields fields;
  fields.ack = connection_->guest.next;
  fields.flags = kRst | kAck;
  output.Emit(connection_->port, Side::kGuest,
              TcpFrame(connection_->RouteTo(Side::kGuest), fields, 0).Finish());
  connection_->peer_reset = true;
}

void Opening::Save(Writer& writer) const { writer.Bool(refused_); }

void Opening::Load(Reader& reader) {
  refused_ = reader.Bool();
  if (refused_) deadline_ = kNever;
}

}  // namespace stubdomain
