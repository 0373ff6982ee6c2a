// The receiving half of a TCP: what to take, and how much more to allow.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/receiver.h"

#include <algorithm>
#include <limits>

namespace stubdomain {
namespace {

// A FIN that the peer has had acknowledged is behind the bytes, not one of
// them.
Seq BytesBegin(Seq next, std::optional<Seq> fin) {
  return fin && next > *fin ? *fin : next;
}

bool Older(uint32_t timestamp, uint32_t than) {
  return static_cast<int32_t>(timestamp - than) < 0;
}

}  // namespace

Receiver::Receiver(Seq next, Seq edge, std::optional<Seq> fin, uint8_t shift,
                   uint32_t timestamp, BufferBudget* budget, Time now)
    : bytes_(BytesBegin(next, fin)),
      share_(budget),
      edge_(Later(edge, next)),
      limit_(bytes_.begin()),
      fin_(fin),
      acknowledged_(next),
      timestamp_(timestamp),
      timestamp_time_(now),
      shift_(shift) {
  if (!fin_received()) Reserve(edge_);
}

bool Receiver::Outdated(const TcpSegment& segment, Time now) const {
  return segment.options.timestamps &&
         Older(segment.options.timestamps->value, timestamp_) &&
         now - timestamp_time_ < kTimestampsExpire;
}

void Receiver::NoteDuplicate(const TcpSegment& segment) {
  const auto size = static_cast<uint32_t>(segment.payload.size());
  const Seq end = Earlier(segment.seq + size, bytes_.end());
  if (size == 0 || duplicate_) return;
  if (end > segment.seq) {
    duplicate_ = SeqRange{segment.seq, end};
  } else if (bytes_.Has({segment.seq, segment.seq + size})) {
    duplicate_ = SeqRange{segment.seq, segment.seq + size};
  }
}

SackBlocks Receiver::Sack() const {
  if (!duplicate_) return bytes_.Sack();
  SackBlocks sack;
  sack.Add(*duplicate_);
  const SackBlocks early = bytes_.Sack();
  for (const SeqRange& block : early.all()) sack.Add(block);
  return sack;
}

void Receiver::Take(const TcpSegment& segment, const Terms& terms, Time now) {
  const auto& timestamps = segment.options.timestamps;
  if (timestamps && segment.seq <= acknowledged_ && !Outdated(segment, now)) {
    timestamp_ = timestamps->value;
    timestamp_time_ = now;
  }
  if (segment.length() == 0) return;

  const auto size = static_cast<uint32_t>(segment.payload.size());
  const Seq fin = segment.seq + size;
  if (segment.has(kFin) && !fin_ && fin >= Later(bytes_.last(), terms.sent) &&
      fin <= edge_) {
    fin_ = fin;
  }
  const bool gap = bytes_.early() > 0;
  const auto result =
      bytes_.Insert(segment.seq, segment.payload,
                    fin_ ? Earlier(limit_, *fin_) : limit_, terms.max_ranges);
  lacking_ |= segment.end() > limit_ && limit_ < edge_;
  if (fin_received()) DropRoom();
  // RFC 5681, 4.2: every second full segment is acknowledged, and at once
  // whatever is not simply the next one.
  const bool plain = result == Reassembler::Result::kInOrder && !gap &&
                     !segment.has(kFin) &&
                     Distance(acknowledged_, next()) < 2 * terms.mss;
  Demand(plain ? Due::kLater : Due::kNow);
}

uint16_t Receiver::window() const {
  // Rounded down: less than one unit is not announced, but still taken.
  return static_cast<uint16_t>(std::min<uint32_t>(
      Distance(next(), edge_) >> shift_, std::numeric_limits<uint16_t>::max()));
}

void Receiver::Promise(Seq edge) {
  if (fin_received()) return;
  Reserve(Later(edge, edge_));
  edge_ = Later(edge_, limit_);
}

void Receiver::Feed() {
  const Seq before = limit_;
  Reserve(edge_);
  if (limit_ > before) Demand(Due::kLater);
  lacking_ = limit_ < edge_;
}

Seq Receiver::Reachable() const {
  const uint64_t most = (uint64_t{1} << 30) - 1;
  return limit_ +
         static_cast<uint32_t>(std::min<uint64_t>(share_.available(), most));
}

void Receiver::Release(Seq to) {
  const Seq before = next();
  to = BytesBegin(to, fin_);
  share_.Release(Distance(bytes_.begin(), Earlier(to, limit_)));
  limit_ = Later(limit_, to);
  bytes_.Release(to);
  edge_ = Later(edge_, bytes_.begin());
  if (fin_received()) DropRoom();
  if (next() != before) Demand(Due::kLater);
}

bool Receiver::Replace(SeqRange range, std::span<const uint8_t> replacement) {
  const auto size = static_cast<uint32_t>(replacement.size());
  if (size > range.length()) {
    const uint32_t more = size - range.length();
    if (share_.available() < more) return false;
    share_.Take(more);
  } else {
    share_.Release(range.length() - size);
  }
  bytes_.Replace(range, replacement);
  const uint32_t shift = size - range.length();
  edge_ += shift;
  limit_ += shift;
  acknowledged_ += shift;
  if (duplicate_)
    *duplicate_ = {duplicate_->begin + shift, duplicate_->end + shift};
  if (fin_) *fin_ += shift;
  return true;
}

void Receiver::Close(bool fin) {
  bytes_.DropEarly();
  fin_ = fin ? std::optional(bytes_.end()) : std::nullopt;
  DropRoom();
  edge_ = next();
  acknowledged_ = next();
  lacking_ = false;
  due_ = Due::kNothing;
}

void Receiver::Reserve(Seq limit) {
  limit_ += static_cast<uint32_t>(share_.Reserve(Distance(limit_, limit)));
}

// Nothing comes behind a FIN.
void Receiver::DropRoom() {
  share_.Release(Distance(bytes_.end(), limit_));
  limit_ = bytes_.end();
}

void Receiver::Save(Writer& writer) const {
  bytes_.Save(writer);
  writer.Put(edge_);
  writer.Put(acknowledged_);
  writer.U32(timestamp_);
}

bool Receiver::Load(Reader& reader, Seq bound) {
  if (!bytes_.Load(reader, fin_ ? Earlier(*fin_, bound) : bound)) return false;
  edge_ = reader.GetSeq();
  acknowledged_ = reader.GetSeq();
  timestamp_ = reader.U32();
  if (edge_ < bytes_.last() || edge_ > bound || acknowledged_ > next()) {
    return reader.Fail();
  }
  // The bytes are there whether they fit into the budget or not.
  share_.Release(share_.amount());
  limit_ = bytes_.last();
  share_.Take(Distance(bytes_.begin(), limit_));
  if (fin_received()) DropRoom();
  if (acknowledged_ != next()) due_ = Due::kNow;
  return reader.ok();
}

}  // namespace stubdomain
