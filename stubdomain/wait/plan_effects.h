// What a plan wants to be done with what came, beside ending its wait.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WAIT_PLAN_EFFECTS_H_
#define STUBDOMAIN_WAIT_PLAN_EFFECTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "stubdomain/stubdomain.h"

namespace stubdomain {

struct PlanAlert {
  sd_claim claim;
  std::string part;  // the last bytes of the message that were claimed by then
  uint64_t at;       // where they begin in the reply
};

// `length` bytes from `begin` on are replaced. On a connection `begin` counts
// as TcpFlow::peer_bytes() does; in a datagram, from its first byte.
struct ReplyEdit {
  uint64_t begin;
  uint64_t length;
  std::string replacement;
};

struct PlanEffects {
  std::vector<PlanAlert> alerts;
  std::vector<ReplyEdit> edits;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WAIT_PLAN_EFFECTS_H_
