// The suspend file's index.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "suspend/index.h"

#include "state/crc32.h"
#include "wire/serial.h"

namespace stubdomain {
namespace {

void Put(uint64_t offset, std::span<const uint8_t> bytes, Writer& out) {
  out.U64(offset);
  out.U64(bytes.size());
  out.U32(Crc32(bytes));
}

bool IsInside(uint64_t offset, uint64_t length, uint64_t end) {
  return offset <= end && length <= end - offset;
}

}  // namespace

std::vector<uint8_t> EncodeSuspendIndex(const SuspendLayout& layout,
                                        const SuspendStream& stream,
                                        std::span<const uint8_t> bitmaps) {
  Writer out;
  out.U32(static_cast<uint32_t>(stream.pieces().size() + 1));
  for (const SuspendPiece& piece : stream.pieces()) {
    // The mark changes when the VM wakes.
    const size_t mark = piece.offset == 0 ? SD_SUSPEND_MARK_SIZE : 0;
    Put(piece.offset + mark, std::span(piece.bytes).subspan(mark), out);
  }
  Put(SD_SUSPEND_BITMAPS_OFFSET, bitmaps, out);
  if (layout.checksums_offset() != 0) {
    out.U32(static_cast<uint32_t>(layout.blocks().size()));
    for (const SuspendBlock& block : layout.blocks()) {
      out.U64(block.pages_offset);
      out.U64(block.length);
    }
  }
  return out.data();
}

std::optional<SuspendIndex> DecodeSuspendIndex(std::span<const uint8_t> data,
                                               uint64_t file_length,
                                               bool checksums) {
  Reader in(data);
  SuspendIndex index;
  const uint32_t count = in.U32();
  for (uint32_t i = 0; i < count && in.ok(); i++) {
    sd_suspend_part part = {};
    part.offset = in.U64();
    part.length = in.U64();
    part.crc = in.U32();
    if (!IsInside(part.offset, part.length, file_length) ||
        part.length > SD_SUSPEND_PART_MAX) {
      return std::nullopt;
    }
    index.parts.push_back(part);
  }
  const uint32_t blocks = checksums ? in.U32() : 0;
  for (uint32_t i = 0; i < blocks && in.ok(); i++) {
    sd_suspend_extent block = {};
    block.offset = in.U64();
    block.length = in.U64();
    if (!IsInside(block.offset, block.length, file_length)) return std::nullopt;
    index.blocks.push_back(block);
  }
  if (!in.ok() || in.left() != 0) return std::nullopt;
  return index;
}

}  // namespace stubdomain
