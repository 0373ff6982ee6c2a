// What is known of a connection from watching it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_CONNECTION_H_
#define STUBDOMAIN_TCP_CONNECTION_H_

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "tcp/kept_request.h"
#include "tcp/resend_store.h"
#include "wire/packet.h"
#include "wire/serial.h"
#include "wire/side.h"
#include "wire/tcp_frame.h"

namespace stubdomain {

// What one side sends. Positions count sequence numbers from the SYN on, which
// has position 0, without wrapping; the first payload byte has position 1.
struct Stream {
  static constexpr uint64_t kNoFin = std::numeric_limits<uint64_t>::max();

  // From the sender's SYN.
  bool syn_seen = false;
  bool timestamps = false;
  bool sack_permitted = false;
  bool scaled = false;
  bool multipath = false;
  bool authenticated = false;
  uint8_t window_shift = 0;  // of the windows that the sender announces
  uint16_t mss = 536;        // largest payload that the sender takes
  uint16_t syn_window = 0;   // never scaled
  uint8_t syn_flags = 0;     // kSyn, kAck, kEce, kCwr
  Seq isn;

  Seq next;               // behind the last thing sent
  Seq edge;               // where the widest window ends that it was ever given
  uint64_t seen = 0;      // position behind the last thing sent without a gap
  uint64_t acked = 0;     // position up to which the receiver has acknowledged
  uint64_t fin = kNoFin;  // position of the FIN
  Timestamps last;        // the sender's last timestamps

  Seq SeqAt(uint64_t position) const {
    return isn + static_cast<uint32_t>(position);
  }
  Seq seen_seq() const { return SeqAt(seen); }
  Seq acked_seq() const { return SeqAt(acked); }
  // The position of a sequence number within 2^31 of what is acknowledged.
  uint64_t PositionOf(Seq seq) const {
    return acked + static_cast<uint64_t>(int64_t{seq - acked_seq()});
  }
  bool fin_seen() const { return fin != kNoFin; }
  bool fin_acked() const { return acked > fin; }
  Seq fin_seq() const { return SeqAt(fin); }
  // Payload bytes up to a position.
  uint64_t BytesUpTo(uint64_t position) const {
    return std::max<uint64_t>(std::min(position, fin), 1) - 1;
  }
  uint64_t acked_bytes() const { return BytesUpTo(acked); }
};

// What the guest has sent last, as far as it tells what a reply will look like.
struct RequestSeen {
  bool head = false;       // the last HTTP request that was seen is a HEAD
  bool connect = false;    // or a CONNECT
  bool ends_head = false;  // the last bytes are an empty line
};

// A smaller maximum segment size counts as this.
inline constexpr uint16_t kMinMss = 64;

// What was said in a handshake that the stub answered in the guest's name.
struct Answered {
  Link to_guest;
  Seq peer_isn;
  Seq guest_isn;
  uint16_t window = 0;  // that the stub has announced
  uint16_t peer_mss = 536;
  uint16_t guest_mss = 536;
  std::optional<uint8_t> peer_shift;
  std::optional<uint8_t> guest_shift;
  bool sack = false;
};

struct Connection {
  unsigned port = 0;  // the guest's NIC
  FlowId id;
  Link to_guest;
  Link to_peer;
  Stream guest;  // what the guest sends
  Stream peer;
  // Position in the peer's stream up to which the stub has allowed it to send,
  // when it last left the path; the guest itself may allow less.
  uint64_t promised = 0;
  bool from_syn = false;  // watched since the first SYN
  RequestSeen request;
  bool guest_reset = false;
  bool peer_reset = false;  // and the guest knows
  // Of what the guest has sent; null: nothing is kept.
  std::unique_ptr<ResendStore> resend;
  // Null: the guest has sent nothing.
  std::unique_ptr<KeptRequest> kept_request;

  Stream& of(Side side) { return side == Side::kGuest ? guest : peer; }
  const Stream& of(Side side) const {
    return side == Side::kGuest ? guest : peer;
  }

  bool timestamps() const { return guest.timestamps && peer.timestamps; }
  bool sack() const { return guest.sack_permitted && peer.sack_permitted; }
  // Both sides have agreed to mark congestion (RFC 3168, 6.1.1).
  bool ecn() const;
  // How far the windows are shifted that `side` announces.
  uint8_t window_shift(Side side) const {
    return guest.scaled && peer.scaled ? of(side).window_shift : 0;
  }
  // Options with which the bytes mean more than they say.
  bool multipath() const { return guest.multipath && peer.multipath; }
  bool authenticated() const {
    return guest.authenticated || peer.authenticated;
  }
  bool tracked() const { return from_syn && !multipath() && !authenticated(); }
  // Each side has acknowledged the other's SYN, but for the guest's last
  // acknowledgement, which may still be on its way to us: a NIC hands frames
  // over later than the guest goes on.
  bool answered() const {
    return guest.acked > 0 && !guest_reset && !peer_reset;
  }
  bool established() const { return answered() && peer.acked > 0; }
  bool reset() const { return guest_reset || peer_reset; }
  // The guest has begun to connect, and nobody has answered.
  bool opening() const { return guest.syn_seen && !peer.syn_seen && !reset(); }
  // Both sides have sent their SYN, whatever has become of that.
  bool synchronized() const {
    return guest.syn_seen && peer.syn_seen && !reset();
  }
  bool closed() const {
    return reset() || (guest.fin_acked() && peer.fin_acked());
  }
  // The window of the guest has no room for a full segment.
  bool guest_full() const {
    return peer.edge - peer.acked_seq() < int32_t{guest.mss};
  }

  // Where the window ends that the peer goes by.
  Seq peer_edge() const {
    return peer.SeqAt(std::max(promised, peer.PositionOf(peer.edge)));
  }
  // The stub has allowed the segment, but the guest would not take all of it.
  bool Overruns(const TcpSegment& segment) const {
    return segment.length() > 0 && segment.end() > peer.edge &&
           segment.end() <= peer_edge();
  }

  // The SYN or SYN-ACK that `from` has sent, as it was, but with the latest
  // timestamps.
  TcpFields SynOf(Side from) const;
  // The way of frames to a side in the other side's name.
  Route RouteTo(Side side) const;

  // It says nothing of lasting effect: data in its place, or again, that
  // acknowledges nothing new.
  bool Plain(Side from, const TcpSegment& segment) const;

  // Notes a segment that passes from `from` to the other side. What cannot
  // belong to the connection as it is known is not noted.
  void Observe(Side from, const Packet& packet, const TcpSegment& segment);

  // The parts of Observe(), for segments that the stub takes.

  // It lies where `from` may send, or not far behind.
  bool Plausible(Side from, const TcpSegment& segment) const;
  void NoteLink(Side from, const Link& link);
  // Notes what `by` acknowledges, and its window. True if either moved on.
  bool NoteAck(Side by, const TcpSegment& segment);
  // Notes how far `from` has sent. False, and nothing noted, if it may not.
  bool NoteSent(Side from, const TcpSegment& segment);
  // To be called before NoteSent().
  void NoteTimestamps(Side from, const TcpSegment& segment);

  // Keeps what a segment of the guest brings, if it was noted.
  void Record(const TcpSegment& segment, ResendPool* pool);
  // Behind what the stub could send again in the guest's name, from what is
  // acknowledged on.
  Seq resendable() const;

  // As after a handshake that was watched, the peer's last acknowledgement
  // included.
  void Establish(const Answered& answered);

  void Save(Writer& writer) const;
  // False: malformed.
  bool Load(Reader& reader, ResendPool* pool);

 private:
  void ForgetSent();
  void Restart();
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_CONNECTION_H_
