// What the guest has sent and the peer has not acknowledged, to send it again.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_RESEND_STORE_H_
#define STUBDOMAIN_TCP_RESEND_STORE_H_

#include <cstdint>
#include <optional>
#include <span>

#include "tcp/buffer_budget.h"
#include "tcp/kept_request.h"
#include "tcp/reassembler.h"
#include "wire/seq.h"
#include "wire/serial.h"

namespace stubdomain {

// Of all connections of a table. A guest that has more under way than is kept
// is not covered: it has to send that again itself.
struct ResendPool {
  // A suspend is near: what guests send is kept. Otherwise nothing is copied.
  bool recording = false;
  uint32_t per_flow = 1 << 20;    // bytes kept of one connection
  BufferBudget budget{16 << 20};  // of all
  BufferBudget requests{kMaxRequests};
};

class ResendStore {
 public:
  // Nothing before `begin` is wanted. `pool` outlives the store.
  ResendStore(Seq begin, ResendPool* pool)
      : pool_(pool), bytes_(begin), share_(&pool->budget) {}

  // Behind what can be sent again, from what is acknowledged on: a gap ends it.
  Seq end() const { return bytes_.end(); }
  // Bytes that are kept, those behind a gap included.
  uint32_t size() const { return bytes_.ready() + bytes_.early(); }

  // Keeps the bytes that are new, all of them or none: `limit` is behind the
  // last byte that there is.
  void Keep(Seq seq, std::span<const uint8_t> bytes, Seq limit);
  // What lies before `to` is acknowledged.
  void Release(Seq to);
  // Where what is urgent ends, if it is not acknowledged.
  std::optional<Seq> urgent() const { return urgent_; }
  void set_urgent(Seq end) { urgent_ = end; }
  // [from, from + out.size()) lies before end(), and was not released.
  void Read(Seq from, std::span<uint8_t> out) const { bytes_.Read(from, out); }

  void Save(Writer& writer) const;
  // Of a store that was just made. False: malformed, or reaches beyond
  // `limit`; of no use then.
  bool Load(Reader& reader, Seq limit);

 private:
  void Account();

  const ResendPool* pool_;
  Reassembler bytes_;
  BufferShare share_;  // reserves size()
  std::optional<Seq> urgent_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_RESEND_STORE_H_
