// Memory of the guest that a reply may be written into.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/reply_buffer.h"

#include <algorithm>
#include <span>

namespace stubdomain {

bool IsSound(const sd_buffer& buffer) {
  return buffer.pages >= 1 && buffer.pages <= SD_BUFFER_PAGES_MAX &&
         std::ranges::all_of(
             std::span(buffer.page).first(buffer.pages),
             [](uint64_t page) { return page % SD_BUFFER_PAGE_SIZE == 0; }) &&
         buffer.length >= 1 &&
         buffer.length <= buffer.pages * SD_BUFFER_PAGE_SIZE;
}

void SaveBuffer(const sd_buffer& buffer, Writer& writer) {
  writer.Raw(buffer.nonce);
  writer.U32(buffer.pages);
  for (const uint64_t page : std::span(buffer.page).first(buffer.pages)) {
    writer.U64(page);
  }
  writer.U32(buffer.length);
}

sd_buffer LoadBuffer(Reader& reader) {
  sd_buffer buffer{};
  std::ranges::copy(reader.Raw(sizeof(buffer.nonce)), buffer.nonce);
  buffer.pages = reader.U32();
  if (buffer.pages > SD_BUFFER_PAGES_MAX) reader.Fail();
  if (!reader.ok()) return {};
  for (uint64_t& page : std::span(buffer.page).first(buffer.pages)) {
    page = reader.U64();
  }
  buffer.length = reader.U32();
  if (!IsSound(buffer)) reader.Fail();
  return buffer;
}

}  // namespace stubdomain
