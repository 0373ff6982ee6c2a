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

}  // namespace

std::vector<uint8_t> EncodeSuspendIndex(const SuspendStream& stream,
                                        std::span<const uint8_t> bitmaps) {
  Writer out;
  out.U32(static_cast<uint32_t>(stream.pieces().size() + 1));
  for (const SuspendPiece& piece : stream.pieces()) {
    // The mark changes when the VM wakes.
    const size_t mark = piece.offset == 0 ? SD_SUSPEND_MARK_SIZE : 0;
    Put(piece.offset + mark, std::span(piece.bytes).subspan(mark), out);
  }
  Put(SD_SUSPEND_BITMAPS_OFFSET, bitmaps, out);
  return out.data();
}

std::optional<std::vector<sd_suspend_part>> DecodeSuspendIndex(
    std::span<const uint8_t> data, uint64_t file_length) {
  Reader in(data);
  const uint32_t count = in.U32();
  std::vector<sd_suspend_part> parts;
  for (uint32_t i = 0; i < count && in.ok(); i++) {
    sd_suspend_part part = {};
    part.offset = in.U64();
    part.length = in.U64();
    part.crc = in.U32();
    if (part.offset > file_length || part.length > file_length - part.offset ||
        part.length > SD_SUSPEND_PART_MAX) {
      return std::nullopt;
    }
    parts.push_back(part);
  }
  if (!in.ok() || in.left() != 0) return std::nullopt;
  return parts;
}

}  // namespace stubdomain
