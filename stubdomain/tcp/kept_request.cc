// What the guest has asked on a connection.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/kept_request.h"

namespace stubdomain {
namespace {

// RFC 8446, 5.1: content type and major version.
bool MayBeTls(std::span<const uint8_t> bytes) {
  return bytes[0] >= 20 && bytes[0] <= 23 &&
         (bytes.size() == 1 || bytes[1] == 3);
}

}  // namespace

void KeptRequest::Note(Seq seq, uint32_t size, std::span<const uint8_t> bytes,
                       uint64_t heard) {
  const Seq end = seq + size;
  if (end_ && end <= *end_) return;
  const bool begins = !end_ || heard != heard_;
  if (begins) {
    Forget();
    heard_ = heard;
    lost_ = bytes.empty() || MayBeTls(bytes);
  }
  // What was sent before is sent again with it, or something was missed.
  const uint32_t known = !begins && seq < *end_ ? Distance(seq, *end_) : 0;
  lost_ = lost_ || bytes.empty() || (!begins && seq > *end_);
  end_ = end;
  const uint32_t fresh = size - known;
  if (lost_ || bytes_.size() + fresh > kMaxRequest ||
      share_.available() < fresh) {
    Forget();
    lost_ = true;
    return;
  }
  share_.Take(fresh);
  bytes = bytes.subspan(known);
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

bool KeptRequest::Wants(uint32_t size, uint64_t heard) const {
  const bool begins = !end_ || heard != heard_;
  return size <= kMaxRequest &&
         (begins || (!lost_ && bytes_.size() + size <= kMaxRequest));
}

void KeptRequest::Forget() {
  share_.Release(share_.amount());
  bytes_ = std::vector<uint8_t>();
  // More of it would be the end without the beginning.
  lost_ = true;
}

void KeptRequest::Save(Writer& writer) const {
  writer.Bool(end_.has_value());
  writer.Put(end_.value_or(Seq()));
  writer.U64(heard_);
  writer.Bool(lost_);
  writer.Bytes(bytes_);
}

void KeptRequest::Load(Reader& reader) {
  const bool sent = reader.Bool();
  const Seq end = reader.GetSeq();
  if (sent) end_ = end;
  heard_ = reader.U64();
  lost_ = reader.Bool();
  const std::span<const uint8_t> bytes = reader.Bytes();
  if (bytes.size() > kMaxRequest || (!bytes.empty() && (!sent || lost_))) {
    reader.Fail();
    return;
  }
  bytes_.assign(bytes.begin(), bytes.end());
  share_.Take(bytes_.size());
}

}  // namespace stubdomain
