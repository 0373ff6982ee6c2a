// The stub in the path of a connection: changing what is kept for the guest.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>

#include "tcp/adoption.h"

namespace stubdomain {

EditRefusal Adoption::Edit(SeqRange range,
                           std::span<const uint8_t> replacement) {
  const Reassembler& bytes = receiver_.bytes();
  if (range.end > bytes.end()) return EditRefusal::kNotKept;
  if (range.begin < unsent()) return EditRefusal::kSent;
  // Sequence numbers must be able to tell what is kept from what is promised.
  const uint64_t most =
      uint64_t{Distance(bytes.begin(), Later(receiver_.edge(), bytes.end()))} +
      replacement.size();
  if (most > kMaxFlowBuffer || !receiver_.Replace(range, replacement)) {
    return EditRefusal::kNoRoom;
  }
  const auto size = static_cast<uint32_t>(replacement.size());
  const uint32_t shift = size - range.length();
  Stream& peer = connection_->peer;
  peer.next += shift;
  // What the peer has sent in order can become less by this, and by nothing
  // else; so NotePeer() does not see it.
  peer.seen = peer.PositionOf(receiver_.next());
  if (peer.fin_seen()) {
    peer.fin += static_cast<uint64_t>(int64_t{static_cast<int32_t>(shift)});
  }
  // What was urgent of the bytes that were replaced, their replacement is.
  if (urgent_ && *urgent_ > range.begin) {
    urgent_ = Later(range.begin + size, *urgent_ + shift);
  }
  OfferWindow();
  return EditRefusal::kNone;
}

void Adoption::Sever(Output& output) {
  Refuse(output);
  severed_ = true;
}

void Adoption::EndForGuest(bool reset, Time now, Output& output) {
  Stream& peer = connection_->peer;
  receiver_.Close(!reset);
  reset_ = reset;
  peer.fin = reset ? Stream::kNoFin : peer.PositionOf(*receiver_.fin());
  peer.next = receiver_.next();
  peer.seen = peer.PositionOf(receiver_.next());
  if (urgent_) urgent_ = Earlier(*urgent_, receiver_.bytes().end());
  Settle(now, output);
}

// A peer that has not got the reset, or has sent something before.
void Adoption::OnSevered(const TcpSegment& segment, Time now, Output& output) {
  if (segment.has(kRst) || !segment.has(kAck) || !peer_challenges_.Allow(now)) {
    return;
  }
  TcpFields fields = FieldsForPeer(segment.ack, receiver_.edge());
  fields.flags = kRst | kAck;
  fields.options.sack = {};
  SendToPeer(fields, output);
}

}  // namespace stubdomain
