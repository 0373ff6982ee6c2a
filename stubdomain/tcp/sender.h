// The sending half of a TCP: what to send when.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_SENDER_H_
#define STUBDOMAIN_TCP_SENDER_H_

#include <cstdint>
#include <optional>

#include "tcp/retransmission_timeout.h"
#include "wire/seq.h"
#include "wire/time.h"

namespace stubdomain {

// Decides only; the owner has the bytes and builds the segments.
class Sender {
 public:
  // What may be under way. The way to the guest is a queue in this host, so it
  // needs no congestion control; this bounds the queue. Towards the peer only
  // what was sent before is sent again, from one segment on (RFC 5681, 3.1).
  static constexpr uint32_t kMaxInFlight = 512 << 10;
  // Duplicate acknowledgements that mean a loss (RFC 5681, 3.2).
  static constexpr int kDuplicates = 3;

  // To whom, which decides how careful it has to be.
  enum class Way : uint8_t {
    kToGuest,
    kToPeer,  // through a network that may be congested
  };

  // Everything before `acked` is acknowledged; up to `highest` was sent, by
  // whomever.
  Sender(Way way, Seq acked, Seq highest)
      : way_(way),
        acked_(acked),
        next_(acked),
        highest_(Later(acked, highest)),
        timeout_(way == Way::kToGuest ? RetransmissionTimeout::kToGuest
                                      : RetransmissionTimeout::kToPeer) {}

  Seq acked() const { return acked_; }
  // Behind the last thing that was ever sent.
  Seq highest() const { return highest_; }
  bool in_flight() const { return next_ > acked_; }

  // What is not acknowledged counts as not sent; no timer runs.
  void Restart();
  // The same, with the timer running: for a sender that was just loaded, of
  // which something may be under way.
  void Resume(Time now) {
    Restart();
    deadline_ = now + timeout_.value();
  }
  // All that was sent is under way, for all that is known: the timer runs, if
  // there is any. For a sender that was just made.
  void Assume(Time now) {
    next_ = highest_;
    if (in_flight()) deadline_ = now + timeout_.value();
  }
  // `ack` lies within (acked(), highest()], or further if the receiver got it
  // another way.
  void OnAck(Seq ack, Time now);
  // An acknowledgement that says nothing new, with data in flight.
  void OnDuplicateAck();

  // What can be sent: up to `end` in `segment`-sized pieces, of which up to
  // `burst` bytes can be sent at once, as far as the receiver's window `edge`
  // allows. `fin`: the last thing before `end` is a FIN, which needs no room.
  struct Supply {
    Seq end;
    Seq edge;
    uint32_t segment;
    uint32_t burst;
    bool fin;
  };
  // The next piece, nothing if it is time to wait. Sent() must follow, or
  // nothing is sent now.
  std::optional<SeqRange> Next(const Supply& supply);
  void Sent(SeqRange piece, Time now);
  // Nothing more is to be sent now: sets the timer.
  void Wait(const Supply& supply, Time now);
  // What was sent may not have left yet: the time begins anew.
  void Postpone(Time now) { deadline_ = now + timeout_.value(); }

  enum class Expired {
    kNothing,
    kSend,   // Next() has something again
    kProbe,  // the window is closed: ask whether it still is
  };
  Time Deadline() const { return deadline_; }
  Expired OnTimer(uint32_t segment, Time now);

 private:
  struct Timed {
    Seq end;
    Time sent;
  };

  Way way_;
  bool resend_ = false;   // the first unacknowledged piece comes next
  bool probing_ = false;  // of a window that is closed
  Seq acked_;
  Seq next_;
  Seq highest_;
  uint32_t allowance_ = kMaxInFlight;  // of what may be in flight
  int duplicates_ = 0;
  std::optional<Seq> recover_;  // a loss before it is being repaired
  std::optional<Timed> timed_;  // the round trip being measured
  RetransmissionTimeout timeout_;
  Time deadline_ = kNever;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_SENDER_H_
