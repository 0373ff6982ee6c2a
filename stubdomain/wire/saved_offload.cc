// The serial form of what virtio's header says of a frame.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/saved_offload.h"

namespace stubdomain {

void SaveOffload(const Offload& offload, Writer& writer) {
  writer.Bool(offload.needs_csum);
  writer.Bool(offload.data_valid);
  writer.Bool(offload.ecn);
  writer.U8(static_cast<uint8_t>(offload.gso));
  writer.U16(offload.gso_size);
  writer.U16(offload.header_len);
  writer.U16(offload.csum_start);
  writer.U16(offload.csum_offset);
}

Offload LoadOffload(Reader& reader) {
  Offload offload{};
  offload.needs_csum = reader.Bool();
  offload.data_valid = reader.Bool();
  offload.ecn = reader.Bool();
  const uint8_t gso = reader.U8();
  if (gso > SD_GSO_UDP_L4)
    reader.Fail();
  else
    offload.gso = static_cast<sd_gso>(gso);
  offload.gso_size = reader.U16();
  offload.header_len = reader.U16();
  offload.csum_start = reader.U16();
  offload.csum_offset = reader.U16();
  return offload;
}

}  // namespace stubdomain
