// The migration stream of a suspend file.
//
// The format is QEMU's (docs/devel/migration/main.rst and mapped-ram.rst
// there); all numbers are big-endian.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "suspend/stream.h"

#include <string_view>

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
constexpr uint32_t kSectionVersion = 4;
constexpr uint32_t kMappedRamVersion = 1;

class Writer {
 public:
  explicit Writer(std::vector<uint8_t>* bytes) : bytes_(bytes) {}

  void U8(uint8_t value) { bytes_->push_back(value); }
  void U32(uint32_t value) { BigEndian(value, 4); }
  void U64(uint64_t value) { BigEndian(value, 8); }
  void Bytes(std::span<const uint8_t> bytes) {
    bytes_->insert(bytes_->end(), bytes.begin(), bytes.end());
  }
  // A name with its length in front.
  void Name(std::string_view name) {
    U8(static_cast<uint8_t>(name.size()));
    bytes_->insert(bytes_->end(), name.begin(), name.end());
  }

 private:
  void BigEndian(uint64_t value, int length) {
    for (int shift = 8 * (length - 1); shift >= 0; shift -= 8) {
      U8(static_cast<uint8_t>(value >> shift));
    }
  }

  std::vector<uint8_t>* bytes_;
};

void PutBlockHeader(const SuspendBlock& block, uint32_t page_size,
                    Writer* out) {
  out->Name(block.name);
  out->U64(block.length);
  out->U32(kMappedRamVersion);
  out->U64(page_size);
  out->U64(SD_SUSPEND_BITMAPS_OFFSET + block.bitmap_offset);
  out->U64(block.pages_offset);
}

void PutEndOfSection(bool footers, Writer* out) {
  out->U64(kEndOfRecords);
  if (footers) {
    out->U8(kFooter);
    out->U32(kSectionId);
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
  Writer out(&piece.bytes);
  out.Bytes(head);
  out.U8(kStart);
  out.U32(kSectionId);
  out.Name(kSectionName);
  out.U32(0);  // instance
  out.U32(kSectionVersion);
  out.U64(layout.total() | kMemSize);
  for (const SuspendBlock& block : layout.blocks()) {
    PutBlockHeader(block, layout.page_size(), &out);
    made->pieces_.push_back(piece);
    piece.bytes.clear();
    piece.offset = block.pages_offset + block.length;
  }
  PutEndOfSection(footers, &out);
  out.U8(kEnd);
  out.U32(kSectionId);
  PutEndOfSection(footers, &out);
  out.Bytes(devices);
  made->pieces_.push_back(std::move(piece));

  if (made->pieces_.front().bytes.size() > SD_SUSPEND_HEADER_OFFSET) {
    return SD_SUSPEND_HEAD_TOO_LONG;
  }
  *stream = std::move(made);
  return SD_SUSPEND_OK;
}

}  // namespace stubdomain
