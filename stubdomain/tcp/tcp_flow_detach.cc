// One TCP connection of the guest: taken from its socket, and given to another.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/tcp_flow.h"

namespace stubdomain {

DetachRefusal TcpFlow::Detach(Time now) {
  if (detached_) return DetachRefusal::kNone;
  if (!tracked()) return DetachRefusal::kUntracked;
  if (!established() || closed() || connection_.guest.fin_seen() ||
      handshake_ || Adopt(now) != AdoptRefusal::kNone) {
    return DetachRefusal::kNotEstablished;
  }
  detached_ = true;
  return DetachRefusal::kNone;
}

DetachRefusal TcpFlow::Describe(SocketParameters* parameters) const {
  const Stream& guest = connection_.guest;
  const Stream& peer = connection_.peer;
  if (!detached_) return DetachRefusal::kNotDetached;
  if (guest.next != guest.acked_seq()) return DetachRefusal::kBusy;
  *parameters = {
      .id = guest_id(),
      .send_next = guest.next - translation_.guest_seq,
      .receive_next = peer.acked_seq(),
      .send_window = Distance(guest.next, guest.edge),
      .receive_window = Distance(peer.acked_seq(), peer.edge),
      .mss = peer.mss,
      .sack = connection_.sack(),
      .timestamps = connection_.timestamps(),
      .last = {guest.last.value - translation_.guest_clock, peer.last.value},
  };
  if (guest.scaled && peer.scaled) {
    parameters->send_shift = connection_.window_shift(Side::kPeer);
    parameters->receive_shift = connection_.window_shift(Side::kGuest);
  }
  return DetachRefusal::kNone;
}

DetachRefusal TcpFlow::Reattach() {
  SocketParameters parameters;
  if (const auto refusal = Describe(&parameters);
      refusal != DetachRefusal::kNone) {
    return refusal;
  }
  // The new socket scales its windows as the peer was told.
  translation_.guest_window = 0;
  translation_.peer_window = 0;
  detached_ = false;
  return DetachRefusal::kNone;
}

DetachRefusal TcpFlow::ConnectGuest(uint16_t guest_port) {
  SocketParameters parameters;
  if (const auto refusal = Describe(&parameters);
      refusal != DetachRefusal::kNone) {
    return refusal;
  }
  translation_.guest_port = guest_port == id().guest.port ? 0 : guest_port;
  handshake_ = std::make_unique<GuestHandshake>(&connection_, &translation_);
  detached_ = false;
  return DetachRefusal::kNone;
}

}  // namespace stubdomain
