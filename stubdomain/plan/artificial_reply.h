// Replies that the peer did not send.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_ARTIFICIAL_REPLY_H_
#define STUBDOMAIN_PLAN_ARTIFICIAL_REPLY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace stubdomain {

struct ArtificialReply {
  enum class Kind : uint8_t {
    kBytes,  // as they are
    kHttp,   // a response of HTTP/1.1
    kDns,    // an answer to the guest's question that says `rcode`
    kReset,  // none: the connection is reset
  };

  Kind kind = Kind::kBytes;
  std::string bytes;      // kHttp: the content
  uint16_t status = 504;  // kHttp
  std::string type;       // kHttp: of the content
  uint8_t rcode = 2;      // kDns
  // The peer counts as having closed behind it.
  bool close = true;
};

// What the guest has asked.
struct AskedFor {
  // All that it sent, if that is known.
  std::span<const uint8_t> request;
  bool datagram = false;
  bool head = false;  // HTTP: with the method HEAD
};

// The bytes of `reply`; nothing: there is none for what was asked, since that
// is not known or not a DNS question.
std::optional<std::vector<uint8_t>> Compose(const ArtificialReply& reply,
                                            const AskedFor& asked);

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_ARTIFICIAL_REPLY_H_
