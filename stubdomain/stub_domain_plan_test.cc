// Waits with plans, as traces.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <string>

#include "trace/trace.h"

namespace stubdomain {
namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kHead =
    "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n";
constexpr std::string_view kBody = "0123456789abcdefghij";

class PlanWaitTest : public testing::Test {
 protected:
  PlanWaitTest() {
    talk_.set_reply(std::string(kContinue) + std::string(kHead) +
                    std::string(kBody) + std::string(100, 'x'));
    trace_.Connect(&talk_);
    trace_.Request(talk_, 10);
  }

  sd_refusal Wait(std::string_view plan, sd_wait wait) {
    return trace_.WaitWithPlan(plan, wait);
  }
  sd_refusal Wait(std::string_view plan) {
    return Wait(plan, Trace::WaitOn(talk_));
  }
  void PeerSends(std::string_view text) {
    trace_.PeerSends(talk_, static_cast<uint32_t>(text.size()));
  }

  Trace trace_;
  Talk talk_;
};

constexpr std::string_view kBodyPlan = R"({"handlers": [
    {"name": "some", "when": {"status": "2xx", "body": 5}}]})";

TEST_F(PlanWaitTest, WhatPassesIsLookedAt) {
  EXPECT_EQ(Wait(kBodyPlan), SD_OK);
  PeerSends(kContinue);
  PeerSends(kHead.substr(0, 10));
  PeerSends(kHead.substr(10));
  PeerSends(kBody.substr(0, 4));
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  PeerSends(kBody.substr(4, 1));
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 69 by some 1 @69"}));
}

TEST_F(PlanWaitTest, WhatIsKeptIsLookedAt) {
  Wait(kBodyPlan);
  PeerSends(kContinue);
  trace_.GuestAcks(talk_);
  trace_.SuspendNow();
  trace_.Stopped();
  trace_.Suspended();
  trace_.Take();
  PeerSends(kHead);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  PeerSends(kBody);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 84 by some 1 @69", "restore reply"}));
}

TEST_F(PlanWaitTest, WhatComesOutOfOrderIsPutInOrder) {
  Wait(kBodyPlan);
  PeerSends(kContinue);
  const Frame head =
      talk_.Data(Side::kPeer, static_cast<uint32_t>(kHead.size()));
  PeerSends(kBody);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  trace_.Send(talk_, Side::kPeer, head);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 64 by some 1 @69"}));
}

TEST_F(PlanWaitTest, WhatHasPassedBeforeTheWaitCannotBeLookedAt) {
  const sd_wait wait = Trace::WaitOn(talk_);
  PeerSends(kContinue);
  trace_.GuestAcks(talk_);
  EXPECT_EQ(Wait(kBodyPlan, wait), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "ended 1 replied 25"}));
}

TEST_F(PlanWaitTest, AHalfMatchedPlanMovesToAnotherHost) {
  Wait(R"({"handlers": [
      {"name": "all", "when": {"status": "2xx"}, "do": ["buffer", "restore"]},
      {"name": "go on", "when": {"status": "1xx"}, "do": ["ignore"]}]})");
  PeerSends(kContinue.substr(0, 12));
  trace_.GuestAcks(talk_);
  trace_.SuspendNow();
  trace_.Stopped();
  trace_.Suspended();
  trace_.Take();
  trace_.HandOver();
  PeerSends(kContinue.substr(12));
  trace_.HandOver();
  PeerSends(kHead.substr(0, 30));
  trace_.HandOver();
  PeerSends(kHead.substr(30));
  trace_.HandOver();
  PeerSends(kBody.substr(0, 19));
  trace_.HandOver();
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  PeerSends(kBody.substr(19));
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 84 by all 1 @84", "restore reply"}));
}

TEST_F(PlanWaitTest, APlanCanWaitForTheStreamToBeQuiet) {
  Wait(R"({"format": "raw", "handlers": [
      {"name": "still", "when": {"quiet": 300}}]})");
  trace_.Pass(1000);
  trace_.Stopped();
  trace_.Suspended();
  trace_.Take();
  PeerSends(kContinue);
  trace_.Pass(299);
  PeerSends(kHead);
  trace_.Pass(299);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  trace_.Pass(1);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 64 by still 0 @64", "restore reply"}));
}

TEST_F(PlanWaitTest, AlertsAreTold) {
  Wait(R"({"handlers": [
      {"name": "go on", "when": {"status": "1xx"}, "do": ["alert"]},
      {"name": "fine", "when": {"complete": true}, "do": ["alert",
       "restore"]}]})");
  PeerSends(kContinue);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "alert 1 by go on 0 @25"}));
  PeerSends(kHead);
  PeerSends(kBody);
  EXPECT_EQ(trace_.Take(), Lines({"alert 1 by fine 1 @84",
                                  "ended 1 replied 84 by fine 1 @84"}));
}

TEST_F(PlanWaitTest, APlanSaysHowImportantAReplyIs) {
  sd_config config = Trace::DefaultConfig();
  config.policy.wake_replies = 3;
  config.policy.wake_importance = 4;
  sd_set_config(trace_.stub(), &config);
  Talk other(40001);
  trace_.Connect(&other);
  trace_.Request(other, 10);
  Talk third(40002);
  trace_.Connect(&third);
  trace_.Request(third, 10);
  constexpr std::string_view kPlan = R"({"handlers": [
      {"name": "urgent", "when": {"pattern": {"regex": "now"}},
       "do": [{"action": "importance", "value": 4}, "restore"]},
      {"name": "some", "when": {"body": 3}}]})";
  Wait(kPlan, Trace::WaitOn(other));
  Wait(kPlan, Trace::WaitOn(third));
  Wait("{}");
  trace_.SuspendNow();
  trace_.Take();
  other.set_reply("later");
  trace_.PeerSends(other, 5);
  EXPECT_EQ(trace_.TakeNotices(), Lines({"ended 1 replied 5 by some 0 @3"}));
  third.set_reply("now");
  trace_.PeerSends(third, 3);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 2 replied 3 by urgent 0 @3", "restore reply"}));
}

TEST_F(PlanWaitTest, AlertsAreBounded) {
  std::string many;
  for (int i = 0; i < SD_ALERTS_MAX + 5; ++i) many += kContinue;
  talk_.set_reply(many);
  Wait(R"({"handlers": [{"when": {"status": "1xx"}, "do": ["alert"]}]})");
  PeerSends(many);
  EXPECT_EQ(trace_.Take().size(), size_t{1} + SD_ALERTS_MAX);
}

TEST_F(PlanWaitTest, ACloseThatThePlanDoesNotKnowEndsTheWait) {
  Wait(kBodyPlan);
  PeerSends(kContinue);
  trace_.Send(talk_, Side::kPeer, talk_.Fin(Side::kPeer));
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "ended 1 closed 25"}));
}

TEST_F(PlanWaitTest, ACloseCanBeIgnored) {
  sd_wait wait = Trace::WaitOn(talk_);
  wait.timeout_ms = 500;
  wait.suspend = false;
  Wait(R"({"handlers": [{"when": {"fin": true}, "do": ["ignore"]}]})", wait);
  trace_.Send(talk_, Side::kPeer, talk_.Fin(Side::kPeer));
  trace_.Pass(499);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  trace_.Pass(1);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 timed-out 0"}));
}

TEST_F(PlanWaitTest, AResetEndsTheWait) {
  Wait(kBodyPlan);
  trace_.Send(talk_, Side::kPeer, talk_.Rst(Side::kPeer));
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "ended 1 reset 0"}));
}

TEST_F(PlanWaitTest, MemoryOfAllPlansIsBounded) {
  std::string plan = R"({"handlers": [{"when": {"any": [)";
  for (int i = 0; i < 16; ++i) {
    plan += std::string(i > 0 ? "," : "") + R"({"pattern": {"regex": "xyz"}})";
  }
  plan += "]}}]}";
  uint32_t laid = 0;
  while (Wait(plan) == SD_OK) ++laid;
  EXPECT_EQ(Wait(plan), SD_REFUSED_PLANS_TOO_LARGE);
  EXPECT_EQ(laid, 61u);
  EXPECT_EQ(Wait("{}"), SD_OK);
}

TEST_F(PlanWaitTest, APlanForAStreamIsNotForDatagrams) {
  sd_wait wait = Trace::WaitOn(talk_);
  wait.protocol = SD_UDP;
  EXPECT_EQ(Wait(R"({"format": "http"})", wait), SD_REFUSED_PLAN_FORMAT);
  EXPECT_EQ(Wait(R"({"format": "dns"})", wait), SD_OK);
}

}  // namespace
}  // namespace stubdomain
