// For tests: a plan run over a reply, and what it said, line by line.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/plan_run.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

std::string Line(const Step& step, const Plan& plan) {
  static constexpr const char* kActions[] = {
      "buffer",    "alert", "ignore", "restore", "discard",
      "transform", "send",  "answer", "retry",   "importance"};
  static constexpr const char* kBy[] = {"", "built-in", "otherwise",
                                        "not-matched", "not-understood"};
  const std::string by = step.by == Step::By::kHandler
                             ? plan.handlers[step.handler].name
                             : kBy[static_cast<int>(step.by)];
  return std::string(kActions[static_cast<int>(step.action)]) + " " + by + " " +
         std::to_string(step.message) + " @" + std::to_string(step.offset);
}

PlanRun::PlanRun(std::string_view plan, const Request& request, bool datagrams)
    : request_(request), datagrams_(datagrams) {
  Compiled compiled = CompilePlan(plan);
  EXPECT_EQ(compiled.error, "");
  plan_ = compiled.plan;
  matcher_ = std::make_unique<Matcher>(plan_, request_, datagrams_, now_);
}

void PlanRun::Feed(std::string_view bytes) {
  const uint64_t before = matcher_->position();
  matcher_->Feed(Bytes(bytes), now_);
  if (!matcher_->follows()) return;
  // The guest runs at once.
  matcher_->GoOn(now_);
  Feed(bytes.substr(matcher_->position() - before));
}

void PlanRun::FeedByByte(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) Feed(bytes.substr(i, 1));
}

void PlanRun::Error(IcmpWhy why) {
  matcher_->OnError(why, now_);
  if (matcher_->follows()) matcher_->GoOn(now_);
}

void PlanRun::PassUnnoticed(uint64_t milliseconds) {
  now_ += std::chrono::milliseconds(milliseconds);
}

void PlanRun::Pass(uint64_t milliseconds) {
  PassUnnoticed(milliseconds);
  matcher_->OnTimer(now_);
}

bool PlanRun::HandOver() {
  Writer writer;
  matcher_->Save(writer, now_);
  const std::vector<uint8_t> saved = writer.Take();
  now_ += std::chrono::hours(1);
  auto next = std::make_unique<Matcher>(plan_, Request{}, datagrams_, now_);
  Reader reader(saved);
  if (!next->Load(reader, now_) || reader.left() != 0) return false;
  // What waits to be taken stays here.
  while (matcher_->Take()) ADD_FAILURE() << "steps were not taken";
  matcher_ = std::move(next);
  return true;
}

std::vector<std::string> PlanRun::Take() {
  std::vector<std::string> lines;
  while (const auto step = matcher_->Take()) {
    lines.push_back(Line(*step, *plan_));
  }
  return lines;
}

}  // namespace stubdomain
