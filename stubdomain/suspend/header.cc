// The suspend file's own header, and its mark.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "suspend/header.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace stubdomain {
namespace {

constexpr std::array<uint8_t, 8> kMagic = {'S', 'T', 'U', 'B',
                                           'S', 'U', 'S', 'P'};
constexpr uint32_t kVersion = 1;

// Offsets of the fields; numbers are big-endian, as in the stream.
constexpr size_t kVersionAt = 8;
constexpr size_t kChecksumAt = 12;
constexpr size_t kGenerationAt = 16;
constexpr size_t kFileLengthAt = 24;
constexpr size_t kImageAt = 32;
constexpr size_t kVmAt = kImageAt + SD_SUSPEND_ID_SIZE;
constexpr size_t kVmNameAt = kVmAt + SD_SUSPEND_ID_SIZE;
constexpr size_t kEnd = kVmNameAt + SD_SUSPEND_NAME_MAX + 1;
static_assert(kEnd <= SD_SUSPEND_HEADER_SIZE);

void PutBigEndian(uint64_t value, size_t length, uint8_t* data) {
  for (size_t i = 0; i < length; i++) {
    data[i] = static_cast<uint8_t>(value >> (8 * (length - 1 - i)));
  }
}

uint64_t GetBigEndian(const uint8_t* data, size_t length) {
  uint64_t value = 0;
  for (size_t i = 0; i < length; i++) {
    value = value << 8 | data[i];
  }
  return value;
}

constexpr std::array<uint32_t, 256> MakeCrcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) {
      crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    table[i] = crc;
  }
  return table;
}

uint32_t HeaderChecksum(
    std::span<const uint8_t, SD_SUSPEND_HEADER_SIZE> data) {
  std::array<uint8_t, SD_SUSPEND_HEADER_SIZE> copy;
  std::copy(data.begin(), data.end(), copy.begin());
  PutBigEndian(0, 4, &copy[kChecksumAt]);
  return Crc32c(copy);
}

}  // namespace

uint32_t Crc32c(std::span<const uint8_t> bytes) {
  static constexpr std::array<uint32_t, 256> kTable = MakeCrcTable();
  uint32_t crc = ~uint32_t{0};
  for (uint8_t byte : bytes) {
    crc = crc >> 8 ^ kTable[(crc ^ byte) & 0xff];
  }
  return ~crc;
}

void EncodeSuspendHeader(const sd_suspend_header& header,
                         std::span<uint8_t, SD_SUSPEND_HEADER_SIZE> data) {
  std::fill(data.begin(), data.end(), 0);
  std::copy(kMagic.begin(), kMagic.end(), data.begin());
  PutBigEndian(kVersion, 4, &data[kVersionAt]);
  PutBigEndian(header.generation, 8, &data[kGenerationAt]);
  PutBigEndian(header.file_length, 8, &data[kFileLengthAt]);
  std::memcpy(&data[kImageAt], header.image, sizeof(header.image));
  std::memcpy(&data[kVmAt], header.vm, sizeof(header.vm));
  std::memcpy(&data[kVmNameAt], header.vm_name,
              strnlen(header.vm_name, SD_SUSPEND_NAME_MAX));
  PutBigEndian(HeaderChecksum(data), 4, &data[kChecksumAt]);
}

sd_suspend_refusal DecodeSuspendHeader(
    std::span<const uint8_t, SD_SUSPEND_HEADER_SIZE> data,
    sd_suspend_header* header) {
  if (!std::equal(kMagic.begin(), kMagic.end(), data.begin())) {
    return SD_SUSPEND_NOT_OURS;
  }
  // Magic and version stay where they are in all versions; the rest may not.
  if (GetBigEndian(&data[kVersionAt], 4) > kVersion) {
    return SD_SUSPEND_BAD_VERSION;
  }
  if (GetBigEndian(&data[kVersionAt], 4) == 0 ||
      GetBigEndian(&data[kChecksumAt], 4) != HeaderChecksum(data) ||
      data[kEnd - 1] != 0) {
    return SD_SUSPEND_DAMAGED;
  }
  header->generation = GetBigEndian(&data[kGenerationAt], 8);
  header->file_length = GetBigEndian(&data[kFileLengthAt], 8);
  std::memcpy(header->image, &data[kImageAt], sizeof(header->image));
  std::memcpy(header->vm, &data[kVmAt], sizeof(header->vm));
  std::memcpy(header->vm_name, &data[kVmNameAt], sizeof(header->vm_name));
  return SD_SUSPEND_OK;
}

}  // namespace stubdomain
