// Plans that do something when no reply comes, or not the right one, as traces.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <string>

#include "trace/frames.h"
#include "trace/trace.h"
#include "wait/flow_names.h"

namespace stubdomain {
namespace {

const std::string kAsked = "GET / HTTP/1.1\r\n\r\n";
const std::string kBusy = "HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n";
const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes";

class LateTest : public testing::Test {
 protected:
  LateTest() {
    talk_.set_request(kAsked + kAsked + kAsked);
    trace_.Connect(&talk_);
    trace_.Request(talk_, static_cast<uint32_t>(kAsked.size()));
  }
  sd_refusal Wait(std::string_view plan, uint32_t timeout = 0) {
    sd_wait wait = Trace::WaitOn(talk_);
    wait.timeout_ms = timeout;
    return trace_.WaitWithPlan(plan, wait);
  }
  void Suspend(std::string_view plan, uint32_t timeout = 0) {
    EXPECT_EQ(Wait(plan, timeout), SD_OK);
    trace_.SuspendNow();
    trace_.Take();
  }
  // What comes behind `before` of what it has sent.
  void PeerSends(const std::string& before, const std::string& text) {
    talk_.set_reply(before + text);
    trace_.PeerSends(talk_, static_cast<uint32_t>(text.size()));
  }
  // The peer gets the request once more, and acknowledges it.
  void ExpectAsked(uint32_t from) {
    const std::string data =
        "peer: data " + std::to_string(from) + "+18 (40000)";
    EXPECT_EQ(trace_.Take(), Lines({data}));
    trace_.Send(talk_, Side::kPeer, talk_.Ack(Side::kPeer));
    EXPECT_EQ(trace_.Take(), Lines());
  }
  Lines Wake(const std::string& all_of_guest) {
    talk_.set_reply(all_of_guest);
    trace_.Running();
    return trace_.Take();
  }

  Trace trace_;
  Talk talk_;
};

constexpr std::string_view kGatewayTimeout =
    R"({"handlers": [{"when": {"complete": true}}],
        "late": [{"action": "answer", "http": {"body": "late"}}]})";
const std::string kSays504 =
    "HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 4\r\n"
    "Connection: close\r\n\r\nlate";

TEST_F(LateTest, TheTimeoutBecomesAReply) {
  Suspend(kGatewayTimeout, 5000);
  trace_.HandOver();
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 timed-out 0 answered",
                                  "restore timeout", "peer: reset (40000)"}));
  const std::string size = std::to_string(kSays504.size());
  EXPECT_EQ(Wake(kSays504), Lines({"guest: data 0+" + size + " (40000)",
                                   "guest: fin (40000)"}));
}

TEST_F(LateTest, HalfAReplyMakesRoomForIt) {
  Suspend(kGatewayTimeout, 5000);
  PeerSends("", kOk.substr(0, 38));
  trace_.Pass(5000);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 timed-out 38 answered", "restore timeout"}));
  const std::string size = std::to_string(kSays504.size());
  EXPECT_EQ(Wake(kSays504), Lines({"guest: data 0+" + size + " (40000)",
                                   "guest: fin (40000)"}));
}

TEST_F(LateTest, WhatTheGuestHasAlreadyIsNotReplaced) {
  EXPECT_EQ(Wait(kGatewayTimeout, 5000), SD_OK);
  PeerSends("", kOk.substr(0, 38));
  trace_.GuestAcks(talk_);
  trace_.SuspendNow();
  trace_.Take();
  trace_.Pass(5000);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 timed-out 38", "restore timeout"}));
}

TEST_F(LateTest, AGuestThatRunsIsAnsweredAsWell) {
  sd_wait wait = Trace::WaitOn(talk_);
  wait.timeout_ms = 5000;
  wait.suspend = false;
  EXPECT_EQ(trace_.WaitWithPlan(
                R"({"late": [{"action": "answer", "rst": true}]})", wait),
            SD_OK);
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(),
            Lines({"waiting 1", "ended 1 timed-out 0 answered",
                   "peer: reset (40000)", "guest: reset (40000)"}));
}

TEST_F(LateTest, AnAlertTellsOfIt) {
  Suspend(R"({"late": ["alert"]})", 5000);
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(),
            Lines({"alert 1", "ended 1 timed-out 0", "restore timeout"}));
}

constexpr std::string_view kRetry = R"({"format": "http",
    "retries": {"times": 2, "repeatable": true}, "handlers": [
      {"name": "busy", "when": {"status": "503"},
       "do": [{"action": "retry", "after": 3000}]},
      {"name": "fine", "when": {"status": "200"}, "do": ["restore"]}]})";

TEST_F(LateTest, AReplyCanAskForAnotherTry) {
  Suspend(kRetry);
  PeerSends("", kBusy);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  EXPECT_EQ(trace_.info().kept, 0u);
  trace_.HandOver();
  trace_.Pass(2999);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  trace_.Take();
  trace_.Pass(1);
  ExpectAsked(18);
  PeerSends(kBusy, kBusy);
  trace_.Take();
  trace_.Pass(3000);
  ExpectAsked(36);
  PeerSends(kBusy + kBusy, kOk);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 123 by fine 2 @120", "restore reply"}));
  EXPECT_EQ(Wake(kOk), Lines({"guest: data 0+41 (40000)"}));
}

TEST_F(LateTest, WhenNoTryIsLeftTheReplyIsHandedOver) {
  Suspend(kRetry);
  std::string all;
  for (const uint32_t from : {18, 36}) {
    PeerSends(all, kBusy);
    all += kBusy;
    trace_.Take();
    trace_.Pass(3000);
    ExpectAsked(from);
  }
  PeerSends(all, kBusy);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 123 by busy 2 @123", "restore reply"}));
  EXPECT_EQ(Wake(kBusy), Lines({"guest: data 0+41 (40000)"}));
}

TEST_F(LateTest, AGuestThatRunsGetsTheReplyInsteadOfATry) {
  EXPECT_EQ(Wait(kRetry), SD_OK);
  PeerSends("", kBusy);
  EXPECT_EQ(trace_.Take(),
            Lines({"waiting 1", "ended 1 replied 41 by busy 0 @41"}));
}

TEST_F(LateTest, AReplyThatTheGuestHasSomeOfIsHandedOver) {
  EXPECT_EQ(Wait(kRetry), SD_OK);
  PeerSends("", kBusy.substr(0, 20));
  trace_.GuestAcks(talk_);
  trace_.SuspendNow();
  trace_.Take();
  PeerSends(kBusy.substr(0, 20), kBusy.substr(20));
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 41 by busy 0 @41", "restore reply"}));
  EXPECT_EQ(Wake(kBusy), Lines({"guest: data 20+21 (40000)"}));
}

TEST_F(LateTest, WhatWasNotKeptIsNotAskedAgain) {
  talk_.set_request("");
  trace_.Request(talk_, 20000);
  Suspend(kRetry);
  PeerSends("", kBusy);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 41 by busy 0 @41", "restore reply"}));
}

TEST_F(LateTest, SilenceIsAskedAgainAndThenTheWaitIsOver) {
  Suspend(R"({"retries": {"times": 2, "after": 3000, "repeatable": true},
              "late": [{"action": "answer", "text": "late"}]})");
  trace_.Take();
  trace_.Pass(3000);
  ExpectAsked(18);
  trace_.HandOver();
  trace_.Take();
  trace_.Pass(3000);
  ExpectAsked(36);
  trace_.Pass(2000);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  trace_.Pass(1000);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 timed-out 0 answered", "restore timeout"}));
  EXPECT_EQ(Wake("late"),
            Lines({"guest: data 0+4 (40000)", "guest: fin (40000)"}));
}

TEST_F(LateTest, WhereAReplyHasBegunItIsNotSilent) {
  Suspend(R"({"retries": {"times": 2, "after": 3000, "repeatable": true}})");
  PeerSends("", kOk.substr(0, 10));
  trace_.Take();
  trace_.Pass(60000);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 10", "restore reply"}));
}

TEST_F(LateTest, AConnectionIsAskedAgainOnlyIfThatDoesNoHarm) {
  EXPECT_EQ(Wait(R"({"retries": {"times": 2, "after": 3000}})"),
            SD_REFUSED_PLAN_RETRIES);
}

constexpr std::string_view kSend = R"({"format": "http", "handlers": [
    {"name": "who", "when": {"status": "401"},
     "do": ["buffer", {"action": "send", "text": "me"}, "discard"]}]})";
const std::string kWho = "HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n";

TEST_F(LateTest, AMessageCanBeAnsweredInTheGuestsName) {
  Suspend(kSend);
  talk_.set_request(kAsked + "me");
  PeerSends("", kWho);
  EXPECT_EQ(trace_.Take(), Lines({"peer: data 18+2 (40000)"}));
  EXPECT_EQ(trace_.info().kept, 0u);
  trace_.Send(talk_, Side::kPeer, talk_.Ack(Side::kPeer));
  PeerSends(kWho, kOk);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 80", "restore reply"}));
  EXPECT_EQ(Wake(kOk), Lines({"guest: data 0+41 (40000)"}));
}

TEST_F(LateTest, AGuestThatRunsAnswersForItself) {
  EXPECT_EQ(Wait(kSend), SD_OK);
  PeerSends("", kWho);
  EXPECT_EQ(trace_.Take(),
            Lines({"waiting 1", "ended 1 replied 39 by who 0 @39"}));
}

TEST_F(LateTest, AReplyCanBeReplaced) {
  Suspend(R"({"format": "http", "handlers": [
      {"name": "go on", "when": {"status": "1xx"}, "do": ["discard"]},
      {"name": "hidden", "when": {"status": "5xx"},
       "do": [{"action": "answer", "text": "no", "close": false}]}]})");
  const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  PeerSends("", go_on + kBusy);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 66 by hidden 1 @66", "restore reply"}));
  EXPECT_EQ(Wake("no"), Lines({"guest: data 0+2 (40000)"}));
}

// -- datagrams --

class LateDatagramTest : public testing::Test {
 protected:
  LateDatagramTest() {
    sd_config config = Trace::DefaultConfig();
    config.unmatched = SD_UNMATCHED_IGNORE;
    sd_set_config(trace_.stub(), &config);
    trace_.Send(0, Side::kGuest, question_);
    trace_.on_send = [this](unsigned, Side to, const sd_frame& frame) {
      last_.assign(frame.data, frame.data + frame.length);
      to_ = to;
      return true;
    };
    wait_.protocol = SD_UDP;
    wait_.flow = ToC({guest_, peer_});
    wait_.suspend = true;
  }
  void Suspend(std::string_view plan) {
    EXPECT_EQ(trace_.WaitWithPlan(plan, wait_), SD_OK);
    trace_.SuspendNow();
    trace_.Take();
  }
  Frame Reply(std::string_view text) {
    return UdpTo(kLinkToGuest, peer_, guest_, text);
  }
  // Of the last frame that was sent.
  std::string Payload() const {
    Packet packet;
    Parse(last_, {}, &packet);
    EXPECT_TRUE(ChecksumOk(packet));
    const auto payload = std::get<UdpDatagram>(packet.body).payload;
    return {payload.begin(), payload.end()};
  }
  static std::string Text(const Frame& frame) {
    return std::to_string(frame.bytes.size()) + " bytes";
  }

  const std::string id_ = "\x12\x34";
  Endpoint guest_{Ip("10.0.2.15"), 5000};
  Endpoint peer_{Ip("192.0.2.1"), 53};
  Frame question_ = UdpTo({kPeerMac, kGuestMac, {}}, guest_, peer_,
                          id_ + std::string("\1\0\0\0\0\0\0\0\0\0", 10));
  Trace trace_;
  sd_wait wait_{};
  std::vector<uint8_t> last_;
  Side to_ = Side::kGuest;
};

TEST_F(LateDatagramTest, TheTimeoutBecomesAServfail) {
  wait_.timeout_ms = 5000;
  Suspend(R"({"format": "dns", "late": [{"action": "answer", "rcode": 2}]})");
  trace_.HandOver();
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(),
            Lines({"ended 1 timed-out 0 answered", "restore timeout"}));
  trace_.Running();
  EXPECT_EQ(Payload(), id_ + std::string("\x81\x82\0\0\0\0\0\0\0\0", 10));
  EXPECT_EQ(to_, Side::kGuest);
}

TEST_F(LateDatagramTest, NobodyIsThere) {
  wait_.timeout_ms = 5000;
  Suspend(R"({"late": [{"action": "answer", "rst": true}]})");
  trace_.HandOver();
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(),
            Lines({"ended 1 timed-out 0 answered", "restore timeout"}));
  trace_.Running();
  Packet packet;
  Parse(last_, {}, &packet);
  ASSERT_NE(std::get_if<IcmpError>(&packet.body), nullptr);
  EXPECT_EQ(FlowToGuest(packet), (FlowId{guest_, peer_}));
  EXPECT_EQ(to_, Side::kGuest);
}

TEST_F(LateDatagramTest, AGuestThatRunsIsAnsweredAsWell) {
  wait_.timeout_ms = 5000;
  wait_.suspend = false;
  EXPECT_EQ(trace_.WaitWithPlan(
                R"({"late": [{"action": "answer", "text": "no"}]})", wait_),
            SD_OK);
  trace_.Pass(5000);
  EXPECT_EQ(Payload(), "no");
  EXPECT_EQ(to_, Side::kGuest);
}

TEST_F(LateDatagramTest, AQuestionIsAskedAgain) {
  Suspend(R"({"format": "dns", "retries": {"times": 2, "after": 3000}})");
  trace_.HandOver();
  const Lines asked{"peer: " + Text(question_)};
  trace_.Pass(3000);
  EXPECT_EQ(trace_.Take(), asked);
  EXPECT_EQ(last_, question_.bytes);
  trace_.Pass(3000);
  EXPECT_EQ(trace_.Take(), asked);
  trace_.Pass(3000);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 timed-out 0", "restore timeout"}));
}

TEST_F(LateDatagramTest, APeerThatHasItIsNotAskedAgain) {
  const std::string match = R"("match": {"id": 5})";
  Suspend(R"({"format": "dns", "retries": {"times": 2, "after": 3000}, )" +
          match + "}");
  trace_.Send(0, Side::kPeer, Reply(std::string(12, 'x')));
  trace_.Pass(60000);
  EXPECT_EQ(trace_.Take(), Lines());
}

TEST_F(LateDatagramTest, IfItDoesNoHarmItIs) {
  Suspend(R"({"format": "dns", "match": {"id": 5},
              "retries": {"times": 1, "after": 3000, "repeatable": true}})");
  trace_.Send(0, Side::kPeer, Reply(std::string(12, 'x')));
  trace_.Pass(3000);
  EXPECT_EQ(trace_.Take(), Lines({"peer: " + Text(question_)}));
}

TEST_F(LateDatagramTest, OneReplyOfEachIsHandedOver) {
  Suspend(R"({"format": "dns", "retries": {"times": 2, "after": 3000}})");
  trace_.Pass(6000);
  trace_.Take();
  const Frame reply = Reply(id_ + std::string(10, 'y'));
  trace_.Send(0, Side::kPeer, reply);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 12", "restore reply"}));
  EXPECT_EQ(trace_.Send(0, Side::kPeer, reply), SD_TAKEN);
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"guest: " + Text(reply)}));
  EXPECT_EQ(trace_.Send(0, Side::kPeer, reply), SD_TAKEN);
  // Of three questions three replies were to come, and the guest has its own.
  EXPECT_EQ(trace_.Send(0, Side::kPeer, reply), SD_PASS);
}

TEST_F(LateDatagramTest, ADatagramCanBeAnsweredInTheGuestsName) {
  Suspend(R"({"format": "raw", "handlers": [
      {"when": {"not": {"bytes": 5}},
       "do": [{"action": "send", "text": "what?"}, "discard"]},
      {"when": {"at": {"bytes": "21", "offset": 0}},
       "do": [{"action": "answer", "text": "calm"}]}]})");
  trace_.Send(0, Side::kPeer, Reply("no"));
  EXPECT_EQ(Payload(), "what?");
  EXPECT_EQ(to_, Side::kPeer);
  trace_.Take();
  trace_.Send(0, Side::kPeer, Reply("!loud"));
  EXPECT_EQ(trace_.Take(),
            Lines({"ended 1 replied 5 by 1 1 @3", "restore reply"}));
  trace_.Running();
  EXPECT_EQ(Payload(), "calm");
  EXPECT_EQ(trace_.Take().size(), 1u);
}

TEST_F(LateDatagramTest, WhatCannotBeADatagramIsRefused) {
  const auto refusal = [this](const std::string& answer) {
    return trace_.WaitWithPlan(
        R"({"late": [{"action": "answer", )" + answer + "}]}", wait_);
  };
  EXPECT_EQ(refusal(R"("http": {})"), SD_REFUSED_PLAN_ANSWER);
  EXPECT_EQ(refusal(R"("text": ")" + std::string(1401, 'x') + "\""),
            SD_REFUSED_PLAN_ANSWER);
  EXPECT_EQ(refusal(R"("text": ")" + std::string(1400, 'x') + "\""), SD_OK);
}

}  // namespace
}  // namespace stubdomain
