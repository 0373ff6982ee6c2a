// Replies that the peer did not send.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/artificial_reply.h"

#include <boost/beast/http/status.hpp>
#include <ostream>  // which the next one needs, and lacks
#include <utility>

#include "wire/network_order.h"

namespace stubdomain {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes ComposeHttp(const ArtificialReply& reply, bool head) {
  namespace http = boost::beast::http;
  const auto reason = http::obsolete_reason(http::int_to_status(reply.status));
  std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " " +
                     std::string(reason.data(), reason.size()) + "\r\n";
  if (!reply.type.empty()) text += "Content-Type: " + reply.type + "\r\n";
  text += "Content-Length: " + std::to_string(reply.bytes.size()) + "\r\n";
  if (reply.close) text += "Connection: close\r\n";
  text += "\r\n";
  if (!head) text += reply.bytes;
  return {text.begin(), text.end()};
}

constexpr size_t kDnsHeader = 12;

// The length of the one question of a message (RFC 1035, 4.1.2); zero: there is
// none that can be repeated.
size_t QuestionLength(std::span<const uint8_t> message) {
  constexpr size_t kTypeAndClass = 4;
  constexpr uint8_t kMaxLabel = 63;
  if (Get16(message, 4) != 1) return 0;
  size_t at = kDnsHeader;
  while (at < message.size() && message[at] != 0) {
    if (message[at] > kMaxLabel) return 0;
    at += size_t{message[at]} + 1;
  }
  at += 1 + kTypeAndClass;
  return at <= message.size() ? at - kDnsHeader : 0;
}

std::optional<Bytes> ComposeDns(uint8_t rcode, const AskedFor& asked) {
  constexpr size_t kLength = 2;  // before each message of a stream
  constexpr uint8_t kResponse = 0x80;
  constexpr uint8_t kOpcodeAndRecursionDesired = 0x79;
  constexpr uint8_t kRecursionAvailable = 0x80;
  const size_t before = asked.datagram ? 0 : kLength;
  if (asked.request.size() < before + kDnsHeader ||
      (asked.request[before + 2] & kResponse) != 0) {
    return std::nullopt;
  }
  const auto question = asked.request.subspan(before);
  const size_t length = QuestionLength(question);
  Bytes message(question.begin(),
                question.begin() + static_cast<ptrdiff_t>(kDnsHeader + length));
  message[2] = static_cast<uint8_t>(kResponse |
                                    (question[2] & kOpcodeAndRecursionDesired));
  message[3] = static_cast<uint8_t>(kRecursionAvailable | rcode);
  // One question or none, and no records.
  Set16(message, 4, length > 0 ? 1 : 0);
  for (size_t at = 6; at < kDnsHeader; at += 2) Set16(message, at, 0);
  if (!asked.datagram) {
    Bytes prefix(kLength);
    Set16(prefix, 0, static_cast<uint16_t>(message.size()));
    message.insert(message.begin(), prefix.begin(), prefix.end());
  }
  return message;
}

}  // namespace

std::optional<Bytes> Compose(const ArtificialReply& reply,
                             const AskedFor& asked) {
  switch (reply.kind) {
    case ArtificialReply::Kind::kBytes:
      return Bytes(reply.bytes.begin(), reply.bytes.end());
    case ArtificialReply::Kind::kHttp:
      return ComposeHttp(reply, asked.head);
    case ArtificialReply::Kind::kDns:
      return ComposeDns(reply.rcode, asked);
    case ArtificialReply::Kind::kReset:
      break;
  }
  return Bytes();
}

}  // namespace stubdomain
