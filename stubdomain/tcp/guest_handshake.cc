// Opening a connection to the guest in the peer's name.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/guest_handshake.h"

#include <algorithm>
#include <utility>

#include "wire/tcp_frame.h"

namespace stubdomain {

void GuestHandshake::Start(Time now, Output& output) {
  syns_ = 0;
  timeout_.Progress();
  deadline_ = now;
  OnTimer(now, output);
}

GuestHandshake::Result GuestHandshake::OnTimer(Time now, Output& output) {
  if (now < deadline_) return Result::kWaiting;
  if (syns_ == kMaxSyns) return Result::kSilent;
  if (syns_ > 0) timeout_.BackOff();
  ++syns_;
  deadline_ = now + timeout_.value();
  SendSyn(output);
  return Result::kWaiting;
}

void GuestHandshake::SendSyn(Output& output) {
  const Stream& guest = connection_->guest;
  const Stream& peer = connection_->peer;
  constexpr uint32_t kMaxWindow = 65535;
  TcpFields fields;
  fields.seq = syn_seq();
  fields.flags = kSyn;
  fields.window = static_cast<uint16_t>(
      std::min(Distance(guest.acked_seq(), guest.edge), kMaxWindow));
  fields.options.mss = peer.mss;
  if (guest.scaled && peer.scaled) {
    fields.options.window_shift = peer.window_shift;
  }
  fields.options.sack_permitted = connection_->sack();
  if (connection_->timestamps()) {
    fields.options.timestamps = Timestamps{peer.last.value, 0};
  }
  Route route = connection_->RouteTo(Side::kGuest);
  if (translation_->guest_port != 0) {
    route.destination.port = translation_->guest_port;
  }
  output.Emit(connection_->port, Side::kGuest,
              TcpFrame(route, fields, 0).Finish());
}

GuestHandshake::Result GuestHandshake::OnGuest(const TcpSegment& segment) {
  // RFC 9293, 3.10.7.3.
  if (deadline_ == kNever || !segment.has(kAck) ||
      segment.ack != syn_seq() + 1) {
    return Result::kWaiting;
  }
  if (segment.has(kRst)) return Result::kRefused;
  if (!segment.has(kSyn)) return Result::kWaiting;
  return Learn(segment) ? Result::kEstablished : Result::kRefused;
}

bool GuestHandshake::Learn(const TcpSegment& answer) {
  Stream& guest = connection_->guest;
  Stream& peer = connection_->peer;
  const TcpOptions& options = answer.options;
  // Timestamps that the peer goes by cannot be made up.
  if (connection_->timestamps() && !options.timestamps) return false;
  translation_->guest_seq =
      static_cast<uint32_t>(guest.next - (answer.seq + 1));
  if (connection_->timestamps()) {
    translation_->guest_clock = guest.last.value - options.timestamps->value;
  }
  // Windows are only scaled if both sides have said so (RFC 7323, 2.2).
  const uint8_t guest_shift =
      guest.scaled && peer.scaled ? options.window_shift.value_or(0) : 0;
  const uint8_t peer_shift =
      options.window_shift ? connection_->window_shift(Side::kPeer) : 0;
  translation_->guest_window = static_cast<int8_t>(
      guest_shift - connection_->window_shift(Side::kGuest));
  translation_->peer_window =
      static_cast<int8_t>(connection_->window_shift(Side::kPeer) - peer_shift);
  guest.mss = std::clamp(options.mss.value_or(536), kMinMss, guest.mss);
  peer.edge = peer.acked_seq() + answer.window;
  return true;
}

void GuestHandshake::Load(Reader& reader, Time now) {
  if (reader.Bool()) deadline_ = now;
}

}  // namespace stubdomain
