// What the guest's own TCP offers in a handshake.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_ACCEPT_GUEST_OFFER_H_
#define STUBDOMAIN_ACCEPT_GUEST_OFFER_H_

#include <cstdint>
#include <optional>

#include "wire/packet.h"
#include "wire/serial.h"

namespace stubdomain {

// Learned from the guest's SYNs, so that an answer in its name promises what
// the guest itself would. SACK can always be promised: nobody is obliged to
// send any. Timestamps never are: the guest's clock cannot be known beforehand.
class GuestOffer {
 public:
  // A segment that the guest sends.
  void Learn(const IpHeader& ip, const TcpSegment& segment);

  // As if the guest took nothing but the least, until it has said otherwise.
  uint16_t mss(Family family) const {
    return family == Family::kIpv6 ? mss_ipv6_ : mss_ipv4_;
  }
  std::optional<uint8_t> shift() const { return shift_; }

  void Save(Writer& writer) const;
  // False: malformed.
  bool Load(Reader& reader);

 private:
  uint16_t mss_ipv4_ = 536;  // RFC 9293, 3.7.1
  uint16_t mss_ipv6_ = 1220;
  std::optional<uint8_t> shift_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_ACCEPT_GUEST_OFFER_H_
