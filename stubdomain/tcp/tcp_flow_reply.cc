// One TCP connection of the guest: looking at what the peer sends.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "tcp/tcp_flow.h"

namespace stubdomain {
namespace {

// Of what passes, behind a gap: what is further ahead is not looked at.
constexpr uint32_t kMaxAhead = 1 << 20;

std::string_view Text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

void TcpFlow::WatchReply(bool on) {
  watched_ = on;
  if (!on) passed_.reset();
}

void TcpFlow::NotePassing(const TcpSegment& segment) {
  if (segment.payload.empty() || segment.has(kSyn) ||
      !connection_.Plausible(Side::kPeer, segment)) {
    return;
  }
  if (!passed_) {
    passed_ = std::make_unique<Reassembler>(connection_.peer.seen_seq());
  }
  passed_->Insert(segment.seq, segment.payload, passed_->end() + kMaxAhead);
}

bool TcpFlow::ReadReply(
    uint64_t position,
    const std::function<bool(std::span<const uint8_t>)>& look) {
  const Reassembler* bytes = adoption_ ? &adoption_->bytes() : passed_.get();
  if (bytes == nullptr) return position >= peer_bytes();
  const uint64_t end = connection_.peer.PositionOf(bytes->end()) - 1;
  const uint64_t begin = end - bytes->ready();
  if (position < begin) return false;
  std::vector<uint8_t> piece;
  while (position < end) {
    piece.resize(std::min<uint64_t>(end - position, Reassembler::kChunk));
    bytes->Read(connection_.peer.SeqAt(position + 1), piece);
    position += piece.size();
    if (!look(piece)) return true;
  }
  return position >= peer_bytes();
}

void TcpFlow::ForgetPassed() {
  if (adoption_) {
    passed_.reset();
  } else if (passed_) {
    passed_->Release(passed_->end());
    if (passed_->empty()) passed_.reset();
  }
}

void TcpFlow::NoteRequest(const TcpSegment& segment, bool whole) {
  const auto size = static_cast<uint32_t>(segment.payload.size());
  if (size == 0) return;
  const auto bytes = whole ? segment.payload : std::span<const uint8_t>();
  if (!connection_.kept_request) {
    connection_.kept_request =
        std::make_unique<KeptRequest>(&resend_->requests);
  }
  connection_.kept_request->Note(segment.seq, size, bytes, peer_bytes());
  const std::string_view text = Text(bytes);
  RequestSeen& request = connection_.request;
  request.ends_head = text.ends_with("\r\n\r\n");
  static constexpr std::array<std::string_view, 7> kOthers = {
      "GET ", "POST ", "PUT ", "PATCH ", "DELETE ", "OPTIONS ", "TRACE "};
  const auto begins = [text](std::string_view with) {
    return text.starts_with(with);
  };
  if (begins("HEAD ") || begins("CONNECT ") ||
      std::ranges::any_of(kOthers, begins)) {
    request.head = begins("HEAD ");
    request.connect = begins("CONNECT ");
  }
}

}  // namespace stubdomain
