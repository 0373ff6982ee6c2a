// Datagrams, fragments and ICMP errors for a stopped guest, as traces.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "trace/frames.h"
#include "trace/trace.h"
#include "unmatched/held_frames.h"
#include "wait/flow_names.h"

namespace stubdomain {
namespace {

constexpr Link kLinkToPeer{kPeerMac, kGuestMac, {}};

class DatagramTest : public testing::TestWithParam<bool> {
 protected:
  DatagramTest() {
    sd_config config = Trace::DefaultConfig();
    config.unmatched = SD_UNMATCHED_IGNORE;
    sd_set_config(trace_.stub(), &config);
    // What the guest asks shows which addresses it has.
    trace_.Send(0, Side::kGuest, UdpTo(link_to_peer_, guest_, peer_));
    wait_.protocol = SD_UDP;
    wait_.flow = ToC({guest_, peer_});
    wait_.bytes = 1;
    wait_.suspend = true;
  }

  void Suspend() {
    EXPECT_EQ(trace_.Wait(wait_), SD_OK);
    trace_.SuspendNow();
    EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "suspend"}));
  }
  Frame Reply(Link link = kLinkToGuest) { return UdpTo(link, peer_, guest_); }
  void SuspendWith(std::string_view plan) {
    EXPECT_EQ(trace_.WaitWithPlan(plan, wait_), SD_OK);
    trace_.SuspendNow();
    EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "suspend"}));
  }
  Frame Error(IcmpWhy why = IcmpWhy::kPortUnreachable) {
    return ErrorAbout(UdpTo(link_to_peer_, guest_, peer_), peer_.address, 0,
                      why);
  }
  std::string Passed(const Frame& frame) {
    return "guest: " + std::to_string(frame.bytes.size()) + " bytes";
  }

  Endpoint guest_{Ip(GetParam() ? "fd00::15" : "10.0.2.15"), 5000};
  Endpoint peer_{Ip(GetParam() ? "2001:db8::1" : "192.0.2.1"), 53};
  Link link_to_peer_ = kLinkToPeer;
  Trace trace_;
  sd_wait wait_{};
};

INSTANTIATE_TEST_SUITE_P(Families, DatagramTest, testing::Bool(),
                         [](const auto& param) {
                           return param.param ? "Ipv6" : "Ipv4";
                         });

TEST_P(DatagramTest, AReplyEndsTheWaitAndIsHandedOver) {
  Suspend();
  EXPECT_EQ(trace_.Send(0, Side::kPeer, Reply()), SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 0", "restore reply"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({Passed(Reply())}));
}

TEST_P(DatagramTest, AReplyEndsTheWaitOfAGuestThatRunsToo) {
  EXPECT_EQ(trace_.Wait(wait_), SD_OK);
  EXPECT_EQ(trace_.Send(0, Side::kPeer, Reply()), SD_PASS);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "ended 1 replied 0"}));
  trace_.Pass(1000);
  EXPECT_EQ(trace_.Take(), Lines());
}

TEST_P(DatagramTest, AnotherPortIsNotAwaited) {
  Suspend();
  --peer_.port;
  EXPECT_EQ(trace_.Send(0, Side::kPeer, Reply()), SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines());
}

TEST_P(DatagramTest, TheWaitIsThereAfterAHandOver) {
  Suspend();
  trace_.HandOver();
  trace_.Send(0, Side::kPeer, Reply());
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 0", "restore reply"}));
}

TEST_P(DatagramTest, AnErrorAboutTheRequestEndsTheWait) {
  Suspend();
  const Frame error =
      ErrorAbout(UdpTo(link_to_peer_, guest_, peer_), peer_.address);
  EXPECT_EQ(trace_.Send(0, Side::kPeer, error), SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 reset 0", "restore reply"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({Passed(error)}));
}

TEST_P(DatagramTest, APlanThatDoesNotAskForAnErrorEndsByIt) {
  SuspendWith(R"({"handlers": [
      {"when": {"not": {"bytes": 1}}, "do": ["ignore"]},
      {"when": {"icmp": "time-exceeded"}, "do": ["ignore"]}]})");
  trace_.Send(0, Side::kPeer, Error());
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 reset 0", "restore reply"}));
}

TEST_P(DatagramTest, APlanTellsErrorsApart) {
  SuspendWith(R"({"format": "raw", "handlers": [
      {"name": "soon", "when": {"icmp": "time-exceeded"}, "do": ["discard"]},
      {"name": "no", "when": {"icmp": "port-unreachable"}, "do":
       ["alert", "restore"]}]})");
  EXPECT_EQ(trace_.Send(0, Side::kPeer, Error(IcmpWhy::kTimeExceeded)),
            SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.HandOver();
  trace_.Send(0, Side::kPeer, Error());
  EXPECT_EQ(trace_.Take(),
            Lines({"alert 1 by no 1 @0", "ended 1 replied 0 by no 1 @0",
                   "restore reply"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({Passed(Error())}));
}

TEST_P(DatagramTest, AnErrorThatIsIgnoredComesWithTheReply) {
  SuspendWith(R"({"handlers": [
      {"when": {"icmp": "any"}, "do": ["ignore"]}]})");
  trace_.Send(0, Side::kPeer, Error());
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.Send(0, Side::kPeer,
              UdpTo(kLinkToGuest, peer_, guest_, "it is there after all"));
  trace_.Take();
  trace_.Running();
  EXPECT_EQ(trace_.Take().front(), Passed(Error()));
}

TEST_P(DatagramTest, AnErrorCanAskForAnotherTry) {
  SuspendWith(R"({"format": "raw",
      "retries": {"times": 1, "repeatable": true}, "handlers": [
        {"when": {"icmp": "any"}, "do": [
            {"action": "retry", "after": 500}]}]})");
  trace_.Send(0, Side::kPeer, Error());
  trace_.Pass(499);
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.Pass(1);
  const Frame question = UdpTo(link_to_peer_, guest_, peer_);
  EXPECT_EQ(
      trace_.Take(),
      Lines({"peer: " + std::to_string(question.bytes.size()) + " bytes"}));
  trace_.Send(0, Side::kPeer, Error());
  EXPECT_EQ(trace_.TakeNotices().back(), "restore reply");
}

TEST_P(DatagramTest, APlanSeesTheErrorsOfAGuestThatRuns) {
  EXPECT_EQ(trace_.WaitWithPlan(R"({"format": "raw", "handlers": [
      {"name": "no", "when": {"icmp": "time-exceeded"}, "do": ["discard"]},
      {"name": "end", "when": {"icmp": "any"}}]})",
                                wait_),
            SD_OK);
  trace_.Take();
  EXPECT_EQ(trace_.Send(0, Side::kPeer, Error(IcmpWhy::kTimeExceeded)),
            SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines());
  EXPECT_EQ(trace_.Send(0, Side::kPeer, Error()), SD_PASS);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 0 by end 1 @0"}));
}

TEST_P(DatagramTest, ADamagedErrorMeansNothing) {
  Suspend();
  Frame error = ErrorAbout(UdpTo(link_to_peer_, guest_, peer_), peer_.address);
  error.bytes.back() ^= 1;
  EXPECT_EQ(trace_.Send(0, Side::kPeer, error), SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines());
}

// While held datagrams wait to be dispatched, a new one stands behind them.
TEST_P(DatagramTest, OrderIsKeptAcrossTheRestore) {
  Suspend();
  trace_.Send(0, Side::kPeer, Reply());
  trace_.Take();
  trace_.set_dispatches(false);
  trace_.Running();
  Frame late = Reply();
  late.bytes.resize(late.bytes.size() + 7);
  EXPECT_EQ(trace_.Send(0, Side::kPeer, late), SD_TAKEN);
  trace_.Dispatch();
  EXPECT_EQ(trace_.Take(), Lines({Passed(Reply()), Passed(late)}));
  EXPECT_EQ(trace_.Send(0, Side::kPeer, late), SD_PASS);
}

TEST(FragmentTest, AFragmentedReplyEndsTheWaitAndIsHandedOverWhole) {
  Trace trace;
  const Endpoint guest{Ip("10.0.2.15"), 5000};
  const Endpoint peer{Ip("192.0.2.1"), 53};
  trace.Send(0, Side::kGuest, UdpTo(kLinkToPeer, guest, peer));
  sd_wait wait{};
  wait.protocol = SD_UDP;
  wait.flow = ToC({guest, peer});
  wait.bytes = 1;
  wait.suspend = true;
  trace.Wait(wait);
  trace.SuspendNow();
  trace.Take();
  const auto pieces = Fragmented(UdpTo(kLinkToGuest, peer, guest), 8);
  for (const Frame& piece : pieces) {
    EXPECT_EQ(trace.Send(0, Side::kPeer, piece), SD_TAKEN);
  }
  EXPECT_EQ(trace.Take(), Lines({"ended 1 replied 0", "restore reply"}));
  trace.Running();
  EXPECT_EQ(trace.Take().size(), 2u);
}

TEST(FragmentTest, FragmentsAreHeldToTheBound) {
  Trace trace;
  const Endpoint guest{Ip("10.0.2.15"), 5000};
  const Endpoint peer{Ip("192.0.2.1"), 53};
  trace.Send(0, Side::kGuest, UdpTo(kLinkToPeer, guest, peer));
  trace.Suspend();
  trace.Stopped();
  trace.Suspended();
  trace.Take();
  const auto pieces = Fragmented(UdpTo(kLinkToGuest, peer, guest), 8);
  for (size_t i = 0; i < kMaxHeldFrames + 10; ++i) {
    trace.Send(0, Side::kPeer, pieces[i % 2]);
  }
  EXPECT_EQ(trace.Take(),
            Lines({"unmatched IP fragment from 192.0.2.1 to 10.0.2.15",
                   "restore unmatched"}));
  trace.Running();
  EXPECT_EQ(trace.Take().size(), kMaxHeldFrames);
}

class ConnectionErrorTest : public testing::Test {
 protected:
  ConnectionErrorTest() {
    trace_.Connect(&talk_);
    trace_.Send(talk_, Side::kGuest, request_ = talk_.Data(Side::kGuest, 500));
  }
  Trace trace_;
  Talk talk_;
  Frame request_;
};

TEST_F(ConnectionErrorTest, ComesBehindTheBytesAndDoesNotWake) {
  trace_.Wait(Trace::WaitOn(talk_));
  trace_.Send(talk_, Side::kPeer, talk_.Ack(Side::kPeer));
  trace_.SuspendNow();
  trace_.Take();
  const Frame error = ErrorAbout(talk_.Ack(Side::kGuest), Ip("198.51.100.1"));
  EXPECT_EQ(trace_.Send(0, Side::kPeer, error), SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.HandOver();
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 5", "restore reply"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(),
            Lines({"guest: data 0+5 (40000)",
                   "guest: " + std::to_string(error.bytes.size()) + " bytes"}));
}

constexpr std::string_view kErrorPlan = R"({"handlers": [
    {"name": "lost", "when": {"icmp": "unreachable"}}]})";

TEST_F(ConnectionErrorTest, APlanCanWakeByOne) {
  trace_.WaitWithPlan(kErrorPlan, Trace::WaitOn(talk_));
  trace_.Send(talk_, Side::kPeer, talk_.Ack(Side::kPeer));
  trace_.SuspendNow();
  trace_.Take();
  const Frame about = talk_.Ack(Side::kGuest);
  const Address router = Ip("198.51.100.1");
  trace_.Send(0, Side::kPeer, ErrorAbout(about, router, 1400));
  trace_.Send(0, Side::kPeer,
              ErrorAbout(about, router, 0, IcmpWhy::kTimeExceeded));
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.HandOver();
  trace_.Send(0, Side::kPeer, ErrorAbout(about, router));
  EXPECT_EQ(trace_.Take(),
            Lines({"ended 1 replied 0 by lost 0 @0", "restore reply"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take().size(), 3u);
  // The connection lives.
  EXPECT_EQ(trace_.PeerSends(talk_, 5), SD_PASS);
}

TEST_F(ConnectionErrorTest, APlanSeesThoseOfAGuestThatRuns) {
  trace_.WaitWithPlan(kErrorPlan, Trace::WaitOn(talk_));
  trace_.Take();
  const Address router = Ip("198.51.100.1");
  Frame damaged = ErrorAbout(request_, router);
  damaged.bytes.back() ^= 1;
  EXPECT_EQ(trace_.Send(0, Side::kPeer, damaged), SD_PASS);
  EXPECT_EQ(trace_.Take(), Lines());
  EXPECT_EQ(trace_.Send(0, Side::kPeer, ErrorAbout(request_, router)), SD_PASS);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 0 by lost 0 @0"}));
}

TEST_F(ConnectionErrorTest, APlanCanAlertAndWaitOn) {
  trace_.WaitWithPlan(R"({"format": "http", "handlers": [
      {"name": "lost", "when": {"icmp": "any"},
       "do": ["alert", "buffer", "restore"]}]})",
                      Trace::WaitOn(talk_));
  trace_.Send(talk_, Side::kPeer, talk_.Ack(Side::kPeer));
  trace_.SuspendNow();
  trace_.Take();
  for (int i = 0; i < 2; ++i) {
    trace_.Send(0, Side::kPeer,
                ErrorAbout(talk_.Ack(Side::kGuest), Ip("198.51.100.1")));
  }
  EXPECT_EQ(trace_.Take(), Lines({"alert 1 by lost 0 @0"}));
  const std::string reply = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes";
  talk_.set_reply(reply);
  trace_.PeerSends(talk_, static_cast<uint32_t>(reply.size()));
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 41 by lost 0 @41", "restore reply"}));
}

TEST_F(ConnectionErrorTest, OneAboutNothingThatIsUnderWayIsForged) {
  trace_.Send(talk_, Side::kPeer, talk_.Ack(Side::kPeer));
  trace_.Wait(Trace::WaitOn(talk_));
  trace_.SuspendNow();
  EXPECT_EQ(
      trace_.Send(0, Side::kPeer, ErrorAbout(request_, Ip("198.51.100.1"))),
      SD_TAKEN);
  trace_.Take();
  trace_.Restore();
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"restore host"}));
}

}  // namespace
}  // namespace stubdomain
