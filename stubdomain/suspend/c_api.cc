// C API of the suspend file's format.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <span>

#include "state/crc32.h"
#include "stubdomain/suspend.h"
#include "suspend/header.h"
#include "suspend/index.h"
#include "suspend/layout.h"
#include "suspend/pages.h"
#include "suspend/stream.h"

using stubdomain::SuspendLayout;
using stubdomain::SuspendStream;

struct sd_suspend_layout : SuspendLayout {
  using SuspendLayout::SuspendLayout;
};

struct sd_suspend_stream {
  std::unique_ptr<SuspendStream> stream;
};

namespace {

constexpr uint8_t kMarkSuspended[SD_SUSPEND_MARK_SIZE] = {'Q', 'E', 'V', 'M'};
constexpr uint8_t kMarkLive[SD_SUSPEND_MARK_SIZE] = {'L', 'I', 'V', 'E'};

}  // namespace

extern "C" {

const char* sd_suspend_refusal_text(sd_suspend_refusal refusal) {
  switch (refusal) {
    case SD_SUSPEND_OK:
      return "no error";
    case SD_SUSPEND_TOO_MANY_BLOCKS:
      return "the machine has too many RAM blocks";
    case SD_SUSPEND_BAD_NAME:
      return "a RAM block's name is empty, too long or used twice";
    case SD_SUSPEND_BAD_LENGTH:
      return "a RAM block is empty or not a number of whole pages long";
    case SD_SUSPEND_TOO_LARGE:
      return "guest RAM is too large for one file";
    case SD_SUSPEND_HEAD_TOO_LONG:
      return "the beginning of the migration stream is too long";
    case SD_SUSPEND_NOT_OURS:
      return "it is not a suspend file";
    case SD_SUSPEND_BAD_VERSION:
      return "it was made by a later version";
    case SD_SUSPEND_DAMAGED:
      return "its header is damaged";
  }
  return "unknown error";
}

sd_suspend_layout* sd_suspend_layout_new(uint32_t page_size, bool checksums) {
  return new sd_suspend_layout(page_size, checksums);
}

void sd_suspend_layout_free(sd_suspend_layout* layout) { delete layout; }

sd_suspend_refusal sd_suspend_layout_add(sd_suspend_layout* layout,
                                         const char* name, uint64_t length) {
  return layout->Add(name, length);
}

bool sd_suspend_layout_equal(const sd_suspend_layout* a,
                             const sd_suspend_layout* b) {
  return static_cast<const SuspendLayout&>(*a) ==
         static_cast<const SuspendLayout&>(*b);
}

uint64_t sd_suspend_pages_offset(const sd_suspend_layout* layout,
                                 size_t block) {
  return layout->blocks()[block].pages_offset;
}

uint64_t sd_suspend_bitmap_offset(const sd_suspend_layout* layout,
                                  size_t block) {
  return layout->blocks()[block].bitmap_offset;
}

uint64_t sd_suspend_bitmaps_length(const sd_suspend_layout* layout) {
  return layout->bitmaps_length();
}

uint64_t sd_suspend_checksums_offset(const sd_suspend_layout* layout) {
  return layout->checksums_offset();
}

uint64_t sd_suspend_checksums_length(const sd_suspend_layout* layout) {
  return layout->checksums_length();
}

uint64_t sd_suspend_first_page(const sd_suspend_layout* layout, size_t block) {
  return layout->blocks()[block].first_page;
}

uint64_t sd_suspend_ram_end(const sd_suspend_layout* layout) {
  return layout->ram_end();
}

sd_suspend_refusal sd_suspend_stream_new(const sd_suspend_layout* layout,
                                         bool footers, const uint8_t* head,
                                         size_t head_length,
                                         const uint8_t* devices,
                                         size_t devices_length,
                                         sd_suspend_stream** stream) {
  *stream = nullptr;
  std::unique_ptr<SuspendStream> made;
  sd_suspend_refusal refusal =
      SuspendStream::Make(*layout, footers, std::span(head, head_length),
                          std::span(devices, devices_length), &made);
  if (refusal == SD_SUSPEND_OK) {
    *stream = new sd_suspend_stream{std::move(made)};
  }
  return refusal;
}

void sd_suspend_stream_free(sd_suspend_stream* stream) { delete stream; }

size_t sd_suspend_stream_pieces(const sd_suspend_stream* stream) {
  return stream->stream->pieces().size();
}

sd_suspend_piece sd_suspend_stream_piece(const sd_suspend_stream* stream,
                                         size_t piece) {
  const stubdomain::SuspendPiece& p = stream->stream->pieces()[piece];
  return {p.offset, p.bytes.data(), p.bytes.size()};
}

uint64_t sd_suspend_stream_end(const sd_suspend_stream* stream) {
  const stubdomain::SuspendPiece& last = stream->stream->pieces().back();
  return last.offset + last.bytes.size();
}

void sd_suspend_mark_encode(sd_suspend_mark kind, uint8_t* mark) {
  const uint8_t* bytes =
      kind == SD_SUSPEND_MARK_SUSPENDED ? kMarkSuspended : kMarkLive;
  std::memcpy(mark, bytes, SD_SUSPEND_MARK_SIZE);
}

sd_suspend_mark sd_suspend_mark_decode(const uint8_t* mark) {
  if (std::memcmp(mark, kMarkSuspended, SD_SUSPEND_MARK_SIZE) == 0) {
    return SD_SUSPEND_MARK_SUSPENDED;
  }
  if (std::memcmp(mark, kMarkLive, SD_SUSPEND_MARK_SIZE) == 0) {
    return SD_SUSPEND_MARK_LIVE;
  }
  return SD_SUSPEND_MARK_NONE;
}

void sd_suspend_header_encode(const sd_suspend_header* header, uint8_t* data) {
  stubdomain::EncodeSuspendHeader(
      *header,
      std::span<uint8_t, SD_SUSPEND_HEADER_SIZE>(data, SD_SUSPEND_HEADER_SIZE));
}

sd_suspend_refusal sd_suspend_header_decode(const uint8_t* data,
                                            sd_suspend_header* header) {
  return stubdomain::DecodeSuspendHeader(
      std::span<const uint8_t, SD_SUSPEND_HEADER_SIZE>(data,
                                                       SD_SUSPEND_HEADER_SIZE),
      header);
}

uint32_t sd_suspend_crc(const void* data, size_t length) {
  return stubdomain::Crc32({static_cast<const uint8_t*>(data), length});
}

uint8_t* sd_suspend_index_encode(const sd_suspend_layout* layout,
                                 const sd_suspend_stream* stream,
                                 const void* bitmaps, size_t* length) {
  const std::vector<uint8_t> index = stubdomain::EncodeSuspendIndex(
      *layout, *stream->stream,
      {static_cast<const uint8_t*>(bitmaps), layout->bitmaps_length()});
  auto* data = static_cast<uint8_t*>(std::malloc(index.size()));
  std::ranges::copy(index, data);
  *length = index.size();
  return data;
}

bool sd_suspend_index_decode(const void* data, size_t length,
                             const sd_suspend_header* header,
                             sd_suspend_index* index) {
  const auto decoded = stubdomain::DecodeSuspendIndex(
      {static_cast<const uint8_t*>(data), length}, header->file_length,
      header->checksums_offset != 0);
  if (!decoded || decoded->parts.size() > std::size(index->parts) ||
      decoded->blocks.size() > std::size(index->blocks)) {
    return false;
  }
  std::ranges::copy(decoded->parts, index->parts);
  index->part_count = decoded->parts.size();
  std::ranges::copy(decoded->blocks, index->blocks);
  index->block_count = decoded->blocks.size();
  return true;
}

void sd_suspend_classify(sd_suspend_backing backing, const uint64_t* pagemap,
                         size_t count, uint8_t* pages) {
  for (size_t i = 0; i < count; i++) {
    pages[i] = stubdomain::ClassifyPage(backing, pagemap ? pagemap[i] : 0);
  }
}

bool sd_suspend_page_exists(uint64_t entry, bool changed) {
  return stubdomain::PageExists(entry, changed);
}

size_t sd_suspend_count_to_check(sd_suspend_backing backing,
                                 const uint64_t* pagemap, size_t count) {
  return std::count_if(pagemap, pagemap + count, [&](uint64_t entry) {
    return stubdomain::ClassifyPage(backing, entry) == SD_SUSPEND_CHECK;
  });
}

bool sd_suspend_next_run(const uint8_t* pages, size_t count, size_t from,
                         sd_suspend_run* run) {
  auto next = stubdomain::NextRun(std::span(pages, count), from);
  if (next) {
    *run = *next;
  }
  return next.has_value();
}

size_t sd_suspend_count_resident(const uint64_t* pagemap, size_t count,
                                 bool private_only) {
  return stubdomain::CountResident(std::span(pagemap, count), private_only);
}

}  // extern "C"
