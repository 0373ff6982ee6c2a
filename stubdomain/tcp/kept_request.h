// What the guest has asked on a connection, to ask it again in its name.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_KEPT_REQUEST_H_
#define STUBDOMAIN_TCP_KEPT_REQUEST_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tcp/buffer_budget.h"
#include "wire/seq.h"
#include "wire/serial.h"

namespace stubdomain {

// Of one request; a longer one is not kept.
inline constexpr size_t kMaxRequest = 16 << 10;
// Of all connections; beyond it, requests are not kept.
inline constexpr uint64_t kMaxRequests = 16 << 20;

// A request is what the guest sends from the last byte of the peer on. TLS is
// not kept: its records can be sent once only.
class KeptRequest {
 public:
  explicit KeptRequest(BufferBudget* budget) : share_(budget) {}

  // The guest sends `size` bytes from `seq` on, in its own numbers; `bytes` has
  // them all, or is empty if they could not be read. `heard`: bytes that the
  // peer has sent so far.
  void Note(Seq seq, uint32_t size, std::span<const uint8_t> bytes,
            uint64_t heard);
  // It would keep `size` bytes more.
  bool Wants(uint32_t size, uint64_t heard) const;
  // Nobody will ask for it.
  void Forget();
  // Nothing: it was not kept, or not all of it.
  std::span<const uint8_t> bytes() const { return bytes_; }

  void Save(Writer& writer) const;
  // Of one that was just made. Check reader.ok().
  void Load(Reader& reader);

 private:
  std::optional<Seq> end_;  // behind the last byte that was sent
  uint64_t heard_ = 0;      // when the request began
  bool lost_ = false;       // it cannot be kept
  std::vector<uint8_t> bytes_;
  BufferShare share_;  // reserves them
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_KEPT_REQUEST_H_
