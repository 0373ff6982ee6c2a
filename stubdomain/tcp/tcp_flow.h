// One TCP connection of the guest: followed, adopted, replayed.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_TCP_FLOW_H_
#define STUBDOMAIN_TCP_TCP_FLOW_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "tcp/adoption.h"
#include "tcp/buffer_budget.h"
#include "tcp/connection.h"
#include "tcp/guest_handshake.h"
#include "tcp/opening.h"
#include "tcp/translation.h"
#include "wire/frame.h"
#include "wire/packet.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// Theory of operation
// -------------------
// Two TCPs talk, and the flow sits between them.
//
//   kFollowing  Every frame passes. The flow notes how far each side is. It
//               copies nothing, unless a suspend is near: then it records what
//               the guest sends until the peer has acknowledged it.
//   kAdopted    The guest is stopped. The stub is the guest's TCP: it
//               acknowledges what the peer sends, and keeps it; what was
//               recorded it sends again when it has to. As long as the peer has
//               not answered the guest's SYN, that is all there is to do, and
//               an Opening does it; from the peer's SYN on it is an Adoption.
//   kReleased   The guest runs, but is not ready for what was kept. As
//               kAdopted towards the peer; the guest's own segments are
//               forwarded with the stub's acknowledgement.
//   kReplaying  The guest is ready. Towards the guest the stub is the peer's
//               TCP: it sends the kept bytes with the peer's sequence numbers,
//               and goes on receiving behind them.
//
//   kFollowing -Adopt-> kAdopted -Release-> kReleased -Replay-> kReplaying
//
// Adopt() also leads from kReleased and kReplaying to kAdopted. From kReleased
// and kReplaying the flow goes back to kFollowing by itself as soon as the two
// sides are level: the stub holds nothing that the guest does not have. Should
// the peer then send more at once than the guest allows, because the stub had
// allowed it, the flow becomes kReplaying again to keep what is too much.
//
// A connection that the guest does not have (one that the stub answered in its
// name, or one that goes to another socket of it) is kAdopted until the guest
// is ready and a GuestHandshake has opened it there; then it is kReplaying. If
// the guest refuses it, the peer is reset.
//
// Where the two sides number the connection differently (see Translation), no
// frame passes as it is: each is taken, and sent on translated.
enum class Phase : uint8_t { kFollowing, kAdopted, kReleased, kReplaying };

// Why a flow was not adopted; its frames then pass in every phase.
enum class AdoptRefusal : uint8_t {
  kNone,
  // Its SYN was not seen. How the windows are scaled is not known then, and a
  // window that is taken for wider than it is loses bytes that the stub has
  // acknowledged.
  kNoSyn,
  kMultipath,      // MPTCP: it is part of a larger connection
  kAuthenticated,  // TCP-MD5 or TCP-AO: the stub does not have the key
  kUnanswered,     // the guest has not answered the peer's SYN
  kReset,          // either side has reset it
};

// Why nothing was sent in the guest's name.
enum class SendRefusal : uint8_t {
  kNone,
  kNotStopped,  // the guest speaks for itself, or does not know the connection
  kBusy,        // the peer has not acknowledged all that the guest sent, or the
                // guest may not know yet that the connection is open
  kClosed,      // the guest has closed its direction, or the peer has reset
  kNoRoom,      // more than can be kept until it is acknowledged
};

// What the guest sees behind what the stub answers in the peer's place.
enum class PeerEnd : uint8_t {
  kOpen,   // whatever the peer still sends
  kFin,    // that the peer has closed
  kReset,  // that the peer has reset the connection
};

// Why nothing was answered in the peer's place.
enum class AnswerRefusal : uint8_t {
  kNone,
  kUnfit,  // the stub cannot speak for the two sides, or either has gone
  kSent,   // the guest has some of what was to be replaced, or may have
  kNoRoom,
};

// Why a flow was not taken from its socket in the guest, or not given to one.
enum class DetachRefusal : uint8_t {
  kNone,
  kUntracked,
  kNotEstablished,  // or closed in either direction
  kBusy,            // the peer has not acknowledged all that the guest sent
  kNotDetached,     // its socket is still there
};

// What a socket of the guest has to be like to go on with a connection, in the
// guest's numbers. Nothing that it has sent is unacknowledged.
struct SocketParameters {
  FlowId id;
  Seq send_next;
  Seq receive_next;
  uint32_t send_window = 0;           // bytes
  uint32_t receive_window = 0;        // bytes that the peer was allowed to send
  std::optional<uint8_t> send_shift;  // both or neither
  std::optional<uint8_t> receive_shift;
  uint16_t mss = 0;  // the largest segment that the peer takes
  bool sack = false;
  bool timestamps = false;
  Timestamps last;  // the next that is sent is not before `value`, and echoes
                    // `echo`
};

class TcpFlow {
 public:
  // All three outlive the flow. The first segment is handed to OnFrame() like
  // all others.
  TcpFlow(unsigned port, const FlowId& id, const FlowConfig* config,
          BufferBudget* budget, ResendPool* resend,
          const Translation& translation = {});

  // For a flow that was just made: a connection that the stub has answered. The
  // peer's last acknowledgement comes to OnFrame() next. It is adopted at once.
  void Accept(const Answered& answered, uint16_t guest_port, Time now);

  unsigned port() const { return connection_.port; }
  // As the peer sees it.
  const FlowId& id() const { return connection_.id; }
  // As the guest sees it: its port may be another one.
  FlowId guest_id() const;
  // The two differ.
  bool renamed() const {
    return translation_.guest_port != 0 &&
           translation_.guest_port != connection_.id.guest.port;
  }
  Phase phase() const;

  // -- events --

  // A segment of this connection that `from` sends.
  Verdict OnFrame(Side from, const Packet& packet, Time now, Output& output);
  // The guest was stopped. Has no effect on a flow that is adopted already.
  AdoptRefusal Adopt(Time now);
  // The guest runs again. May go straight to kFollowing.
  void Release(Time now, Output& output);
  // The guest takes what was kept. May go straight to kFollowing.
  void Replay(Time now, Output& output);
  // While it is on, Replay() does nothing.
  void Hold(bool on) { held_ = on; }
  // Sends acknowledgements that were held back to be joined. Call it once the
  // frames that came together have been handled.
  void Flush(Time now, Output& output);
  bool needs_flush() const;
  // Forgets what was recorded of the guest's bytes.
  void DropRecord() {
    if (!adoption_ || !adoption_->added()) connection_.resend.reset();
  }
  // When OnTimer() has something to do; kNever if nothing ever. A call before
  // that does nothing.
  Time Deadline() const;
  void OnTimer(Time now, Output& output);

  // Adds bytes to what the guest has sent, which it never knows. They are sent
  // again until the peer acknowledges them; what the guest sends comes behind
  // them.
  SendRefusal SendInGuestsName(std::span<const uint8_t> bytes, Time now,
                               Output& output);

  // Whether it would be, but for the room.
  SendRefusal MaySend() const;

  // The guest is about to lose the socket, or has lost it. From here on it is
  // as if the guest were stopped, whether it is or not, and what it still sends
  // for this connection (such as a reset for what it does not know any more)
  // goes nowhere; until one of the two that follow.
  DetachRefusal Detach(Time now);
  // What the other socket must be like. kBusy passes by itself.
  DetachRefusal Describe(SocketParameters* parameters) const;
  // There is a socket again that is like that. What was kept goes to it with
  // Release() and Replay().
  DetachRefusal Reattach();
  // The peer connects to `guest_port` of the guest, at Replay(), and sends it
  // what was kept.
  DetachRefusal ConnectGuest(uint16_t guest_port);
  bool detached() const { return detached_; }

  // Whether an ICMP error quotes a segment that the guest has under way; if
  // not, it is forged or late (RFC 5927, 4.1).
  bool IsUnderWay(const IcmpError& error) const;
  // It has come, and does.
  void OnError(const IcmpError& error);
  // `packet` is an ICMP error about this flow: gives the frame the numbers that
  // the guest knows. False: it has them.
  bool TranslateQuote(const Packet& packet, Frame* frame) const;

  // Puts `replacement` in the place of `length` bytes that are kept for the
  // guest in order, and that it was not sent yet. `position` counts as
  // peer_bytes() does; at its end bytes can be added, behind the peer's last
  // byte but before its FIN. The guest never knows.
  EditRefusal EditReply(uint64_t position, uint32_t length,
                        std::span<const uint8_t> replacement, Time now,
                        Output& output);

  // Answers in the peer's place: `bytes` take the place of `length` bytes as
  // with EditReply(). Unless it stays open, the connection ends behind them:
  // nothing else of what is kept behind `position` stays, the peer is reset,
  // and what it still sends goes nowhere. A guest that runs has nothing to be
  // replaced.
  AnswerRefusal Answer(uint64_t position, uint32_t length,
                       std::span<const uint8_t> bytes, PeerEnd end, Time now,
                       Output& output);

  // -- what the flow knows --

  // The guest has not opened it (yet), although the peer has.
  bool unknown_to_guest() const { return handshake_ != nullptr; }

  // A segment of the guest would pass, and its payload would not be looked at.
  bool PassesUnread(const Packet& packet) const;
  // Why the stub cannot speak for the guest: kNone, or one that will not pass.
  AdoptRefusal unfit() const;
  // Its SYN was seen, and nothing in it forbids to speak for the guest.
  bool tracked() const { return connection_.tracked(); }
  // The handshake is over, and neither side has reset the connection. It may
  // be closed in either direction or both.
  bool established() const { return connection_.established(); }
  // The same, or all but established: the guest's program may have it already.
  bool answered() const { return connection_.answered(); }
  // Nothing is unacknowledged in either direction.
  bool quiet() const;
  // Whatever the guest has sent and the peer has not acknowledged could be sent
  // again by the stub.
  bool covered() const;
  // In-order payload bytes that the peer has sent since its SYN, kept ones
  // included, as EditReply() has left them. Nothing else makes it go back.
  uint64_t peer_bytes() const;
  // Payload bytes that the guest has acknowledged since the peer's SYN. Modulo
  // 2^32 this is Linux's tcpi_bytes_received, which also counts a FIN.
  uint64_t guest_acked_bytes() const { return connection_.peer.acked_bytes(); }
  // As peer_bytes(): the guest, which is stopped, was sent nothing from here
  // on.
  uint64_t unsent() const;
  // The peer's FIN has come, and every byte before it.
  bool peer_closed() const;
  // The peer has reset the connection, whether the guest knows it yet or not.
  bool peer_reset() const;
  // Both directions are closed, or either side has reset the connection, and
  // the guest knows.
  bool closed() const { return connection_.closed(); }
  // Bytes held for the guest, out-of-order ones included.
  uint64_t kept() const;
  // The guest has all that the stub has acknowledged to the peer: bytes, FIN
  // and reset. Always true while following.
  bool level() const;
  // No more can be kept: the peer is being held back, and the flow cannot go
  // on until the guest takes some.
  bool full() const;

  // The guest has no room for one segment more: its program does not read.
  bool guest_full() const { return connection_.guest_full(); }

  // More would be kept if there were room in the budget. Feed() it once there
  // is: the peer may not ask for a long time.
  bool starved() const;
  void Feed();

  // To whom more would be sent if the output had room for it. GoOn() once it
  // has.
  std::optional<Side> held_up() const;
  void GoOn(Time now, Output& output);

  // -- looking at the reply --

  // What passes from the peer to the guest can be read until ForgetPassed().
  void WatchReply(bool on);
  // Hands `look` the peer's bytes from `position` on, piece by piece, until
  // there are no more or it returns false. `position` counts as peer_bytes()
  // does. False: some of them have passed unseen.
  bool ReadReply(uint64_t position,
                 const std::function<bool(std::span<const uint8_t>)>& look);
  void ForgetPassed();
  // The guest sends this segment, in its own numbers, which was handed to
  // OnFrame(). `whole`: its payload can be read.
  void NoteRequest(const TcpSegment& segment, bool whole);
  const RequestSeen& request() const { return connection_.request; }
  // What the guest has sent since the peer has sent something; empty: that is
  // not known, or too long, or cannot be sent again. Once a reply passes that
  // nobody waits for, it is forgotten.
  std::span<const uint8_t> kept_request() const {
    return connection_.kept_request ? connection_.kept_request->bytes()
                                    : std::span<const uint8_t>();
  }

  // A wait is open for it: it is neither evicted nor expired.
  bool awaited() const { return awaited_; }
  void set_awaited(bool awaited) { awaited_ = awaited; }

  // -- serial form --

  void Save(Writer& writer) const;
  // Of a flow that was just made. False: malformed; of no use then. Timers
  // start anew.
  bool Load(Reader& reader, Time now);
  // Once all flows were loaded: takes the room that is left.
  void Loaded() {
    if (adoption_) adoption_->Loaded();
  }

 private:
  // It would be kept as a request, or as more of one.
  bool WantsRequest(const TcpSegment& segment) const;
  // A segment of the peer's passes.
  void NotePassing(const TcpSegment& segment);
  // A segment in the flow's own numbers.
  Verdict Handle(Side from, const Packet& packet, Time now, Output& output);
  // It is the first of another connection between the same ends.
  bool BeginsAnew(Side from, const TcpSegment& segment) const;
  // Calls send(output) with an output that translates, if need be.
  template <typename Send>
  void Translated(Output& output, Send send);
  void Record(const Packet& packet);
  EditRefusal Replace(uint64_t position, uint32_t length,
                      std::span<const uint8_t> replacement);
  Verdict HandleOpening(const Packet& packet, Time now, Output& output);
  // The guest was stopped.
  void MakeAdoption(Time now);
  void LeaveIfLevel(Time now, Output& output);
  void Unadopt();
  // A segment of a guest that is to open the connection.
  void OnAnswer(const Packet& packet, Time now, Output& output);
  void Progress(GuestHandshake::Result result, Time now, Output& output);

  Connection connection_;
  Translation translation_;
  bool awaited_ = false;
  bool watched_ = false;
  bool held_ = false;
  bool detached_ = false;  // only with adoption_, for a guest that is stopped
  const FlowConfig* config_;
  BufferBudget* budget_;
  ResendPool* resend_;
  // At most one of the two; none while following. The adoption lies here, so
  // that what a frame touches of a flow comes from memory together.
  std::unique_ptr<Opening> opening_;
  std::optional<Adoption> adoption_;
  // Only with adoption_, for a guest that counts as stopped there.
  std::unique_ptr<GuestHandshake> handshake_;
  // Only without: what has passed and was not read yet.
  std::unique_ptr<Reassembler> passed_;
};

template <typename Send>
void TcpFlow::Translated(Output& output, Send send) {
  if (translation_.none()) {
    send(output);
  } else {
    TranslatedOutput translated(&translation_, id().guest.port, &output);
    send(translated);
  }
}

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_TCP_FLOW_H_
