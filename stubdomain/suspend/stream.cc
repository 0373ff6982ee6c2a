// The migration stream of a suspend file.
//
// The format is QEMU's (docs/devel/migration/main.rst and mapped-ram.rst
// there); all numbers are big-endian.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "suspend/stream.h"

#include <string_view>
#include <utility>

#include "wire/network_order.h"

namespace stubdomain {
namespace {

enum Section : uint8_t { kStart = 1, kEnd = 3, kFooter = 0x7e };

// Flags in the low bits of a RAM record.
constexpr uint64_t kMemSize = 0x04;
constexpr uint64_t kEndOfRecords = 0x10;

// QEMU numbers its sections from 0 on; the loader finds a section's end by
// this number, so it must be none of those.
constexpr uint32_t kSectionId = 0x53440001;
constexpr std::string_view kSectionName = "ram";
constexpr uint32_t kInstance = 0;
constexpr uint32_t kSectionVersion = 4;
constexpr uint32_t kMappedRamVersion = 1;

using Bytes = std::vector<uint8_t>;

void Append64(Bytes* out, uint64_t value) {
  Append32(out, static_cast<uint32_t>(value >> 32));
  Append32(out, static_cast<uint32_t>(value));
}

void AppendBytes(Bytes* out, std::span<const uint8_t> bytes) {
  out->insert(out->end(), bytes.begin(), bytes.end());
}

// A name with its length in front.
void AppendName(Bytes* out, std::string_view name) {
  out->push_back(static_cast<uint8_t>(name.size()));
  out->insert(out->end(), name.begin(), name.end());
}

void AppendBlockHeader(Bytes* out, const SuspendBlock& block,
                       uint32_t page_size) {
  AppendName(out, block.name);
  Append64(out, block.length);
  Append32(out, kMappedRamVersion);
  Append64(out, page_size);
  Append64(out, SD_SUSPEND_BITMAPS_OFFSET + block.bitmap_offset);
  Append64(out, block.pages_offset);
}

void AppendEndOfRecords(Bytes* out, bool footers) {
  Append64(out, kEndOfRecords);
  if (footers) {
    out->push_back(kFooter);
    Append32(out, kSectionId);
  }
}

}  // namespace

sd_suspend_refusal SuspendStream::Make(const SuspendLayout& layout,
                                       bool footers,
                                       std::span<const uint8_t> head,
                                       std::span<const uint8_t> devices,
                                       std::unique_ptr<SuspendStream>* stream) {
  stream->reset();
  auto made = std::make_unique<SuspendStream>();

  SuspendPiece piece;
  Bytes* out = &piece.bytes;
  AppendBytes(out, head);
  out->push_back(kStart);
  Append32(out, kSectionId);
  AppendName(out, kSectionName);
  Append32(out, kInstance);
  Append32(out, kSectionVersion);
  Append64(out, layout.total() | kMemSize);
  for (const SuspendBlock& block : layout.blocks()) {
    AppendBlockHeader(out, block, layout.page_size());
    made->pieces_.push_back(std::move(piece));
    piece = {.offset = block.pages_offset + block.length, .bytes = {}};
  }
  AppendEndOfRecords(out, footers);
  out->push_back(kEnd);
  Append32(out, kSectionId);
  AppendEndOfRecords(out, footers);
  AppendBytes(out, devices);
  made->pieces_.push_back(std::move(piece));

  if (made->pieces_.front().bytes.size() > SD_SUSPEND_HEADER_OFFSET) {
    return SD_SUSPEND_HEAD_TOO_LONG;
  }
  *stream = std::move(made);
  return SD_SUSPEND_OK;
}

}  // namespace stubdomain
