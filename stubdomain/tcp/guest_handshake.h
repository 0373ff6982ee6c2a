// Opening a connection to the guest in the peer's name.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_GUEST_HANDSHAKE_H_
#define STUBDOMAIN_TCP_GUEST_HANDSHAKE_H_

#include <cstdint>

#include "tcp/connection.h"
#include "tcp/retransmission_timeout.h"
#include "tcp/translation.h"
#include "wire/frame.h"
#include "wire/packet.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// The peer has a connection that the guest does not know (yet). The guest is
// sent a SYN with what the peer has offered to whoever had the connection
// before: the stub, or another socket of the guest. The guest chooses its own
// initial sequence number and options then, and the translation makes up for
// the difference.
class GuestHandshake {
 public:
  // SYNs without an answer until it is given up: after half a minute.
  static constexpr int kMaxSyns = 8;

  // Both outlive this. Nothing of the guest's stream is unacknowledged.
  GuestHandshake(Connection* connection, Translation* translation)
      : connection_(connection), translation_(translation) {}

  enum class Result {
    kWaiting,
    kEstablished,  // connection and translation are as the guest knows them
    kRefused,      // the guest has reset it, or cannot do what was promised
    kSilent,       // the guest has not answered
  };

  // The guest is there: sends the first SYN. `output` goes to the guest as it
  // is; nothing is translated before it has answered.
  void Start(Time now, Output& output);
  // The guest was stopped.
  void Pause() { deadline_ = kNever; }
  // A segment of the guest, in its own numbers.
  Result OnGuest(const TcpSegment& segment);
  Time Deadline() const { return deadline_; }
  Result OnTimer(Time now, Output& output);

  void Save(Writer& writer) const { writer.Bool(deadline_ != kNever); }
  // Check reader.ok() afterwards. One that had begun begins again at `now`.
  void Load(Reader& reader, Time now);

 private:
  Seq syn_seq() const { return connection_->peer.acked_seq() - 1; }
  void SendSyn(Output& output);
  bool Learn(const TcpSegment& answer);

  Connection* const connection_;
  Translation* const translation_;
  int syns_ = 0;
  RetransmissionTimeout timeout_{RetransmissionTimeout::kToGuest};
  Time deadline_ = kNever;  // kNever: not begun
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_GUEST_HANDSHAKE_H_
