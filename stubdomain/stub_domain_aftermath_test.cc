// Plans that go on once the guest runs again, as traces.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <string>

#include "trace/trace.h"
#include "wait/aftermath.h"

namespace stubdomain {
namespace {

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes";
const std::string kHead = kOk.substr(0, kOk.size() - 3);

std::string Plan(const std::string& actions) {
  return R"({"format": "http", "handlers": [{"name": "ok",
             "when": {"status": "2xx"}, "do": ["restore", )" +
         actions + "]}]}";
}

const std::string kShout = Plan(R"({"action": "script",
    "source": "return 'answer', message.bytes .. '!'"})");

class AftermathTest : public testing::Test {
 protected:
  AftermathTest() {
    trace_.Connect(&talk_);
    trace_.Request(talk_, 10);
    talk_.set_reply(kOk + "!" + std::string(100, 'x'));
  }
  void Suspend(const std::string& plan) {
    EXPECT_EQ(trace_.WaitWithPlan(plan, Trace::WaitOn(talk_)), SD_OK);
    trace_.SuspendNow();
    Take();
  }
  void PeerSends(size_t length) {
    trace_.PeerSends(talk_, static_cast<uint32_t>(length));
  }
  // Without what only acknowledges.
  Lines Take() {
    Lines lines = trace_.Take();
    std::erase_if(lines, [](const std::string& line) {
      return line.starts_with("peer: ack");
    });
    return lines;
  }
  // The head wakes the guest, which runs then.
  Lines WakeByHead() {
    PeerSends(kHead.size());
    EXPECT_EQ(trace_.TakeNotices(),
              Lines({"ended 1 replied 38 by ok 0 @38", "restore reply"}));
    trace_.Running();
    return Take();
  }

  Trace trace_;
  Talk talk_;
};

TEST_F(AftermathTest, TheRestIsPreparedWhileTheGuestRuns) {
  Suspend(kShout);
  EXPECT_EQ(WakeByHead(), Lines());
  PeerSends(2);
  EXPECT_EQ(trace_.info().kept, 40u);
  // The last byte, in whose place there are two.
  const Frame last = talk_.Data(Side::kPeer, 1);
  trace_.Send(talk_, Side::kPeer, last);
  EXPECT_EQ(Take(), Lines({"guest: data 0+42 (40000)"}));
  trace_.GuestAcks(talk_);
  EXPECT_EQ(trace_.info().kept, 0u);
}

TEST_F(AftermathTest, FirstItWakesAndThenItAlerts) {
  Suspend(Plan(R"("alert")"));
  EXPECT_EQ(WakeByHead(),
            Lines({"alert 1 by ok 0 @38", "guest: data 0+38 (40000)"}));
}

TEST_F(AftermathTest, WhatComesOnceItIsCompleteWaits) {
  Suspend(Plan(R"("buffer", "alert")"));
  EXPECT_EQ(WakeByHead(), Lines());
  PeerSends(3);
  EXPECT_EQ(Take(), Lines({"alert 1 by ok 0 @41", "guest: data 0+41 (40000)"}));
}

TEST_F(AftermathTest, AMessageIsTakenOutAndTheNextPasses) {
  Suspend(Plan(R"("discard")"));
  EXPECT_EQ(WakeByHead(), Lines());
  PeerSends(3);
  EXPECT_EQ(Take(), Lines());
  EXPECT_EQ(trace_.info().kept, 0u);
  talk_.set_reply(std::string(100, 'x'));
  PeerSends(5);
  EXPECT_EQ(Take(), Lines({"guest: data 0+5 (40000)"}));
}

TEST_F(AftermathTest, BytesAreSentBeforeTheGuestSpeaks) {
  talk_.set_request("0123456789yes");
  Suspend(Plan(R"({"action": "send", "text": "yes"}, "alert")"));
  EXPECT_EQ(WakeByHead(),
            Lines({"alert 1 by ok 0 @38", "guest: data 0+38 (40000)",
                   "peer: data 10+3 (40000)"}));
}

TEST_F(AftermathTest, ItGoesOnElsewhere) {
  Suspend(kShout);
  PeerSends(kHead.size());
  trace_.HandOver();
  trace_.TakeNotices();
  trace_.Running();
  EXPECT_EQ(Take(), Lines());
  PeerSends(1);
  trace_.HandOver();
  PeerSends(2);
  trace_.GuestAcks(talk_);
  EXPECT_EQ(talk_.received(Side::kGuest), 42u);
}

TEST_F(AftermathTest, AWholeMessageGoesOnElsewhere) {
  Suspend(R"~({"format": "http", "handlers": [{"name": "ok",
      "when": {"status": "2xx"}, "do": ["buffer", "restore",
      {"action": "script", "source":
       "alert(message.status .. header('content-length'))"}]}]})~");
  PeerSends(kOk.size());
  trace_.HandOver();
  trace_.TakeNotices();
  trace_.Running();
  EXPECT_EQ(Take(), Lines({"alert 1 by ok 0 @41 says 2003",
                           "guest: data 0+41 (40000)"}));
}

TEST_F(AftermathTest, TheAgentIsWaitedForAsWell) {
  trace_.Agent(true);
  Suspend(kShout);
  EXPECT_EQ(WakeByHead(), Lines());
  PeerSends(3);
  EXPECT_EQ(Take(), Lines());
  trace_.Ready();
  EXPECT_EQ(Take(), Lines({"guest: data 0+42 (40000)"}));
}

TEST_F(AftermathTest, WhatDoesNotGetCompleteIsHandedOver) {
  Suspend(kShout);
  EXPECT_EQ(WakeByHead(), Lines());
  trace_.Pass(29'999);
  PeerSends(1);
  trace_.Pass(29'999);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  trace_.Pass(1);
  EXPECT_EQ(Take(), Lines({"alert 1: the message does not get complete",
                           "guest: data 0+39 (40000)"}));
  static_assert(kAftermathPatience == std::chrono::seconds(30));
}

TEST_F(AftermathTest, TheLongestWaitCountsOn) {
  sd_wait wait = Trace::WaitOn(talk_);
  wait.timeout_ms = 1000;
  EXPECT_EQ(trace_.WaitWithPlan(kShout, wait), SD_OK);
  trace_.SuspendNow();
  Take();
  EXPECT_EQ(WakeByHead(), Lines());
  trace_.Pass(1000);
  EXPECT_EQ(Take(), Lines({"alert 1: the message does not get complete",
                           "guest: data 0+38 (40000)"}));
}

TEST_F(AftermathTest, ACloseInItsMidstHandsItOver) {
  Suspend(kShout);
  EXPECT_EQ(WakeByHead(), Lines());
  trace_.Send(talk_, Side::kPeer, talk_.Fin(Side::kPeer));
  EXPECT_EQ(Take(), Lines({"guest: data 0+38 (40000)", "guest: fin (40000)"}));
}

TEST_F(AftermathTest, AFailingScriptHandsItOver) {
  Suspend(
      Plan(R"~({"action": "script", "source": "error('no')"}, "discard")~"));
  EXPECT_EQ(WakeByHead(), Lines());
  PeerSends(3);
  EXPECT_EQ(Take(), Lines({"alert 1 by ok 0 @41: script: line 1: no",
                           "guest: data 0+41 (40000)"}));
}

TEST_F(AftermathTest, AFullBufferHandsItOver) {
  sd_config config = Trace::DefaultConfig();
  config.flow_buffer = 5000;
  sd_set_config(trace_.stub(), &config);
  talk_.set_reply("HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" +
                  std::string(90'000, 'x'));
  Suspend(kShout);
  PeerSends(42);
  trace_.Running();
  Take();
  bool handed_over = false;
  for (int i = 0; i < 60 && !handed_over; ++i) {
    PeerSends(1400);
    for (const std::string& line : Take()) {
      handed_over = handed_over || line.starts_with("guest: data");
    }
  }
  EXPECT_TRUE(handed_over);
}

TEST_F(AftermathTest, AGuestThatRunsIsNotHeldUp) {
  EXPECT_EQ(
      trace_.WaitWithPlan(Plan(R"("buffer", "alert")"), Trace::WaitOn(talk_)),
      SD_OK);
  Take();
  PeerSends(kHead.size());
  EXPECT_EQ(trace_.TakeNotices(), Lines({"ended 1 replied 38 by ok 0 @38"}));
  PeerSends(3);
  EXPECT_EQ(trace_.TakeNotices(), Lines({"alert 1 by ok 0 @41"}));
}

TEST_F(AftermathTest, AnotherSuspendDoesNotEndIt) {
  Suspend(kShout);
  EXPECT_EQ(WakeByHead(), Lines());
  trace_.Suspend();
  trace_.Pass(SD_QUIET_MS);
  trace_.Stopped();
  trace_.Suspended();
  PeerSends(3);
  trace_.Restore();
  Take();
  trace_.Running();
  EXPECT_EQ(Take(), Lines({"guest: data 0+42 (40000)"}));
}

TEST_F(AftermathTest, AResetEndsIt) {
  Suspend(kShout);
  EXPECT_EQ(WakeByHead(), Lines());
  trace_.Reset();
  Take();
  trace_.Pass(60'000);
  EXPECT_EQ(Take(), Lines());
}

TEST_F(AftermathTest, NothingFollowsForADatagram) {
  sd_wait wait = Trace::WaitOn(talk_);
  wait.protocol = SD_UDP;
  EXPECT_EQ(trace_.WaitWithPlan(
                R"({"format": "raw", "handlers": [{"when": {"bytes": 1},
                    "do": ["restore", "alert"]}]})",
                wait),
            SD_REFUSED_PLAN_AFTER);
}

}  // namespace
}  // namespace stubdomain
