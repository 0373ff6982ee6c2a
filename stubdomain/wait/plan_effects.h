// What a plan wants to be done with what came, beside ending its wait.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WAIT_PLAN_EFFECTS_H_
#define STUBDOMAIN_WAIT_PLAN_EFFECTS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plan/artificial_reply.h"
#include "plan/transform.h"
#include "stubdomain/stubdomain.h"

namespace stubdomain {

struct PlanAlert {
  sd_claim claim;
  std::string part;  // the last bytes of the message that were claimed by then
  uint64_t at;       // where they begin in the reply
  // Not empty: the plan could not be followed, and why.
  std::string problem;
  std::string text;  // of a script; empty: none
};

// `length` bytes from `begin` on are taken out, or transformed. On a connection
// `begin` counts as TcpFlow::peer_bytes() does; in a datagram, from its first
// byte.
struct ReplyEdit {
  sd_claim claim;
  uint64_t begin;
  uint64_t length;
  std::shared_ptr<const Transform> transform;  // null: taken out
  uint32_t stub = 0;                           // whose plan wants it
};

// The same, by a reply that the peer did not send. Nothing lies behind it.
struct PlanAnswer {
  uint64_t begin;
  uint64_t length;
  std::shared_ptr<const ArtificialReply> reply;
};

struct PlanEffects {
  std::vector<PlanAlert> alerts;
  std::vector<std::string> sent;  // to the peer, in the guest's name
  std::vector<ReplyEdit> edits;
  std::optional<PlanAnswer> answer;
  std::optional<uint8_t> importance;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WAIT_PLAN_EFFECTS_H_
