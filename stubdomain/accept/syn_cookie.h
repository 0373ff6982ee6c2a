// Initial sequence numbers that remember what a SYN said.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_ACCEPT_SYN_COOKIE_H_
#define STUBDOMAIN_ACCEPT_SYN_COOKIE_H_

#include <cstdint>
#include <optional>

#include "accept/sip_hash.h"
#include "wire/address.h"
#include "wire/seq.h"
#include "wire/time.h"

namespace stubdomain {

// A cookie is good for at least this long, and at most twice as long.
inline constexpr Duration kCookieLifetime = std::chrono::seconds(64);

// What a SYN cookie keeps of the peer's options.
struct PeerOptions {
  uint16_t mss = 536;            // rounded down to one that a cookie can say
  std::optional<uint8_t> shift;  // of the peer's windows
  bool sack = false;

  friend bool operator==(const PeerOptions&, const PeerOptions&) = default;
};

// The initial sequence number of an answer to a SYN. Whoever acknowledges it
// has received the answer, so nothing need be kept of a SYN, however many come
// (RFC 4987, 3.6). One in 2^23 guesses of somebody else is right.
Seq MakeSynCookie(const SipKey& key, const FlowId& id, Seq peer_isn,
                  const PeerOptions& options, Time now);
// Nothing: it was not made for that, or is too old.
std::optional<PeerOptions> CheckSynCookie(const SipKey& key, const FlowId& id,
                                          Seq peer_isn, Seq cookie, Time now);

}  // namespace stubdomain

#endif  // STUBDOMAIN_ACCEPT_SYN_COOKIE_H_
