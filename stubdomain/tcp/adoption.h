// The stub in the path of a connection: guest to the peer, peer to the guest.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_ADOPTION_H_
#define STUBDOMAIN_TCP_ADOPTION_H_

#include <cstdint>
#include <optional>
#include <span>

#include "tcp/connection.h"
#include "tcp/rate_limit.h"
#include "tcp/receiver.h"
#include "tcp/sender.h"
#include "wire/frame.h"
#include "wire/packet.h"
#include "wire/time.h"

namespace stubdomain {

// A larger FlowConfig::buffer counts as this. Sequence numbers and windows are
// not made for more (RFC 7323, 2.3).
inline constexpr uint64_t kMaxFlowBuffer = uint64_t{1} << 30;

struct FlowConfig {
  uint64_t buffer = 64 << 20;                     // bytes kept
  uint32_t max_ranges = 64;                       // of them, behind gaps
  Duration keepalive = std::chrono::seconds(45);  // zero: none
};

// Why bytes that are kept were not changed.
enum class EditRefusal : uint8_t {
  kNone,
  kNotKept,  // nothing is kept, or not that
  kSent,     // the guest was sent some of it already
  kNoRoom,   // more cannot be kept
};

// What a flow is and does beyond being followed: see TcpFlow. The receiving
// half faces the peer, the sending half faces the guest; the bytes between them
// are the receiver's. Guest data is forwarded with the stub's acknowledgement.
// What of it is in the connection's ResendStore is sent again while the guest
// is stopped; a guest that runs does that itself.
class Adoption {
 public:
  // Who hears the stub.
  enum class Guest : uint8_t {
    kStopped,
    kRuns,  // but does not take what was kept
    kReady,
  };

  // The window grows from this, if the guest's own was smaller.
  static constexpr uint32_t kMinWindow = 64 << 10;
  // Acknowledgements in a second to segments that make no sense here (RFC
  // 5961, 7).
  static constexpr int kMaxChallenges = 10;

  // `connection` is synchronized. All three outlive this.
  Adoption(Connection* connection, Guest guest, const FlowConfig* config,
           BufferBudget* budget, Time now);

  Guest guest() const { return guest_; }
  // The guest was stopped, again.
  void Pause(Time now);
  // The guest runs, or is ready.
  void Resume(Guest guest, Time now, Output& output);

  // The guest has opened the connection, of which it did not know until now.
  void Attach(Time now, Output& output);
  // Resets the peer in the guest's name.
  void Refuse(Output& output);

  // Segments that come; all are taken. A guest that begins the connection anew
  // has forgotten this one: that is for the caller to see.
  void OnPeer(const Packet& packet, const TcpSegment& segment, Time now,
              Output& output);
  void OnGuest(const Packet& packet, const TcpSegment& segment, Time now,
               Output& output);
  void Flush(Time now, Output& output);
  bool needs_flush() const {
    return hears_peer() && receiver_.due() != Receiver::Due::kNothing;
  }
  Time Deadline() const;
  void OnTimer(Time now, Output& output);
  // There is more room in the budget.
  void Feed();
  // To whom more would be sent if the output had room. GoOn() once it has.
  std::optional<Side> held_up() const;
  void GoOn(Time now, Output& output) { Settle(now, output); }

  // See TcpFlow.
  bool level() const;
  bool full() const;
  bool starved() const;
  uint64_t kept() const;
  bool reset() const { return reset_; }
  // Behind what the guest was ever sent.
  Seq unsent() const {
    return Later(receiver_.bytes().begin(), sender_.highest());
  }
  // The bytes that are kept for the guest.
  const Reassembler& bytes() const { return receiver_.bytes(); }
  // Nothing needs the stub any more.
  bool MayLeave() const { return guest_runs() && level() && !added(); }
  // The last acknowledgements, so that each side knows what the other said
  // last. Frames pass from here on.
  void Leave(Time now, Output& output);

  // The guest's stream was made longer, up to its end: that is the stub's to
  // send, even when the guest runs again.
  void Added(Time now, Output& output);
  // The peer has not acknowledged all that was added.
  bool added() const {
    return !severed_ && connection_->guest.acked_seq() < added_;
  }

  // See TcpFlow::EditReply(); `range` is in the guest's numbers.
  EditRefusal Edit(SeqRange range, std::span<const uint8_t> replacement);

  // Resets the peer in the guest's name, and from here on takes nothing of it
  // any more: the peer is answered by resets.
  void Sever(Output& output);
  // The peer is severed: the guest is to see it close, or reset the connection,
  // behind what is kept.
  void EndForGuest(bool reset, Time now, Output& output);

  void Save(Writer& writer) const;
  // Of one that was just made. False: malformed; of no use then.
  bool Load(Reader& reader, Time now);
  // Once all connections were loaded.
  void Loaded() { receiver_.Loaded(); }

 private:
  // Towards the peer. `edge`: the end of the window to announce.
  Seq DesiredEdge() const;
  bool WorthTelling(Seq edge) const;
  // Makes an acknowledgement due if it would tell the peer of enough room.
  void OfferWindow();
  void NotePeer();
  void ChallengePeer(Time now);
  void OnSevered(const TcpSegment& segment, Time now, Output& output);
  void OnSynOfPeer(const Packet& packet, const TcpSegment& segment, Time now,
                   Output& output);
  bool AckIsAcceptable(Seq ack) const;
  TcpFields FieldsForPeer(Seq seq, Seq edge) const;
  void NoteMarks(const Packet& packet, const TcpSegment& segment);
  void SendToPeer(const TcpFields& fields, Output& output);
  void SendAck(Output& output);
  void SendKeepalive(Output& output);
  void SendSynToPeer(Output& output);
  void Forward(const Packet& packet, Output& output);
  void TouchPeer(Time now);
  Sender::Supply SupplyForPeer() const;
  void Resend(Time now, Output& output);
  bool resends() const {
    return hears_peer() && (guest_ == Guest::kStopped || added());
  }
  // The peer is still of this connection.
  bool hears_peer() const { return !reset_ && !severed_; }

  // Towards the guest.
  void ChallengeGuest(Time now);
  void TakeAck(const TcpSegment& segment, Time now);
  uint32_t SegmentSize() const;
  Sender::Supply SupplyFor(const Output& output) const;
  void Replay(Time now, Output& output);
  void SendPiece(SeqRange piece, const Sender::Supply& supply, Output& output);
  void SendSynToGuest(Output& output);
  void SendToGuest(Seq seq, uint8_t flags, const SackBlocks& sack,
                   Output& output);
  TcpFields FieldsForGuest(Seq seq, uint8_t flags) const;
  // A sequence number that the guest accepts and that brings nothing.
  Seq IdleSeqForGuest() const;

  // Sends what an event made due.
  void Settle(Time now, Output& output);
  bool guest_runs() const { return guest_ != Guest::kStopped; }

  Connection* const connection_;
  const FlowConfig* const config_;
  Guest guest_;
  bool reset_ = false;      // the peer has reset; the guest does not know
  bool severed_ = false;    // the stub has ended it in the guest's name
  bool guest_due_ = false;  // the guest is owed an acknowledgement
  bool held_up_ = false;
  bool congested_ = false;  // the peer is to hear of it (RFC 3168, 6.1.3)
  // Where the peer's urgent data end, if the guest does not have them all.
  std::optional<Seq> urgent_;
  Receiver receiver_;
  Sender sender_;          // of the peer's bytes, to the guest
  Sender resender_;        // of the guest's bytes, to the peer
  uint32_t first_window_;  // what the guest had promised
  Seq added_;              // behind what the guest never sent
  RateLimit peer_challenges_{kMaxChallenges};
  RateLimit guest_challenges_{kMaxChallenges};
  Time keepalive_ = kNever;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_ADOPTION_H_
