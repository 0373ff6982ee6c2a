// Memory that a program shares with the agent, for a reply.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_PINNED_BUFFER_H_
#define STUBDOMAIN_GUEST_AGENT_PINNED_BUFFER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "protocol/unique_fd.h"

namespace stubdomain {

// Theory of operation. The device writes to pages by their physical addresses,
// so the kernel must neither move them nor use them for something else before
// the wait is over. A pipe holds them: to what is in a pipe the kernel keeps a
// reference, and a page that has one stays where it is. The agent has its own,
// so that a program that is killed does not let go of them either; and before
// the agent lets go, it takes back the nonce without which the device writes
// nothing.
class PinnedBuffer {
 public:
  // Physical address of a page of this process that is there; nothing: the
  // kernel does not tell.
  using Translate = std::function<std::optional<uint64_t>(const void*)>;

  // `memory`: a memfd that cannot shrink, with room for `length` bytes and what
  // is before them (see hw/stubdomain/regs.h). Throws RequestError (kInvalid)
  // if it is not, and std::system_error.
  PinnedBuffer(int memory, uint32_t length, const Translate& translate);
  ~PinnedBuffer();
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;

  // StubdomainBuffer of qapi/stubdomain.json.
  nlohmann::json Message() const;

 private:
  void Mark();
  void Pin();

  const uint32_t length_;
  std::array<uint8_t, 16> nonce_{};
  size_t size_;
  uint8_t* pages_ = nullptr;
  std::vector<uint64_t> addresses_;
  UniqueFd pipe_[2];
};

// From the kernel, which tells it to root.
std::optional<uint64_t> PhysicalAddress(const void* page);

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_PINNED_BUFFER_H_
