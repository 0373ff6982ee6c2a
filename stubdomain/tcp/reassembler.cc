// The bytes of one direction of a connection, put in order and kept.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/reassembler.h"

#include <algorithm>
#include <cstring>

namespace stubdomain {

uint32_t Reassembler::early() const {
  uint32_t sum = 0;
  for (const SeqRange& range : ranges_) sum += range.length();
  return sum;
}

bool Reassembler::Has(SeqRange range) const {
  return std::ranges::any_of(ranges_, [range](const SeqRange& kept) {
    return kept.begin <= range.begin && kept.end >= range.end;
  });
}

size_t Reassembler::memory() const {
  const auto used = std::ranges::count_if(
      chunks_, [](const Chunk& chunk) { return chunk != nullptr; });
  return static_cast<size_t>(used) * kChunk;
}

Reassembler::Result Reassembler::Insert(Seq seq, std::span<const uint8_t> bytes,
                                        Seq limit, size_t max_ranges) {
  const Seq begin = Later(seq, end_);
  const Seq end = Earlier(seq + static_cast<uint32_t>(bytes.size()), limit);
  if (end <= begin) return Result::kNothingNew;
  const auto fresh = bytes.subspan(Distance(seq, begin), Distance(begin, end));

  // The ranges that overlap or touch what is new.
  const auto first = std::ranges::find_if(
      ranges_, [begin](const SeqRange& range) { return range.end >= begin; });
  const auto last =
      std::find_if(first, ranges_.end(),
                   [end](const SeqRange& range) { return range.begin > end; });

  if (begin == end_) {
    Write(begin, fresh);
    end_ = first == last ? end : Later(end, (last - 1)->end);
    ranges_.erase(first, last);
    return Result::kInOrder;
  }
  if (first == last) {
    if (ranges_.size() >= std::min(max_ranges, kMaxRanges)) {
      return Result::kTooManyRanges;
    }
    Write(begin, fresh);
    ranges_.insert(first, {begin, end});
    recent_ = begin;
    return Result::kEarly;
  }
  if (first->begin <= begin && first->end >= end) return Result::kNothingNew;
  Write(begin, fresh);
  first->begin = Earlier(first->begin, begin);
  first->end = Later(end, (last - 1)->end);
  recent_ = first->begin;
  ranges_.erase(first + 1, last);
  return Result::kEarly;
}

void Reassembler::Release(Seq to) {
  if (to <= begin_) return;
  const size_t offset = OffsetOf(to);
  begin_ = to;
  end_ = Later(end_, to);
  const auto covered = std::ranges::find_if(
      ranges_, [to](const SeqRange& range) { return range.begin > to; });
  for (auto range = ranges_.begin(); range != covered; ++range) {
    end_ = Later(end_, range->end);
  }
  ranges_.erase(ranges_.begin(), covered);
  if (empty()) {
    chunks_ = std::vector<Chunk>();
    skew_ = 0;
    return;
  }
  const size_t whole = std::min(offset / kChunk, chunks_.size());
  chunks_.erase(chunks_.begin(),
                chunks_.begin() + static_cast<ptrdiff_t>(whole));
  skew_ = static_cast<uint32_t>(offset % kChunk);
}

void Reassembler::DropEarly() {
  ranges_.clear();
  // Of a chunk that is not needed any more nothing stays.
  chunks_.resize(
      std::min(chunks_.size(), (OffsetOf(end_) + kChunk - 1) / kChunk));
  if (end_ == begin_) {
    chunks_.clear();
    skew_ = 0;
  }
}

void Reassembler::Replace(SeqRange range, std::span<const uint8_t> bytes) {
  struct Piece {
    Seq begin;
    std::vector<uint8_t> bytes;
  };
  const uint32_t shift = static_cast<uint32_t>(bytes.size()) - range.length();
  std::vector<Piece> behind;
  const auto take = [&](SeqRange kept) {
    behind.push_back({kept.begin + shift, {}});
    behind.back().bytes.resize(kept.length());
    Read(kept.begin, behind.back().bytes);
  };
  take({range.end, end_});
  for (const SeqRange& early : ranges_) take(early);
  const Seq recent = recent_ + shift;

  end_ = range.begin;
  DropEarly();
  const Seq limit = end_ + (1u << 31) - 1;
  Insert(end_, bytes, limit);
  for (const Piece& piece : behind) Insert(piece.begin, piece.bytes, limit);
  recent_ = recent;
}

// Calls copy(index of the chunk, offset in it, offset in the range, size).
template <typename Copy>
void Reassembler::ForEachPiece(Seq seq, size_t size, Copy copy) const {
  size_t offset = OffsetOf(seq);
  for (size_t done = 0; done < size;) {
    const size_t within = offset % kChunk;
    const size_t piece = std::min(size - done, kChunk - within);
    copy(offset / kChunk, within, done, piece);
    offset += piece;
    done += piece;
  }
}

void Reassembler::Write(Seq seq, std::span<const uint8_t> bytes) {
  ForEachPiece(
      seq, bytes.size(),
      [&](size_t chunk, size_t at, size_t from, size_t size) {
        if (chunk >= chunks_.size()) chunks_.resize(chunk + 1);
        if (!chunks_[chunk]) {
          chunks_[chunk] = std::make_unique_for_overwrite<uint8_t[]>(kChunk);
        }
        std::memcpy(chunks_[chunk].get() + at, bytes.data() + from, size);
      });
}

void Reassembler::Read(Seq from, std::span<uint8_t> out) const {
  ForEachPiece(from, out.size(),
               [&](size_t chunk, size_t at, size_t to, size_t size) {
                 std::memcpy(out.data() + to, chunks_[chunk].get() + at, size);
               });
}

SackBlocks Reassembler::Sack() const {
  SackBlocks sack;
  for (const SeqRange& range : ranges_) {
    if (range.begin == recent_) sack.Add(range);
  }
  for (const SeqRange& range : ranges_) {
    if (range.begin != recent_) sack.Add(range);
  }
  return sack;
}

void Reassembler::Save(Writer& writer) const {
  const auto put = [&](SeqRange range) {
    std::vector<uint8_t> bytes(range.length());
    Read(range.begin, bytes);
    writer.Bytes(bytes);
  };
  put({begin_, end_});
  writer.U16(static_cast<uint16_t>(ranges_.size()));
  Seq previous = end_;
  for (const SeqRange& range : ranges_) {
    writer.U32(Distance(previous, range.begin));
    put(range);
    previous = range.end;
  }
  writer.Put(recent_);
}

bool Reassembler::Load(Reader& reader, Seq limit) {
  const auto bytes = reader.Bytes();
  if (bytes.size() > Distance(begin_, limit)) return reader.Fail();
  Insert(begin_, bytes, limit);
  const size_t count = reader.U16();
  if (count > kMaxRanges) return reader.Fail();
  for (size_t i = 0; i < count && reader.ok(); ++i) {
    const uint32_t gap = reader.U32();
    const auto range = reader.Bytes();
    const uint64_t left = Distance(last(), limit);
    if (gap == 0 || range.empty() || uint64_t{gap} + range.size() > left) {
      return reader.Fail();
    }
    Insert(last() + gap, range, limit);
  }
  recent_ = reader.GetSeq();
  return reader.ok();
}

}  // namespace stubdomain
