// A connection that the guest was opening when it was stopped.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_OPENING_H_
#define STUBDOMAIN_TCP_OPENING_H_

#include "tcp/connection.h"
#include "tcp/retransmission_timeout.h"
#include "wire/frame.h"
#include "wire/packet.h"
#include "wire/time.h"

namespace stubdomain {

// The guest's SYN is sent again in its name until the peer answers: with a SYN,
// from where on an Adoption speaks for the guest, or with a refusal, which the
// guest gets when it runs again.
class Opening {
 public:
  // `connection` is opening, and outlives this.
  Opening(Connection* connection, Time now);

  // A segment of the peer, which is taken. True: it is the peer's SYN, which
  // was noted.
  bool OnPeer(const Packet& packet, const TcpSegment& segment);
  Time Deadline() const { return deadline_; }
  void OnTimer(Time now, Output& output);
  // The peer has refused, and the guest does not know.
  bool refused() const { return refused_; }
  // The guest runs. It goes on by itself.
  void Leave(Output& output);

  void Save(Writer& writer) const;
  void Load(Reader& reader);

 private:
  Connection* const connection_;
  RetransmissionTimeout timeout_{RetransmissionTimeout::kToPeer};
  Time deadline_;
  bool refused_ = false;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_OPENING_H_
