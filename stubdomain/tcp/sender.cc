// The sending half of a TCP: what to send when.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/sender.h"

#include <algorithm>

namespace stubdomain {

void Sender::Restart() {
  next_ = acked_;
  allowance_ = kMaxInFlight;
  duplicates_ = 0;
  recover_.reset();
  resend_ = false;
  timed_.reset();
  timeout_.Progress();
  deadline_ = kNever;
  probing_ = false;
}

void Sender::OnAck(Seq ack, Time now) {
  if (timed_ && ack >= timed_->end) {
    timeout_.Sample(now - timed_->sent);
    timed_.reset();
  }
  timeout_.Progress();
  // Towards the peer by what was acknowledged (RFC 3465).
  const uint32_t growth =
      way_ == Way::kToGuest ? allowance_ : Distance(acked_, ack);
  allowance_ = std::min(allowance_ + growth, kMaxInFlight);
  acked_ = ack;
  next_ = Later(next_, ack);
  highest_ = Later(highest_, ack);
  duplicates_ = 0;
  probing_ = false;
  // An acknowledgement of a part of what was lost shows the next loss (RFC
  // 6582).
  resend_ = recover_ && ack < *recover_;
  if (!resend_) recover_.reset();
  deadline_ = in_flight() ? now + timeout_.value() : kNever;
}

void Sender::OnDuplicateAck() {
  if (recover_ || ++duplicates_ < kDuplicates) return;
  recover_ = next_;
  resend_ = true;
}

std::optional<SeqRange> Sender::Next(const Supply& supply) {
  // A FIN takes no room in the receiver's buffer.
  const Seq end = supply.fin && supply.end - 1 <= supply.edge
                      ? supply.end
                      : Earlier(supply.end, supply.edge);
  if (resend_) {
    const uint32_t length =
        std::min(Distance(acked_, Earlier(end, next_)), supply.burst);
    if (length > 0) return SeqRange{acked_, acked_ + length};
    resend_ = false;
  }
  const uint32_t length = std::min(
      Distance(next_, Earlier(end, acked_ + allowance_)), supply.burst);
  if (length == 0) return std::nullopt;
  // RFC 9293, 3.8.6.2.1: no small segment just because the window is small,
  // while an acknowledgement is due that will open it.
  const bool small = length < supply.segment && next_ + length < supply.end;
  if (small && in_flight()) return std::nullopt;
  return SeqRange{next_, next_ + length};
}

void Sender::Sent(SeqRange piece, Time now) {
  const bool again = piece.begin < highest_;
  if (again) {
    timed_.reset();
  } else if (!timed_) {
    timed_ = Timed{piece.end, now};
  }
  resend_ = false;
  next_ = Later(next_, piece.end);
  highest_ = Later(highest_, next_);
  if (probing_) {
    probing_ = false;
    timeout_.Progress();
    deadline_ = kNever;
  }
  if (deadline_ == kNever) deadline_ = now + timeout_.value();
}

void Sender::Wait(const Supply& supply, Time now) {
  if (in_flight()) return;
  if (supply.end <= next_) {
    deadline_ = kNever;
    probing_ = false;
  } else if (!probing_) {
    probing_ = true;
    deadline_ = now + timeout_.value();
  }
}

Sender::Expired Sender::OnTimer(uint32_t segment, Time now) {
  if (now < deadline_) return Expired::kNothing;
  timeout_.BackOff();
  if (probing_) {
    deadline_ = now + timeout_.value();
    return Expired::kProbe;
  }
  // All of what is in flight may be lost; one segment finds out.
  next_ = acked_;
  allowance_ = segment;
  duplicates_ = 0;
  recover_.reset();
  resend_ = false;
  timed_.reset();
  deadline_ = kNever;
  return Expired::kSend;
}

}  // namespace stubdomain
