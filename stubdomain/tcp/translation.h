// How the numbers of one connection differ between its two sides.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_TRANSLATION_H_
#define STUBDOMAIN_TCP_TRANSLATION_H_

#include <cstdint>

#include "wire/frame.h"
#include "wire/packet.h"
#include "wire/serial.h"
#include "wire/side.h"
#include "wire/tcp_shift.h"

namespace stubdomain {

// Once bytes were added to a direction of a connection, or taken from it, or
// once the stub has answered a handshake in someone's name, the two sides
// number that direction differently for the rest of the connection's life.
//
// Everything inside of TcpFlow goes by one numbering: the peer's stream has the
// numbers that the guest knows, and the guest's stream has those that the peer
// knows. So each frame is translated once: what its sender numbers (seq) when
// it comes in, what its receiver numbers (ack, SACK) when it goes out.
//
// A constant per direction is enough, although it only holds for what comes
// behind the last change: everything before was acknowledged by whoever keeps
// it, so it stays old under any constant.
struct Translation {
  uint32_t peer_seq = 0;     // added to the peer's on their way to the guest
  uint32_t guest_seq = 0;    // added to the guest's on their way to the peer
  uint32_t guest_clock = 0;  // the same, of the guest's timestamps
  // The port that the guest has in its own eyes; 0: the one that the peer sees.
  uint16_t guest_port = 0;
  // Bits by which a window is scaled more than the other side knows.
  int8_t guest_window = 0;  // of the windows that the guest announces
  int8_t peer_window = 0;   // of the windows that the peer announces

  friend bool operator==(const Translation&, const Translation&) = default;
  bool none() const { return *this == Translation{}; }

  // What a segment of `from` needs when it comes, or one to `to` when it goes.
  // `seen_port` is the port that the peer sees the guest have.
  TcpShift In(Side from, uint16_t seen_port) const;
  TcpShift Out(Side to, uint16_t seen_port) const;

  void Save(Writer& writer) const;
  // False: malformed.
  bool Load(Reader& reader);
};

// Translates what a flow emits.
class TranslatedOutput : public Output {
 public:
  // All three outlive this.
  TranslatedOutput(const Translation* translation, uint16_t seen_port,
                   Output* output)
      : translation_(*translation), seen_port_(seen_port), output_(*output) {}

  void Emit(unsigned port, Side to, Frame frame) override;
  FrameOptions OptionsFor(unsigned port, Side to) const override {
    return output_.OptionsFor(port, to);
  }
  bool HasRoom(unsigned port, Side to) const override {
    return output_.HasRoom(port, to);
  }

 private:
  const Translation& translation_;
  const uint16_t seen_port_;
  Output& output_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_TRANSLATION_H_
