// Runs the plan of a wait over what comes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WAIT_REPLY_WATCH_H_
#define STUBDOMAIN_WAIT_REPLY_WATCH_H_

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "plan/matcher.h"
#include "stubdomain/stubdomain.h"
#include "tcp/tcp_flow.h"
#include "wait/plan_effects.h"
#include "wait/retries.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// A peer that has sent less may still be about to send session tickets.
inline constexpr uint64_t kYoungBytes = 16 << 10;

// What the stub can do by now in the name of the two sides.
struct Means {
  bool stopped = false;  // the guest is
  bool send = false;     // bytes to the peer
  bool ask = false;      // the guest's request to the peer, again
  // The guest has nothing of the reply from here on.
  uint64_t kept_from = 0;
};

class ReplyWatch {
 public:
  enum class Result : uint8_t {
    kWait,
    kReplied,  // the plan says so: see claim()
    kMissed,   // some of the reply went by unseen
    kClosed,   // the peer has closed, and the plan has nothing to say to that
    kReset,    // the same, of a connection that is gone
  };

  ReplyWatch(std::shared_ptr<const Plan> plan, bool datagrams, Time now);

  const Plan& plan() const { return matcher_.plan(); }

  // -- events; what they cause is appended to `effects`, with edits that count
  // from where the reply begins --

  // More may have come on a connection. The reply begins at position `begin` of
  // what the peer sends. A `flow` that is null is gone.
  Result OnFlow(TcpFlow* flow, uint64_t begin, const Means& means, Time now,
                PlanEffects* effects);
  Result OnDatagram(std::span<const uint8_t> payload, const Means& means,
                    Time now, PlanEffects* effects);
  // An ICMP error about what the guest has sent. Without a handler that asks
  // for it, kReset if the reply is a datagram: nothing else follows.
  Result OnError(IcmpWhy why, const Means& means, Time now,
                 PlanEffects* effects);
  Result OnTimer(const Means& means, Time now, PlanEffects* effects);
  // It has woken the guest, and something follows once that runs: then OnFlow()
  // is called again, and returns kReplied once all is done.
  bool Follows() const { return matcher_.follows() || matcher_.after(); }
  // What it is at by now.
  sd_claim Standing() const {
    return {.message = matcher_.message(), .offset = matcher_.position()};
  }
  // The longest wait is over.
  void OnLate(PlanEffects* effects) const;
  // When OnTimer() has something to do; kNever: not before the next event.
  Time Deadline() const { return matcher_.Deadline(); }

  // Null: the request is sent once.
  Retries* retries() { return retries_ ? &*retries_ : nullptr; }
  const Retries* retries() const { return retries_ ? &*retries_ : nullptr; }

  // After kReplied: who said so.
  const sd_claim& claim() const { return claim_; }

  void Save(Writer& writer, Time now) const;
  // Null: malformed.
  static std::unique_ptr<ReplyWatch> Load(Reader& reader, bool datagrams,
                                          Time now);

 private:
  sd_claim ClaimOf(const Step& step) const;
  PlanAction ActionOf(const Step& step) const;
  // `step` changes the message.
  ReplyEdit EditOf(const Step& step) const;
  // Does what the plan says by now.
  Result Settle(const Means& means, Time now, PlanEffects* effects);
  bool Do(const Step& step, const Means& means, Time now, PlanEffects* effects);
  Result OnEnd(bool reset, const Means& means, Time now, PlanEffects* effects);

  Matcher matcher_;
  std::optional<Retries> retries_;
  sd_claim claim_{};
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WAIT_REPLY_WATCH_H_
