// One TCP connection of the guest: speaking for either side, which never knows.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/tcp_flow.h"

namespace stubdomain {
namespace {

AnswerRefusal From(EditRefusal refusal) {
  switch (refusal) {
    case EditRefusal::kNone:
      return AnswerRefusal::kNone;
    case EditRefusal::kNotKept:
    case EditRefusal::kSent:
      return AnswerRefusal::kSent;
    case EditRefusal::kNoRoom:
      break;
  }
  return AnswerRefusal::kNoRoom;
}

}  // namespace

EditRefusal TcpFlow::Replace(uint64_t position, uint32_t length,
                             std::span<const uint8_t> replacement) {
  if (!adoption_ || position > peer_bytes() ||
      length > peer_bytes() - position) {
    return EditRefusal::kNotKept;
  }
  const Seq begin = connection_.peer.SeqAt(position + 1);
  const auto refusal = adoption_->Edit({begin, begin + length}, replacement);
  if (refusal != EditRefusal::kNone) return refusal;
  translation_.peer_seq += static_cast<uint32_t>(replacement.size()) - length;
  return EditRefusal::kNone;
}

EditRefusal TcpFlow::EditReply(uint64_t position, uint32_t length,
                               std::span<const uint8_t> replacement, Time now,
                               Output& output) {
  const EditRefusal refusal = Replace(position, length, replacement);
  if (refusal != EditRefusal::kNone) return refusal;
  Translated(output, [&](Output& sent) {
    adoption_->Flush(now, sent);
    LeaveIfLevel(now, sent);
  });
  return EditRefusal::kNone;
}

SendRefusal TcpFlow::MaySend() const {
  const Stream& guest = connection_.guest;
  if (phase() != Phase::kAdopted || !adoption_ || handshake_) {
    return SendRefusal::kNotStopped;
  }
  if (guest.fin_seen() || closed() || adoption_->reset()) {
    return SendRefusal::kClosed;
  }
  // Later than this the guest may send again what it thinks is under way, and
  // nobody could tell that from what comes behind the added bytes.
  if (guest.next != guest.acked_seq() && !adoption_->added()) {
    return SendRefusal::kBusy;
  }
  // It may send again its part of the handshake, which then meant another one,
  // until it has shown that it knows that to be over.
  if (guest.acked <= 1 && connection_.peer.acked <= 1) {
    return SendRefusal::kBusy;
  }
  return SendRefusal::kNone;
}

SendRefusal TcpFlow::SendInGuestsName(std::span<const uint8_t> bytes, Time now,
                                      Output& output) {
  Stream& guest = connection_.guest;
  const SendRefusal refusal = MaySend();
  if (refusal != SendRefusal::kNone) return refusal;
  if (bytes.size() > resend_->per_flow) return SendRefusal::kNoRoom;
  const Seq end = guest.next + static_cast<uint32_t>(bytes.size());
  if (!connection_.resend) {
    connection_.resend = std::make_unique<ResendStore>(guest.next, resend_);
  }
  connection_.resend->Keep(guest.next, bytes, end);
  if (connection_.resend->end() != end) return SendRefusal::kNoRoom;
  guest.next = end;
  guest.seen = guest.PositionOf(end);
  translation_.guest_seq += static_cast<uint32_t>(bytes.size());
  Translated(output, [&](Output& sent) { adoption_->Added(now, sent); });
  return SendRefusal::kNone;
}

AnswerRefusal TcpFlow::Answer(uint64_t position, uint32_t length,
                              std::span<const uint8_t> bytes, PeerEnd end,
                              Time now, Output& output) {
  if (!established() || closed() || !tracked() || peer_reset() || handshake_ ||
      detached_) {
    return AnswerRefusal::kUnfit;
  }
  if (!adoption_) {
    // Only where the guest stands is known to it is there a place for more.
    if (connection_.peer.next != connection_.peer.acked_seq() ||
        position != peer_bytes()) {
      return AnswerRefusal::kSent;
    }
    adoption_.emplace(&connection_, Adoption::Guest::kReady, config_, budget_,
                      now);
  }
  if (end != PeerEnd::kOpen && position <= peer_bytes()) {
    length = static_cast<uint32_t>(peer_bytes() - position);
  }
  // The guest counts a FIN then that the peer has not sent.
  const bool fin = end == PeerEnd::kFin && !peer_closed();
  const auto refusal = From(Replace(position, length, bytes));
  const bool ends = refusal == AnswerRefusal::kNone && end != PeerEnd::kOpen;
  if (ends) {
    Translated(output, [&](Output& sent) { adoption_->Sever(sent); });
    if (fin) ++translation_.peer_seq;
  }
  Translated(output, [&](Output& sent) {
    if (ends) {
      adoption_->EndForGuest(end == PeerEnd::kReset, now, sent);
    } else {
      adoption_->GoOn(now, sent);
    }
    LeaveIfLevel(now, sent);
  });
  return refusal;
}

}  // namespace stubdomain
