// The suspend file's own header.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "suspend/header.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "state/crc32.h"
#include "wire/serial.h"

namespace stubdomain {
namespace {

constexpr std::string_view kMagic = "STUBSUSP";
constexpr uint32_t kVersion = 3;
// The first with an index.
constexpr uint32_t kIndexVersion = 2;
// The first that may be encrypted, and whose pages may have checksums.
constexpr uint32_t kEncryptionVersion = 3;
// The checksum stands at the end, and covers all before it.
constexpr size_t kChecked = SD_SUSPEND_HEADER_SIZE - sizeof(uint32_t);

std::span<const uint8_t> AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

void EncodeSuspendHeader(const sd_suspend_header& header,
                         std::span<uint8_t, SD_SUSPEND_HEADER_SIZE> data) {
  Writer out;
  out.Raw(AsBytes(kMagic));
  out.U32(kVersion);
  out.U64(header.generation);
  out.U64(header.file_length);
  out.Raw(header.image);
  out.Raw(header.vm);
  out.Bytes(
      AsBytes({header.vm_name, strnlen(header.vm_name, SD_SUSPEND_NAME_MAX)}));
  out.U64(header.index_offset);
  out.U32(header.index_length);
  out.U32(header.index_crc);
  out.U32(header.encryption.iterations);
  out.Raw(header.encryption.salt);
  out.Raw(header.encryption.check);
  out.U64(header.checksums_offset);
  std::ranges::fill(data, 0);
  std::ranges::copy(out.data(), data.begin());

  Writer checksum;
  checksum.U32(Crc32(data.first(kChecked)));
  std::ranges::copy(checksum.data(), data.begin() + kChecked);
}

sd_suspend_refusal DecodeSuspendHeader(
    std::span<const uint8_t, SD_SUSPEND_HEADER_SIZE> data,
    sd_suspend_header* header) {
  Reader in(data);
  if (!std::ranges::equal(in.Raw(kMagic.size()), AsBytes(kMagic))) {
    return SD_SUSPEND_NOT_OURS;
  }
  // Magic and version stay where they are in all versions; the rest may not.
  const uint32_t version = in.U32();
  if (version > kVersion) {
    return SD_SUSPEND_BAD_VERSION;
  }
  if (version == 0 ||
      Reader(data.subspan(kChecked)).U32() != Crc32(data.first(kChecked))) {
    return SD_SUSPEND_DAMAGED;
  }
  sd_suspend_header read = {};
  read.generation = in.U64();
  read.file_length = in.U64();
  std::ranges::copy(in.Raw(sizeof(read.image)), read.image);
  std::ranges::copy(in.Raw(sizeof(read.vm)), read.vm);
  const std::span<const uint8_t> name = in.Bytes();
  if (version >= kIndexVersion) {
    read.index_offset = in.U64();
    read.index_length = in.U32();
    read.index_crc = in.U32();
  }
  if (version >= kEncryptionVersion) {
    sd_suspend_encryption& encryption = read.encryption;
    encryption.iterations = in.U32();
    std::ranges::copy(in.Raw(sizeof(encryption.salt)), encryption.salt);
    std::ranges::copy(in.Raw(sizeof(encryption.check)), encryption.check);
    read.checksums_offset = in.U64();
  }
  if (!in.ok() || name.size() > SD_SUSPEND_NAME_MAX) {
    return SD_SUSPEND_DAMAGED;
  }
  std::ranges::copy(name, read.vm_name);
  *header = read;
  return SD_SUSPEND_OK;
}

}  // namespace stubdomain
