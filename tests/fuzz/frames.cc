// Fuzz target: any frames, to a guest that runs or is stopped.
//
//   u8   bit 0: the guest is stopped
//   then, for each frame:
//   u8   bit 0: from the peer, 1: NIC 1, 2: IPv4 header checksum is made right,
//        3: the offload follows, 4: as it is received by reading functions only
//   10 bytes, if so: flags, gso, gso_size, header_len, csum_start, csum_offset
//   u16  length
//   ...  the frame
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <vector>

#include "check.h"
#include "events.h"
#include "wire/checksum.h"
#include "wire/packet.h"
#include "wire/tcp_frame.h"

namespace stubdomain {
namespace {

sd_offload OffloadFrom(Input& input) {
  sd_offload offload{};
  const uint8_t flags = input.U8();
  offload.needs_csum = (flags & 1) != 0;
  offload.data_valid = (flags & 2) != 0;
  offload.ecn = (flags & 4) != 0;
  offload.gso = static_cast<sd_gso>(input.Below(SD_GSO_UDP_L4 + 1));
  offload.gso_size = input.U16();
  offload.header_len = input.U16();
  offload.csum_start = input.U16();
  offload.csum_offset = input.U16();
  return offload;
}

// So that the fuzzer need not guess it.
void RepairIpv4(std::vector<uint8_t>* frame) {
  const size_t start =
      frame->size() > 16 && (*frame)[12] == 0x81 && (*frame)[13] == 0 ? 18 : 14;
  if (frame->size() < start + 20) return;
  const size_t length = size_t{(*frame)[start]} % 16 * 4;
  if (length < 20 || frame->size() < start + length) return;
  const std::span header = std::span(*frame).subspan(start, length);
  header[10] = header[11] = 0;
  const uint16_t sum = Checksum().Add(header).complement();
  header[10] = static_cast<uint8_t>(sum >> 8);
  header[11] = static_cast<uint8_t>(sum);
}

// What is done with a frame that passes no stub domain.
void Read(const std::vector<uint8_t>& frame, const sd_offload& offload) {
  Packet packet;
  if (Parse(frame, offload, &packet) != Malformed::kNo) return;
  const TcpSegment* segment = packet.tcp();
  const bool right = ChecksumOk(packet);
  if (segment == nullptr) return;
  Check(segment->payload.size() <= frame.size(), "a payload is in its frame");
  const Frame rewritten =
      RewriteTcp(packet, {.ack = Seq(7), .window = 9, .timestamp_echo = 11});
  Packet again;
  Check(Parse(rewritten.bytes, rewritten.offload, &again) == Malformed::kNo &&
            again.tcp() != nullptr,
        "a rewritten frame is well formed");
  Check(!right || ChecksumOk(again), "a rewritten frame's checksum is right");
  Check(again.tcp()->payload.size() == segment->payload.size(),
        "a rewritten frame has its payload");
}

void Run(Input input) {
  Glue glue;
  Events events(&glue);
  events.Connect(0);
  events.Connect(1);
  if (input.Bool()) {
    glue.Suspend(SD_DEPTH_EVICT);
    glue.Stopped();
    glue.Suspended();
  }
  while (!input.empty()) {
    const uint8_t flags = input.U8();
    const sd_offload offload =
        (flags & 8) != 0 ? OffloadFrom(input) : sd_offload{};
    const auto bytes = input.Bytes(input.U16());
    std::vector<uint8_t> frame(bytes.begin(), bytes.end());
    if ((flags & 4) != 0) RepairIpv4(&frame);
    if ((flags & 16) != 0) Read(frame, offload);
    glue.Frame((flags >> 1) & 1, (flags & 1) != 0 ? SD_PEER : SD_GUEST, frame,
               offload);
  }
  glue.Running();
  glue.Pass(1000);
}

}  // namespace
}  // namespace stubdomain

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  stubdomain::Run(stubdomain::Input({data, size}));
  return 0;
}
