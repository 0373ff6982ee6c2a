// For tests: a plan run over a reply, and what it said, line by line.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_PLAN_RUN_H_
#define STUBDOMAIN_PLAN_PLAN_RUN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plan/matcher.h"

namespace stubdomain {

// "restore late 2 @310": the action, which handler or what else said so, the
// number of the message, and how many bytes of the reply that took.
std::string Line(const Step& step, const Plan& plan);

class PlanRun {
 public:
  // `plan` is JSON, and in order.
  explicit PlanRun(std::string_view plan, const Request& request = {},
                   bool datagrams = false);

  void Feed(std::string_view bytes);
  void FeedByByte(std::string_view bytes);
  void Fin() {
    matcher_->End(false, now_);
    if (matcher_->follows()) matcher_->GoOn(now_);
  }
  void Error(IcmpWhy why);
  void Reset() { matcher_->End(true, now_); }
  // Time goes by; timers run only at the end.
  void Pass(uint64_t milliseconds);
  // The same, without the timers.
  void PassUnnoticed(uint64_t milliseconds);
  // Goes on with another matcher that loads what this one saves. False: it did
  // not load.
  bool HandOver();

  // What came since the last call.
  std::vector<std::string> Take();
  const Matcher& matcher() const { return *matcher_; }
  Matcher& matcher() { return *matcher_; }
  Time now() const { return now_; }

 private:
  std::shared_ptr<const Plan> plan_;
  Request request_;
  bool datagrams_;
  Time now_{std::chrono::seconds(1000)};
  std::unique_ptr<Matcher> matcher_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_PLAN_RUN_H_
