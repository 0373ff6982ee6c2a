// For tests: a TCP that is simple enough to be obviously right.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/model_tcp.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace stubdomain {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(1);
constexpr Duration kMaxTimeout = std::chrono::seconds(3);
// Keep-alives without an answer.
constexpr int kMaxUnanswered = 3;

}  // namespace

Seq ModelTcp::ReceiveNext() const {
  return *other_isn_ + 1 + static_cast<uint32_t>(received_) +
         (closed_by_other() ? 1 : 0);
}

uint8_t ModelTcp::ExpectedAt(uint64_t position) const {
  if (options_.expected == nullptr) {
    return PatternAt(options_.other_pattern, position);
  }
  EXPECT_LT(position, options_.expected->size());
  return position < options_.expected->size() ? (*options_.expected)[position]
                                              : 0;
}

uint32_t ModelTcp::Window() const {
  const uint64_t edge = std::max(announced_, read_ + options_.receive_buffer);
  const uint64_t units = (edge - received_) >> options_.shift;
  return static_cast<uint32_t>(std::min<uint64_t>(units, 65535));
}

void ModelTcp::Start(Time now) {
  clock_ = now;
  if (!options_.client) return;
  SendSegment(0, 0, kSyn);
  timer_ = now + timeout_;
}

uint64_t ModelTcp::Written() const {
  if (options_.write == 0) return options_.send;
  if (!first_write_) return 0;
  const auto writes = (clock_ - *first_write_) / options_.write_every + 1;
  return std::min(options_.send,
                  options_.write * static_cast<uint64_t>(writes));
}

void ModelTcp::Reset(Seq seq) {
  dead_ = true;
  TcpFields fields;
  fields.seq = seq;
  fields.ack = ReceiveNext();
  fields.flags = kRst | kAck;
  transmit_(TcpFrame(options_.route, fields, 0).Finish());
}

void ModelTcp::OnSegment(const TcpSegment& segment, Time now) {
  clock_ = now;
  unanswered_ = 0;
  if (dead_) {
    if (!segment.has(kRst)) Reset(segment.ack);
    return;
  }
  if (reset_) return;
  if (options_.keepalive > Duration::zero() && syn_acked_) {
    next_keepalive_ = now + options_.keepalive;
  }
  if (segment.has(kSyn)) {
    OnSyn(segment);
    if (segment.has(kAck)) OnAck(segment, now);
    Send(now);
    return;
  }
  if (!other_isn_) return;
  const auto& timestamps = segment.options.timestamps;
  if (options_.timestamps && timestamps && !segment.has(kRst)) {
    if (static_cast<int32_t>(timestamps->value - recent_timestamp_) < 0) {
      SendAck();
      return;
    }
  }
  const int32_t ahead = segment.seq - ReceiveNext();
  if (segment.has(kRst)) {
    reset_ = reset_ || ahead == 0;
    return;
  }
  // A challenge to whatever lies outside of the window.
  const auto window = static_cast<int32_t>(Window() << options_.shift);
  if (segment.end() < ReceiveNext() || ahead > window) {
    SendAck();
    return;
  }
  if (timestamps && ahead <= 0) recent_timestamp_ = timestamps->value;
  OnAck(segment, now);
  OnPayload(segment);
  Send(now);
  if (ack_due_) SendAck();
}

void ModelTcp::OnSyn(const TcpSegment& segment) {
  if (other_isn_) {
    // A repeated SYN: the answer may have been lost.
    if (syn_acked_) {
      SendAck();
    } else {
      SendSegment(0, 0, kSyn | kAck);
    }
    return;
  }
  other_isn_ = segment.seq;
  other_mss_ = segment.options.mss.value_or(536);
  other_shift_ = segment.options.window_shift.value_or(0);
  // Windows are scaled by both sides or by neither.
  other_scales_ = segment.options.window_shift.has_value();
  if (!other_scales_) options_.shift = 0;
  if (segment.options.timestamps) {
    recent_timestamp_ = segment.options.timestamps->value;
  }
  if (options_.client && segment.has(kAck)) {
    SendAck();
  } else {
    SendSegment(0, 0, kSyn | kAck);
    timer_ = clock_ + timeout_;
  }
}

void ModelTcp::OnAck(const TcpSegment& segment, Time now) {
  if (!segment.has(kAck)) return;
  if (!syn_acked_) {
    if (segment.ack - SendSeq(0) < 0) return;
    syn_acked_ = true;
    timer_ = kNever;
  }
  const int64_t position =
      static_cast<int64_t>(acked_) + (segment.ack - SendSeq(acked_));
  ASSERT_LE(position, static_cast<int64_t>(highest_) + (fin_acked_ ? 1 : 0))
      << "acknowledges what was never sent";
  if (position < static_cast<int64_t>(acked_)) return;
  const uint8_t shift = segment.has(kSyn) ? 0 : other_shift_;
  const uint64_t edge =
      static_cast<uint64_t>(position) + (uint64_t{segment.window} << shift);
  const bool moved = position > static_cast<int64_t>(acked_);
  if (moved) {
    acked_ = static_cast<uint64_t>(position);
    fin_acked_ = acked_ == options_.send + 1;
    next_ = std::max(next_, acked_);
    allowance_ = std::min<uint64_t>(2 * allowance_, 1 << 20);
    duplicates_ = 0;
    timeout_ = std::chrono::milliseconds(300);
    timer_ = next_ > acked_ ? now + timeout_ : kNever;
  } else if (edge <= edge_ && segment.length() == 0 && next_ > acked_ &&
             options_.retransmits && ++duplicates_ == 3) {
    const uint64_t end = std::min(next_, options_.send);
    const uint64_t size = std::min<uint64_t>(other_mss_ / 2, end - acked_);
    SendSegment(acked_, static_cast<uint32_t>(size),
                kAck | (size == 0 ? kFin : 0));
  }
  edge_ = std::max(edge_, edge);
}

void ModelTcp::OnPayload(const TcpSegment& segment) {
  if (segment.length() == 0) return;
  ack_due_ = true;
  if (closed_by_other()) return;
  const auto begin =
      static_cast<int64_t>(received_) + (segment.seq - ReceiveNext());
  const auto limit = static_cast<int64_t>(
      std::max(announced_, read_ + options_.receive_buffer));
  const int64_t end = std::min<int64_t>(
      begin + static_cast<int64_t>(segment.payload.size()), limit);
  if (segment.has(kFin) &&
      end == begin + static_cast<int64_t>(segment.payload.size())) {
    fin_ = static_cast<uint64_t>(end);
  }
  const int64_t from = std::max(begin, static_cast<int64_t>(received_));
  if (end > from) {
    for (int64_t at = from; at < end; ++at) {
      ASSERT_EQ(segment.payload[static_cast<size_t>(at - begin)],
                ExpectedAt(static_cast<uint64_t>(at)))
          << "at byte " << at;
    }
    auto& range = early_[static_cast<uint64_t>(from)];
    range = std::max(range, static_cast<uint64_t>(end));
  }
  while (!early_.empty() && early_.begin()->first <= received_) {
    received_ = std::max(received_, early_.begin()->second);
    early_.erase(early_.begin());
  }
  if (received_ > read_ && next_read_ == kNever) {
    next_read_ = std::max(clock_ + kTick, options_.read_from);
  }
}

Time ModelTcp::Deadline() const {
  if (dead_ || reset_) return kNever;
  return std::min({options_.retransmits ? timer_ : kNever, next_read_,
                   next_write_, next_keepalive_,
                   clock_ < options_.begin ? options_.begin : kNever});
}

void ModelTcp::OnTimer(Time now) {
  clock_ = now;
  if (now >= next_write_) next_write_ = kNever;
  Send(now);
  if (now >= next_keepalive_) {
    if (++unanswered_ > kMaxUnanswered) {
      reset_ = true;
      return;
    }
    next_keepalive_ = done() ? kNever : now + options_.keepalive;
    if (done()) return;
    if (acked_ > 0 || syn_acked_) SendSegment(acked_ - 1, 0, kAck);
  }
  if (now >= next_read_) {
    read_ = std::min(received_, read_ + options_.read_rate);
    next_read_ = received_ > read_ ? now + kTick : kNever;
    const uint64_t edge = read_ + options_.receive_buffer;
    if (edge >= announced_ + std::min<uint64_t>(2 * options_.mss,
                                                options_.receive_buffer / 2)) {
      SendAck();
    }
  }
  if (now < timer_) return;
  if (syn_acked_ && next_ <= acked_ && next_ >= Written()) {
    timer_ = kNever;
    return;
  }
  timeout_ = std::min(2 * timeout_, kMaxTimeout);
  timer_ = now + timeout_;
  if (!syn_acked_) {
    SendSegment(0, 0, kSyn | (other_isn_ ? kAck : 0));
    return;
  }
  if (next_ > acked_) {
    next_ = acked_;
    allowance_ = other_mss_;
    duplicates_ = 0;
    timer_ = kNever;
    Send(now);
    return;
  }
  // A probe of a closed window: a byte, or nothing where nothing is expected.
  if (edge_ <= next_ && next_ < Written()) {
    if ((now.time_since_epoch().count() & 1) != 0) {
      highest_ = std::max(highest_, next_ + 1);
      SendSegment(next_, 1, kAck);
    } else {
      SendSegment(acked_ - 1, 0, kAck);
    }
  }
}

void ModelTcp::Send(Time now) {
  if (!MaySend()) return;
  if (!first_write_) first_write_ = now;
  const uint64_t written = Written();
  if (written < options_.send && next_write_ == kNever) {
    next_write_ = now + options_.write_every -
                  (now - *first_write_) % options_.write_every;
  }
  if (options_.ends_by_reset && MayClose() && acked_ == options_.send) {
    Reset(SendSeq(next_));
    return;
  }
  const bool close = MayClose() && !options_.ends_by_reset;
  const uint64_t limit = std::min({written, edge_, acked_ + allowance_});
  const uint32_t overhead = options_.timestamps ? 12 : 0;
  const uint32_t most = (other_mss_ - overhead) * options_.burst;
  while (next_ < limit) {
    const auto size =
        static_cast<uint32_t>(std::min<uint64_t>(most, limit - next_));
    const bool fin = close && next_ + size == options_.send;
    SendSegment(next_, size, kAck | kPsh | (fin ? kFin : 0));
    next_ += size + (fin ? 1 : 0);
  }
  if (close && next_ == options_.send && acked_ <= options_.send) {
    SendSegment(next_, 0, kAck | kFin);
    ++next_;
  }
  highest_ = std::max(highest_, next_);
  const bool more = next_ > acked_ || next_ < written;
  if (timer_ == kNever && more) timer_ = now + timeout_;
}

void ModelTcp::SendSegment(uint64_t position, uint32_t size, uint8_t flags) {
  const bool syn = (flags & kSyn) != 0;
  TcpFields fields;
  fields.seq = syn ? options_.isn : SendSeq(position);
  fields.flags = flags;
  if (syn) {
    fields.options.mss = options_.mss;
    if (!other_isn_ || other_scales_) {
      fields.options.window_shift = options_.shift;
    }
    fields.window = static_cast<uint16_t>(
        std::min<uint32_t>(options_.receive_buffer, 65535));
  } else {
    fields.window = static_cast<uint16_t>(Window());
    announced_ = std::max(
        announced_, received_ + (uint64_t{fields.window} << options_.shift));
  }
  if (other_isn_) fields.ack = ReceiveNext();
  if (options_.timestamps) {
    fields.options.timestamps =
        Timestamps{static_cast<uint32_t>(clock_.time_since_epoch() / kTick),
                   recent_timestamp_};
  }
  TcpFrame frame(options_.route, fields, size);
  for (uint32_t i = 0; i < size; ++i) {
    frame.payload()[i] = PatternAt(options_.pattern, position + i);
  }
  ack_due_ = false;
  const uint16_t segment =
      static_cast<uint16_t>(other_mss_ - (options_.timestamps ? 12 : 0));
  transmit_(size > segment ? std::move(frame).FinishGso(segment)
                           : std::move(frame).Finish());
}

void ModelTcp::SendAck() {
  if (!other_isn_) return;
  // Behind what was sent, even while it is being sent again: before that the
  // other side would look at nothing but the sequence number.
  SendSegment(std::max(next_, std::min(highest_, edge_)), 0, kAck);
}

}  // namespace stubdomain
