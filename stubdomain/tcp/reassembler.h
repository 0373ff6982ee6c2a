// The bytes of one direction of a connection, put in order and kept.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_REASSEMBLER_H_
#define STUBDOMAIN_TCP_REASSEMBLER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "wire/seq.h"
#include "wire/serial.h"
#include "wire/tcp_options.h"

namespace stubdomain {

// Keeps [begin, end) without a gap, and ranges behind `end` that came too
// early. Takes memory only for what it keeps, in chunks of kChunk.
class Reassembler {
 public:
  static constexpr size_t kChunk = 16 << 10;
  // Ranges behind the first gap: no more, whatever is asked for.
  static constexpr size_t kMaxRanges = 1024;

  explicit Reassembler(Seq begin) : begin_(begin), end_(begin) {}

  Seq begin() const { return begin_; }
  Seq end() const { return end_; }
  // Bytes without a gap, and behind gaps.
  uint32_t ready() const { return Distance(begin_, end_); }
  uint32_t early() const;
  bool empty() const { return begin_ == end_ && ranges_.empty(); }
  // Where the last byte that is kept ends.
  Seq last() const { return ranges_.empty() ? end_ : ranges_.back().end; }
  // All of the range is kept behind a gap.
  bool Has(SeqRange range) const;
  // Bytes of memory behind it all.
  size_t memory() const;

  enum class Result {
    kInOrder,        // end() moved on
    kEarly,          // kept behind a gap
    kNothingNew,     // it was all there, or lies behind `limit`
    kTooManyRanges,  // one gap more than is allowed
  };
  // Keeps what is new of `bytes`, but nothing from `limit` on. Unless the
  // result is kInOrder or kEarly nothing has changed. `max_ranges`: as many
  // ranges may lie behind gaps.
  Result Insert(Seq seq, std::span<const uint8_t> bytes, Seq limit,
                size_t max_ranges = kMaxRanges);

  // Forgets what lies before `to`, kept or not; end() moves along. A `to`
  // before begin() does nothing.
  void Release(Seq to);

  // Forgets what is kept behind the first gap.
  void DropEarly();

  // Puts `bytes` in the place of `range`, which lies within [begin, end). What
  // is kept behind it moves by the difference; end() and last() move along.
  // Takes time for all that is kept behind `range.begin`.
  void Replace(SeqRange range, std::span<const uint8_t> bytes);

  // Copies bytes that are ready: [from, from + out.size()) lies within
  // [begin, end).
  void Read(Seq from, std::span<uint8_t> out) const;

  // What lies behind gaps, the most recently changed range first.
  SackBlocks Sack() const;

  void Save(Writer& writer) const;
  // False: malformed, or reaches beyond `limit`. `this` is fresh, and of no
  // use after a refusal.
  bool Load(Reader& reader, Seq limit);

 private:
  using Chunk = std::unique_ptr<uint8_t[]>;

  // Offsets count from the first byte of the first chunk.
  size_t OffsetOf(Seq seq) const { return skew_ + Distance(begin_, seq); }
  void Write(Seq seq, std::span<const uint8_t> bytes);
  template <typename Copy>
  void ForEachPiece(Seq seq, size_t size, Copy copy) const;

  Seq begin_;
  Seq end_;
  // Ascending, with gaps between them and before the first.
  std::vector<SeqRange> ranges_;
  Seq recent_;  // begin of the range that changed last
  // From begin_ on; null where nothing was written yet.
  std::vector<Chunk> chunks_;
  uint32_t skew_ = 0;  // of begin_ in the first chunk
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_REASSEMBLER_H_
