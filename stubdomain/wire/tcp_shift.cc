// Changing the numbers of a TCP segment where it lies.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/tcp_shift.h"

#include <algorithm>
#include <array>
#include <limits>

#include "wire/checksum.h"
#include "wire/network_order.h"
#include "wire/protocol_numbers.h"

namespace stubdomain {
namespace {

constexpr size_t kSourcePortAt = 0;
constexpr size_t kDestinationPortAt = 2;
constexpr size_t kSeqAt = 4;
constexpr size_t kAckAt = 8;
constexpr size_t kDataOffsetAt = 12;
constexpr size_t kWindowAt = 14;

constexpr size_t kTimestampsLength = 10;

// What a checksum covers, and how the checksum changes with it.
class Header {
 public:
  Header(std::span<uint8_t> bytes, size_t checksum_at)
      : bytes_(bytes), checksum_at_(checksum_at) {}

  void Add16(size_t at, uint16_t value) {
    if (value != 0) {
      Change16(at, static_cast<uint16_t>(Get16(bytes_, at) + value));
    }
  }
  void Add32(size_t at, uint32_t value) {
    if (value == 0) return;
    std::array<uint8_t, 4> bytes;
    Set32(bytes, 0, Get32(bytes_, at) + value);
    Change(at, bytes);
  }
  void Change16(size_t at, uint16_t value) {
    std::array<uint8_t, 2> bytes;
    Set16(bytes, 0, value);
    Change(at, bytes);
  }
  // The options were parsed before, so their lengths are right.
  void ShiftOptions(uint32_t sack, uint32_t timestamp, uint32_t echo) {
    size_t at = kTcpHeader;
    while (at < bytes_.size() && bytes_[at] != kOptionEnd) {
      if (bytes_[at] == kOptionNoOperation) {
        ++at;
        continue;
      }
      const size_t length = bytes_[at + 1];
      if (bytes_[at] == kOptionTimestamps && length == kTimestampsLength) {
        Add32(at + 2, timestamp);
        Add32(at + 6, echo);
      } else if (bytes_[at] == kOptionSack && length % 8 == 2) {
        for (size_t edge = 2; edge < length; edge += 4) {
          Add32(at + edge, sack);
        }
      }
      at += length;
    }
  }
  // HC' = ~(~HC + ~m + m'): equation 3 of RFC 1624.
  void FinishChecksum() {
    difference_.Add16(static_cast<uint16_t>(~Get16(bytes_, checksum_at_)));
    Set16(bytes_, checksum_at_, difference_.complement());
  }

 private:
  void Change(size_t at, std::span<const uint8_t> bytes) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      const bool high = (at + i) % 2 == 0;
      const auto word = [high](uint8_t byte) {
        return static_cast<uint16_t>(high ? byte << 8 : byte);
      };
      difference_.Add16(static_cast<uint16_t>(~word(bytes_[at + i])));
      difference_.Add16(word(bytes[i]));
      bytes_[at + i] = bytes[i];
    }
  }

  std::span<uint8_t> bytes_;
  const size_t checksum_at_;
  Checksum difference_;
};

uint16_t ShiftWindow(uint16_t window, int by) {
  if (by < 0) return static_cast<uint16_t>(window >> -by);
  constexpr uint32_t kMost = std::numeric_limits<uint16_t>::max();
  return static_cast<uint16_t>(std::min(uint32_t{window} << by, kMost));
}

}  // namespace

void ShiftTcp(const Packet& packet, const TcpShift& shift, Frame* frame) {
  const TcpSegment& segment = *packet.tcp();
  const auto bytes =
      std::span(frame->bytes)
          .subspan(packet.ip->transport_offset, packet.ip->transport_length);
  Header header(bytes.first(size_t{bytes[kDataOffsetAt]} >> 4 << 2),
                kTcpChecksumAt);
  const bool ack = segment.has(kAck);
  header.Add16(kSourcePortAt, shift.source_port);
  header.Add16(kDestinationPortAt, shift.destination_port);
  header.Add32(kSeqAt, shift.seq);
  if (ack) header.Add32(kAckAt, shift.ack);
  header.ShiftOptions(ack ? shift.ack : 0, shift.timestamp,
                      ack ? shift.echo : 0);
  if (shift.window != 0 && !segment.has(kSyn)) {
    header.Change16(kWindowAt, ShiftWindow(segment.window, shift.window));
  }
  if (!frame->offload.needs_csum) header.FinishChecksum();
}

void ShiftQuote(const Packet& packet, uint32_t seq, uint16_t source_port,
                Frame* frame) {
  constexpr size_t kIcmpChecksumAt = 2;
  const size_t at = std::get<IcmpError>(packet.body).quote_offset -
                    packet.ip->transport_offset;
  Header header(
      std::span(frame->bytes)
          .subspan(packet.ip->transport_offset, packet.ip->transport_length),
      kIcmpChecksumAt);
  header.Add16(at + kSourcePortAt, source_port);
  header.Add32(at + kSeqAt, seq);
  header.FinishChecksum();
}

}  // namespace stubdomain
