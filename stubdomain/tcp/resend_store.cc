// What the guest has sent and the peer has not acknowledged, to send it again.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/resend_store.h"

namespace stubdomain {

void ResendStore::Keep(Seq seq, std::span<const uint8_t> bytes, Seq limit) {
  const Seq end = seq + static_cast<uint32_t>(bytes.size());
  if (end > bytes_.begin() + pool_->per_flow) return;
  if (share_.available() < bytes.size()) return;
  bytes_.Insert(seq, bytes, limit);
  Account();
}

void ResendStore::Release(Seq to) {
  bytes_.Release(to);
  if (urgent_ && *urgent_ <= to) urgent_.reset();
  Account();
}

void ResendStore::Save(Writer& writer) const {
  bytes_.Save(writer);
  writer.Bool(urgent_.has_value());
  writer.Put(urgent_.value_or(Seq()));
}

bool ResendStore::Load(Reader& reader, Seq limit) {
  if (!bytes_.Load(reader, limit)) return false;
  const bool urgent = reader.Bool();
  const Seq end = reader.GetSeq();
  if (urgent) urgent_ = end;
  Account();
  return reader.ok();
}

// What is there counts, even if it was loaded beyond the budget.
void ResendStore::Account() {
  if (size() < share_.amount()) {
    share_.Release(share_.amount() - size());
  } else {
    share_.Take(size() - share_.amount());
  }
}

}  // namespace stubdomain
