// Further replies to a question that was asked more than once.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WAIT_DUPLICATE_REPLIES_H_
#define STUBDOMAIN_WAIT_DUPLICATE_REPLIES_H_

#include <cstdint>
#include <list>
#include <span>
#include <vector>

#include "wire/address.h"
#include "wire/time.h"

namespace stubdomain {

// Questions whose further replies are expected. Beyond it, the oldest is
// forgotten.
inline constexpr size_t kMaxDuplicates = 64;
// And for how long.
inline constexpr Duration kDuplicatesCome = std::chrono::seconds(30);

class DuplicateReplies {
 public:
  // The guest's question was sent again `times` times; it gets `reply`. Of a
  // DNS message the id tells which are like it, otherwise all of its bytes.
  void Expect(unsigned port, const FlowId& id, std::span<const uint8_t> reply,
              bool dns, uint32_t times, Time now);
  // Whether the guest has what comes already. Such a one is expected no longer.
  bool Take(unsigned port, const FlowId& id, std::span<const uint8_t> reply,
            Time now);
  // The guest asks again by itself.
  void Forget(unsigned port, const FlowId& id);
  void Clear() { expected_.clear(); }
  bool empty() const { return expected_.empty(); }

 private:
  struct Expected {
    unsigned port;
    FlowId id;
    std::vector<uint8_t> reply;  // what is compared of it
    bool dns;
    uint32_t left;
    Time until;
  };

  std::list<Expected> expected_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WAIT_DUPLICATE_REPLIES_H_
