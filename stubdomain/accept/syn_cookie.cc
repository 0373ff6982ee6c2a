// Initial sequence numbers that remember what a SYN said.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "accept/syn_cookie.h"

#include <algorithm>

#include "wire/serial.h"
#include "wire/tcp_options.h"

namespace stubdomain {
namespace {

// A cookie is, from its highest bit: four bits of the window shift, one of
// SACK, three of the MSS, and 24 of a hash over all that.
constexpr int kHashBits = 24;
constexpr uint32_t kHashMask = (1u << kHashBits) - 1;
constexpr uint8_t kNoShift = 15;
static_assert(kMaxWindowShift < kNoShift);
// The smallest that is taken; the default; IPv6's least; what tunnels and
// Ethernet leave, over IPv6 and IPv4; and jumbo frames.
constexpr uint16_t kSizes[8] = {64, 536, 1220, 1360, 1400, 1440, 1460, 8940};

uint32_t Pack(const PeerOptions& options) {
  const auto* size =
      std::upper_bound(std::begin(kSizes) + 1, std::end(kSizes), options.mss) -
      1;
  return uint32_t{options.shift.value_or(kNoShift)} << 4 |
         (options.sack ? 8u : 0u) |
         static_cast<uint32_t>(size - std::begin(kSizes));
}

PeerOptions Unpack(uint32_t bits) {
  PeerOptions options;
  const auto shift = static_cast<uint8_t>(bits >> 4);
  if (shift != kNoShift) options.shift = shift;
  options.sack = (bits & 8) != 0;
  options.mss = kSizes[bits & 7];
  return options;
}

uint64_t PeriodOf(Time now) {
  return static_cast<uint64_t>(now.time_since_epoch() / kCookieLifetime);
}

Seq Cookie(const SipKey& key, const FlowId& id, Seq peer_isn, uint32_t bits,
           uint64_t period) {
  Writer writer;
  writer.Put(id);
  writer.Put(peer_isn);
  writer.U32(bits);
  writer.U64(period);
  const auto hash = static_cast<uint32_t>(SipHash(key, writer.data()));
  return Seq(bits << kHashBits | (hash & kHashMask));
}

}  // namespace

Seq MakeSynCookie(const SipKey& key, const FlowId& id, Seq peer_isn,
                  const PeerOptions& options, Time now) {
  return Cookie(key, id, peer_isn, Pack(options), PeriodOf(now));
}

std::optional<PeerOptions> CheckSynCookie(const SipKey& key, const FlowId& id,
                                          Seq peer_isn, Seq cookie, Time now) {
  const uint32_t bits = cookie.value() >> kHashBits;
  const uint64_t period = PeriodOf(now);
  for (const uint64_t made : {period, period - 1}) {
    if (Cookie(key, id, peer_isn, bits, made) == cookie) return Unpack(bits);
  }
  return std::nullopt;
}

}  // namespace stubdomain
