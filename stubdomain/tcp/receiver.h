// The receiving half of a TCP: what to take, and how much more to allow.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_RECEIVER_H_
#define STUBDOMAIN_TCP_RECEIVER_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include "tcp/buffer_budget.h"
#include "tcp/reassembler.h"
#include "wire/packet.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// After this long a sender's timestamps may have wrapped, so that they no
// longer tell old segments from new ones (RFC 7323, 5.5; for a clock that ticks
// every microsecond).
inline constexpr Duration kTimestampsExpire = std::chrono::seconds(2147);

// Decides only; the owner builds the acknowledgements. The edge is the end of
// the window: it never moves back, and what lies before it is kept when it
// comes, since room for it was reserved when it was promised. (Room for a
// window that someone else had promised may be lacking: then what lies beyond
// limit() is not acknowledged, and has to be sent again.)
class Receiver {
 public:
  enum class Due {
    kNothing,
    kLater,  // an acknowledgement that may wait for more segments
    kNow,
  };

  // Continues a receiver that expects `next`, has promised `edge`, has `fin`
  // announced to it, and saw `timestamp` last. `shift`: of its windows.
  Receiver(Seq next, Seq edge, std::optional<Seq> fin, uint8_t shift,
           uint32_t timestamp, BufferBudget* budget, Time now);

  // What is acknowledged: behind all bytes without a gap, and the FIN.
  Seq next() const { return bytes_.end() + (fin_received() ? 1 : 0); }
  bool fin_received() const { return fin_ && *fin_ == bytes_.end(); }
  Seq edge() const { return edge_; }
  Seq limit() const { return limit_; }
  const Reassembler& bytes() const { return bytes_; }
  // The FIN, once it has come, whether in order or not.
  std::optional<Seq> fin() const { return fin_; }
  // Behind the last thing that has come, in order or not.
  Seq last() const { return fin_ ? *fin_ + 1 : bytes_.last(); }

  // -- what comes --

  // An old duplicate, by its timestamp (PAWS: RFC 7323, 5.3).
  bool Outdated(const TcpSegment& segment, Time now) const;
  // It lies in the window, or borders on it (RFC 9293, 3.10.7.4).
  bool Acceptable(const TcpSegment& segment) const {
    return segment.end() >= next() && segment.seq <= edge_;
  }
  // Notes what a segment brings again, for the next acknowledgement to report
  // (D-SACK: RFC 2883). To be called before Take().
  void NoteDuplicate(const TcpSegment& segment);
  // Takes timestamp, payload and FIN of an acceptable segment.
  struct Terms {
    uint32_t mss;
    size_t max_ranges;  // no more may lie behind gaps
    Seq sent;           // behind all that was ever sent: no FIN lies before
  };
  void Take(const TcpSegment& segment, const Terms& terms, Time now);

  // -- what goes out --

  Due due() const { return due_; }
  void Demand(Due due) { due_ = std::max(due_, due); }
  // For the next acknowledgement.
  uint16_t window() const;
  uint32_t timestamp() const { return timestamp_; }
  SackBlocks Sack() const;
  // An acknowledgement of all this is sent.
  void Acknowledged() {
    acknowledged_ = next();
    duplicate_.reset();
    due_ = Due::kNothing;
  }
  Seq acknowledged() const { return acknowledged_; }

  // -- room --

  // Promises what lies before `edge`, or as much of it as can be reserved.
  void Promise(Seq edge);
  // How far room could be reserved now.
  Seq Reachable() const;
  // Something that was promised came and was not kept, for lack of room.
  bool lacking() const { return lacking_ && limit_ < edge_; }
  // Reserves what is lacking, as far as it goes. The peer is to hear of it: it
  // has to send again what was not kept.
  void Feed();
  // The bytes before `to` are no longer needed, or came another way.
  void Release(Seq to);

  // Puts `replacement` in the place of `range` of the bytes that are ready.
  // What lies behind it is numbered anew, and so are all promises: the peer
  // sees none of it. False, and nothing changed: there is no room for more.
  bool Replace(SeqRange range, std::span<const uint8_t> replacement);

  // No more is taken than the bytes that are ready. `fin`: a FIN counts as
  // received behind them.
  void Close(bool fin);

  // -- serial form --

  void Save(Writer& writer) const;
  // Of a receiver that was just made, with nothing kept. False: malformed, or
  // reaches beyond `bound`; of no use then. What was promised is not reserved
  // yet: what others keep comes before that.
  bool Load(Reader& reader, Seq bound);
  // Once all were loaded.
  void Loaded() {
    if (!fin_received()) Reserve(edge_);
  }

 private:
  void Reserve(Seq limit);
  void DropRoom();

  Reassembler bytes_;
  BufferShare share_;  // reserves [bytes_.begin(), limit_)
  Seq edge_;
  Seq limit_;
  std::optional<Seq> fin_;
  Seq acknowledged_;
  uint32_t timestamp_;
  Time timestamp_time_;
  uint8_t shift_;
  Due due_ = Due::kNothing;
  std::optional<SeqRange> duplicate_;
  bool lacking_ = false;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_RECEIVER_H_
