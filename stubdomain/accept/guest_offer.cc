// What the guest's own TCP offers in a handshake.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "accept/guest_offer.h"

namespace stubdomain {

void GuestOffer::Learn(const IpHeader& ip, const TcpSegment& segment) {
  if (!segment.has(kSyn)) return;
  const TcpOptions& options = segment.options;
  if (options.mss) {
    (ip.source.family() == Family::kIpv6 ? mss_ipv6_ : mss_ipv4_) =
        *options.mss;
  }
  // An answer to a SYN without the option has none either.
  if (!segment.has(kAck) || options.window_shift) {
    shift_ = options.window_shift;
  }
}

void GuestOffer::Save(Writer& writer) const {
  writer.U16(mss_ipv4_);
  writer.U16(mss_ipv6_);
  writer.Bool(shift_.has_value());
  writer.U8(shift_.value_or(0));
}

bool GuestOffer::Load(Reader& reader) {
  mss_ipv4_ = reader.U16();
  mss_ipv6_ = reader.U16();
  const bool scaled = reader.Bool();
  const uint8_t shift = reader.U8();
  if (shift > kMaxWindowShift || (!scaled && shift != 0)) return reader.Fail();
  shift_.reset();
  if (scaled) shift_ = shift;
  return reader.ok();
}

}  // namespace stubdomain
