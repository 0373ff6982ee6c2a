// Plans that change what the guest gets, as traces.
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

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view kOk =
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes";
constexpr std::string_view kPlan = R"({"format": "http", "handlers": [
    {"name": "go on", "when": {"status": "1xx"}, "do": ["discard"]},
    {"name": "all", "when": {"status": "2xx"}, "do": ["buffer", "restore"]}]})";

class EditTest : public testing::Test {
 protected:
  EditTest() {
    trace_.Connect(&talk_);
    trace_.Request(talk_, 10);
  }
  void Suspend(std::string_view plan = kPlan) {
    EXPECT_EQ(trace_.WaitWithPlan(plan, Trace::WaitOn(talk_)), SD_OK);
    trace_.SuspendNow();
    trace_.Take();
  }
  // Both sides count from the same first byte, so what the one sends and the
  // other gets differ once something was taken out.
  void PeerSends(const std::string& all_of_peer, std::string_view text) {
    talk_.set_reply(all_of_peer);
    trace_.PeerSends(talk_, static_cast<uint32_t>(text.size()));
  }
  Lines Wake(const std::string& all_of_guest) {
    talk_.set_reply(all_of_guest);
    trace_.Running();
    return trace_.Take();
  }

  const std::string continue_{kContinue};
  const std::string ok_{kOk};
  Trace trace_;
  Talk talk_;
};

TEST_F(EditTest, AMessageIsTakenOutAndTheRestFollows) {
  Suspend();
  PeerSends(continue_, kContinue);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  EXPECT_EQ(trace_.info().kept, 0u);
  PeerSends(continue_ + ok_, kOk);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 66 by all 1 @66", "restore reply"}));
  EXPECT_EQ(Wake(ok_), Lines({"guest: data 0+41 (40000)"}));
  // The peer counts 25 more than the guest for the rest of the connection.
  trace_.GuestAcks(talk_);
  EXPECT_EQ(trace_.Take(), Lines({"peer: ack 66 (40000)"}));
  talk_.set_reply(std::string(200, 'x'));
  trace_.PeerSends(talk_, 7);
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 41+7 (40000)"}));
  trace_.GuestAcks(talk_);
  EXPECT_EQ(trace_.Take(), Lines({"peer: ack 73 (40000)"}));
}

TEST_F(EditTest, AScriptDecidesWhatTheGuestGets) {
  Suspend(
      R"({"format": "http", "handlers": [
      {"name": "ask", "when": {"bytes": 1}, "do": [
      {"action": "script", "source": ")"
      "if message.status < 200 then alert('not yet') return 'discard' end "
      "return 'answer', message.bytes .. '!'"
      R"("}]}]})");
  PeerSends(continue_, kContinue);
  EXPECT_EQ(trace_.TakeNotices(), Lines({"alert 1 by ask 0 @25 says not yet"}));
  EXPECT_EQ(trace_.info().kept, 0u);
  PeerSends(continue_ + ok_, kOk);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 66 by ask 1 @66", "restore reply"}));
  EXPECT_EQ(Wake(ok_ + "!"), Lines({"guest: data 0+42 (40000)"}));
}

TEST_F(EditTest, AScriptThatFailsLosesNothing) {
  Suspend(R"~({"format": "http", "handlers": [
      {"name": "ask", "when": {"bytes": 1}, "do": [
      {"action": "script", "source": "error('no luck')"}, "discard"]}]})~");
  PeerSends(ok_, kOk);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"alert 1 by ask 0 @41: script: line 1: no luck",
                   "ended 1 replied 41 by ask 0 @41", "restore reply"}));
  EXPECT_EQ(Wake(ok_), Lines({"guest: data 0+41 (40000)"}));
}

TEST_F(EditTest, ItIsTakenOutHoweverItWasCutAndMoved) {
  Suspend();
  const std::string all = continue_ + continue_ + ok_;
  for (size_t i = 0; i < all.size(); ++i) {
    PeerSends(all, "x");
    if (i % 7 == 0) trace_.HandOver();
  }
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 91 by all 2 @91", "restore reply"}));
  EXPECT_EQ(Wake(ok_), Lines({"guest: data 0+41 (40000)"}));
}

TEST_F(EditTest, WhatComesOutOfOrderIsTakenOutToo) {
  Suspend();
  talk_.set_reply(continue_ + ok_);
  const Frame first =
      talk_.Data(Side::kPeer, static_cast<uint32_t>(kContinue.size()));
  trace_.PeerSends(talk_, static_cast<uint32_t>(kOk.size()));
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  trace_.Send(talk_, Side::kPeer, first);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 66 by all 1 @66", "restore reply"}));
  EXPECT_EQ(Wake(ok_), Lines({"guest: data 0+41 (40000)"}));
}

TEST_F(EditTest, WhatTheGuestHasIsNotTakenBack) {
  talk_.set_reply(continue_ + continue_ + ok_);
  EXPECT_EQ(trace_.WaitWithPlan(kPlan, Trace::WaitOn(talk_)), SD_OK);
  trace_.PeerSends(talk_, 25);
  trace_.PeerSends(talk_, 5);
  trace_.GuestAcks(talk_);
  trace_.SuspendNow();
  trace_.Take();
  // Half of it passed, so all of it stays.
  trace_.PeerSends(talk_, 20);
  trace_.PeerSends(talk_, 41);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 91 by all 2 @91", "restore reply"}));
  EXPECT_EQ(Wake(continue_ + continue_ + ok_),
            Lines({"guest: data 30+61 (40000)"}));
}

TEST_F(EditTest, AnotherWaitOnTheConnectionSeesEverything) {
  EXPECT_EQ(trace_.WaitWithPlan(kPlan, Trace::WaitOn(talk_)), SD_OK);
  EXPECT_EQ(trace_.WaitWithPlan(R"({"handlers": [
                    {"name": "go on", "when": {"status": "1xx"},
                     "do": ["alert"]},
                    {"name": "done", "when": {"complete": true}}]})",
                                Trace::WaitOn(talk_)),
            SD_OK);
  EXPECT_EQ(trace_.WaitWithPlan(R"({"format": "raw", "bytes": 60})",
                                Trace::WaitOn(talk_)),
            SD_OK);
  trace_.SuspendNow();
  trace_.Take();
  const std::string all = continue_ + ok_;
  PeerSends(all, kContinue.substr(0, 12));
  PeerSends(all, kContinue.substr(12));
  EXPECT_EQ(trace_.TakeNotices(), Lines({"alert 2 by go on 0 @25"}));
  PeerSends(all, kOk);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 66 by all 1 @66",
                   "ended 2 replied 66 by done 1 @66",
                   "ended 3 replied 66 by bytes 0 @60", "restore reply"}));
}

TEST_F(EditTest, TwoWaitsMayTakeOutTheSame) {
  EXPECT_EQ(trace_.WaitWithPlan(kPlan, Trace::WaitOn(talk_)), SD_OK);
  Suspend();
  const std::string all = continue_ + ok_;
  PeerSends(all, kContinue);
  PeerSends(all, kOk);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 66 by all 1 @66",
                   "ended 2 replied 66 by all 1 @66", "restore reply"}));
  EXPECT_EQ(Wake(ok_), Lines({"guest: data 0+41 (40000)"}));
}

constexpr std::string_view kTransforming = R"({"format": "http", "handlers": [
    {"name": "all", "when": {"status": "2xx"},
     "do": [{"action": "transform", "decode": true, "assemble": true,
             "strip": ["X-No"]}, "restore"]}]})";

TEST_F(EditTest, AReplyIsTransformedAndTheRestFollows) {
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nX-No: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nye\r\n1\r\ns\r\n0\r\n\r\n";
  Suspend(kTransforming);
  const std::string all = continue_ + chunked;
  PeerSends(all, kContinue);
  for (size_t i = 0; i < chunked.size(); ++i) {
    PeerSends(all, "x");
    if (i % 9 == 0) trace_.HandOver();
  }
  const std::string bytes = std::to_string(all.size());
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied " + bytes + " by all 1 @" + bytes,
                   "restore reply"}));
  EXPECT_EQ(Wake(continue_ + ok_), Lines({"guest: data 0+66 (40000)"}));
  trace_.GuestAcks(talk_);
  EXPECT_EQ(trace_.Take(), Lines({"peer: ack " + bytes + " (40000)"}));
}

TEST_F(EditTest, AReplyThatCannotBeTransformedStaysAndThatIsTold) {
  const std::string reply =
      "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\n"
      "yes";
  Suspend(kTransforming);
  PeerSends(reply, reply);
  EXPECT_EQ(
      trace_.TakeNotices(),
      Lines({"alert 1 by all 0 @63: the reply has an encoding that cannot "
             "be decoded",
             "ended 1 replied 63 by all 0 @63", "restore reply"}));
  EXPECT_EQ(Wake(reply), Lines({"guest: data 0+63 (40000)"}));
}

TEST_F(EditTest, ThereMayBeNoRoomForWhatAReplyBecomes) {
  const std::string reply = "HTTP/1.1 200 OK\r\n\r\n0123456789";
  Suspend(kTransforming);
  PeerSends(reply, reply);
  sd_config config = Trace::DefaultConfig();
  config.total_buffer = reply.size();
  sd_set_config(trace_.stub(), &config);
  trace_.Send(talk_, Side::kPeer, talk_.Fin(Side::kPeer));
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"alert 1 by all 0 @29: there is no room for what the reply "
                   "becomes",
                   "ended 1 replied 29 by all 0 @29", "restore reply"}));
}

TEST_F(EditTest, AnAlertShowsTheLastBytesOfTheMessage) {
  const std::string body(SD_ALERT_PART_MAX + 100, 'b');
  const std::string reply =
      "HTTP/1.1 500 No\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body;
  Suspend(R"({"format": "http", "handlers": [
      {"when": {"status": "1xx"}, "do": ["alert", "discard"]},
      {"when": {"status": "5xx"},
       "do": ["alert", "buffer", "alert", "restore"]}]})");
  PeerSends(continue_ + reply, kContinue);
  EXPECT_EQ(trace_.shown().first, kContinue);
  EXPECT_EQ(trace_.shown().second, 0u);
  trace_.HandOver();
  const size_t head = reply.size() - body.size();
  PeerSends(continue_ + reply, reply.substr(0, head));
  EXPECT_EQ(trace_.shown().first, reply.substr(0, head));
  EXPECT_EQ(trace_.shown().second, 25u);
  PeerSends(continue_ + reply, body);
  EXPECT_EQ(trace_.shown().first, std::string(SD_ALERT_PART_MAX, 'b'));
  EXPECT_EQ(trace_.shown().second, 25 + reply.size() - SD_ALERT_PART_MAX);
}

// -- datagrams --

class EditDatagramTest : public testing::Test {
 protected:
  EditDatagramTest() {
    trace_.Send(0, Side::kGuest,
                UdpTo({kPeerMac, kGuestMac, {}}, guest_, peer_));
    wait_.protocol = SD_UDP;
    wait_.flow = ToC({guest_, peer_});
    wait_.suspend = true;
    EXPECT_EQ(trace_.WaitWithPlan(R"({"format": "raw", "handlers": [
                      {"when": {"not": {"bytes": 5}}, "do": ["discard"]}]})",
                                  wait_),
              SD_OK);
  }
  Frame Reply(std::string_view text) {
    return UdpTo(kLinkToGuest, peer_, guest_, text);
  }

  Endpoint guest_{Ip("10.0.2.15"), 5000};
  Endpoint peer_{Ip("192.0.2.1"), 53};
  Trace trace_;
  sd_wait wait_{};
};

TEST_F(EditDatagramTest, OneThatIsDiscardedIsNotHandedOver) {
  trace_.SuspendNow();
  trace_.Take();
  EXPECT_EQ(trace_.Send(0, Side::kPeer, Reply("no")), SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines());
  const Frame reply = Reply("well, yes");
  trace_.Send(0, Side::kPeer, reply);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 9", "restore reply"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(),
            Lines({"guest: " + std::to_string(reply.bytes.size()) + " bytes"}));
}

TEST_F(EditDatagramTest, AGuestThatRunsDoesNotGetItEither) {
  EXPECT_EQ(trace_.Send(0, Side::kPeer, Reply("no")), SD_TAKEN);
  EXPECT_EQ(trace_.Send(0, Side::kPeer, Reply("well, yes")), SD_PASS);
}

}  // namespace
}  // namespace stubdomain
