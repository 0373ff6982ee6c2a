// What comes for a stopped guest that no wait is on, as traces.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "trace/frames.h"
#include "trace/trace.h"
#include "unmatched/held_frames.h"

namespace stubdomain {
namespace {

constexpr char kData[] =
    "unmatched TCP data from 192.0.2.1:80 to 10.0.2.15:40001";

class UnmatchedTest : public testing::Test {
 protected:
  UnmatchedTest() {
    trace_.Connect(&talk_);
    trace_.Connect(&other_);
    trace_.Know(&stranger_);
  }

  // Suspends the VM; then connection `other_` is one that nobody waits on.
  void Suspend(sd_unmatched unmatched) {
    sd_config config = Trace::DefaultConfig();
    config.unmatched = unmatched;
    sd_set_config(trace_.stub(), &config);
    trace_.Wait(Trace::WaitOn(talk_));
    trace_.SuspendNow();
    trace_.Take();
  }

  sd_verdict StrangerConnects() {
    return trace_.Send(stranger_, Side::kPeer, stranger_.Syn(Side::kPeer));
  }

  Trace trace_;
  Talk talk_;
  Talk other_{40001};
  Talk stranger_{0, {Ip("10.0.2.15"), 22}, {Ip("192.0.2.9"), 50000}};
  Frame udp_ =
      UdpTo(kLinkToGuest, {Ip("192.0.2.1"), 123}, {Ip("10.0.2.15"), 123});
};

TEST_F(UnmatchedTest, DataIsKeptAndRestores) {
  Suspend(SD_UNMATCHED_RESTORE);
  EXPECT_EQ(trace_.PeerSends(other_, 5), SD_TAKEN);
  EXPECT_EQ(trace_.Take(),
            Lines({kData, "restore unmatched", "peer: ack 5 (40001)"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+5 (40001)"}));
  EXPECT_EQ(trace_.info().stubs, 1u);
}

TEST_F(UnmatchedTest, DataIsKeptAndAlerts) {
  Suspend(SD_UNMATCHED_ALERT);
  trace_.PeerSends(other_, 5);
  EXPECT_EQ(trace_.Take(), Lines({kData, "peer: ack 5 (40001)"}));
  trace_.Restore();
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"restore host", "guest: data 0+5 (40001)"}));
}

TEST_F(UnmatchedTest, DataIsKeptAndIgnored) {
  Suspend(SD_UNMATCHED_IGNORE);
  trace_.PeerSends(other_, 5);
  EXPECT_EQ(trace_.Take(), Lines({"peer: ack 5 (40001)"}));
  trace_.Restore();
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"restore host", "guest: data 0+5 (40001)"}));
}

TEST_F(UnmatchedTest, CloseAndResetRestore) {
  Suspend(SD_UNMATCHED_RESTORE);
  trace_.Send(other_, Side::kPeer, other_.Fin(Side::kPeer));
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"unmatched TCP close from 192.0.2.1:80 to 10.0.2.15:40001",
                   "restore unmatched"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"guest: fin (40001)"}));

  trace_.Pass(2000);
  trace_.Suspend();
  trace_.Pass(SD_QUIET_MS);
  trace_.Stopped();
  trace_.Suspended();
  trace_.Take();
  trace_.Send(other_, Side::kPeer, other_.Rst(Side::kPeer));
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"unmatched TCP reset from 192.0.2.1:80 to 10.0.2.15:40001",
                   "restore unmatched"}));
}

TEST_F(UnmatchedTest, AcknowledgementsAndProbesDoNotWake) {
  Suspend(SD_UNMATCHED_RESTORE);
  trace_.Send(other_, Side::kPeer, other_.Ack(Side::kPeer));
  EXPECT_EQ(trace_.Take(), Lines());
  EXPECT_EQ(trace_.Send(other_, Side::kPeer, other_.Probe(Side::kPeer)),
            SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines({"peer: ack 0 (40001)"}));
  // Nor on a connection that is not followed.
  trace_.Send(stranger_, Side::kPeer, stranger_.Ack(Side::kPeer));
  EXPECT_EQ(trace_.Take(), Lines());
}

TEST_F(UnmatchedTest, OldDataDoesNotWake) {
  trace_.PeerSends(other_, 5);
  trace_.GuestAcks(other_);
  Suspend(SD_UNMATCHED_RESTORE);
  trace_.Send(0, Side::kPeer, other_.Resend(Side::kPeer, 0, 5));
  EXPECT_EQ(trace_.Take(), Lines({"peer: ack 5 (40001)"}));
}

TEST_F(UnmatchedTest, AConnectionAttemptIsHeldAndRestores) {
  Suspend(SD_UNMATCHED_RESTORE);
  EXPECT_EQ(StrangerConnects(), SD_TAKEN);
  EXPECT_EQ(trace_.Take(),
            Lines({"unmatched TCP connection attempt from 192.0.2.9:50000 to "
                   "10.0.2.15:22",
                   "restore unmatched"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"guest: syn (22)"}));
  // Seen from its start, it is followed.
  trace_.Send(stranger_, Side::kGuest, stranger_.SynAck(Side::kGuest));
  trace_.Send(stranger_, Side::kPeer, stranger_.Ack(Side::kPeer));
  EXPECT_EQ(trace_.Wait(Trace::WaitOn(stranger_)), SD_OK);
}

TEST_F(UnmatchedTest, AConnectionAttemptIsDroppedUnlessItRestores) {
  Suspend(SD_UNMATCHED_ALERT);
  EXPECT_EQ(StrangerConnects(), SD_TAKEN);
  EXPECT_EQ(trace_.Take(),
            Lines({"unmatched TCP connection attempt from 192.0.2.9:50000 to "
                   "10.0.2.15:22"}));
  trace_.Restore();
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"restore host"}));
}

TEST_F(UnmatchedTest, ADatagramIsHeldAndRestores) {
  Suspend(SD_UNMATCHED_RESTORE);
  EXPECT_EQ(trace_.Send(0, Side::kPeer, udp_), SD_TAKEN);
  EXPECT_EQ(trace_.Take(),
            Lines({"unmatched UDP datagram from 192.0.2.1:123 to 10.0.2.15:123",
                   "restore unmatched"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(),
            Lines({"guest: " + std::to_string(udp_.bytes.size()) + " bytes"}));
}

TEST_F(UnmatchedTest, ADatagramIsIgnored) {
  Suspend(SD_UNMATCHED_IGNORE);
  EXPECT_EQ(trace_.Send(0, Side::kPeer, udp_), SD_TAKEN);
  trace_.Restore();
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"restore host"}));
}

TEST_F(UnmatchedTest, ADatagramForAGuestThatIsAboutToRunIsHeld) {
  Suspend(SD_UNMATCHED_IGNORE);
  trace_.Restore();
  EXPECT_EQ(trace_.Send(0, Side::kPeer, udp_), SD_TAKEN);
  trace_.Running();
  EXPECT_EQ(trace_.Take(),
            Lines({"restore host",
                   "guest: " + std::to_string(udp_.bytes.size()) + " bytes"}));
}

TEST_F(UnmatchedTest, HeldFramesGoBeforeWhatWasKept) {
  trace_.Agent(true);
  Suspend(SD_UNMATCHED_RESTORE);
  trace_.PeerSends(other_, 5);
  StrangerConnects();
  trace_.Take();
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"guest: syn (22)"}));
  trace_.Ready();
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+5 (40001)"}));
}

TEST_F(UnmatchedTest, ARefusalOfTheGuestsConnectionAttemptIsHeldAndRestores) {
  Talk attempt(40002);
  trace_.Know(&attempt);
  trace_.Send(attempt, Side::kGuest, attempt.Syn(Side::kGuest));
  trace_.Suspend();
  trace_.Pass(SD_QUIET_MS);
  trace_.Stopped();
  trace_.Suspended();
  trace_.Take();
  trace_.Send(attempt, Side::kPeer, attempt.Rst(Side::kPeer));
  EXPECT_EQ(trace_.Take(),
            Lines({"unmatched TCP reset from 192.0.2.1:80 to 10.0.2.15:40002",
                   "restore unmatched"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines({"guest: reset (40002)"}));
}

TEST_F(UnmatchedTest, AGuestThatWasResetIsAnother) {
  Suspend(SD_UNMATCHED_RESTORE);
  StrangerConnects();
  trace_.Reset();
  trace_.Take();
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.Suspend();
  trace_.Stopped();
  trace_.Suspended();
  trace_.Send(0, Side::kPeer, ArpFor(Ip("10.0.2.15")));
  EXPECT_EQ(trace_.Take(), Lines({"suspend"}));
}

TEST_F(UnmatchedTest, HeldFramesAreBounded) {
  Suspend(SD_UNMATCHED_RESTORE);
  for (size_t i = 0; i < kMaxHeldFrames + 10; ++i) {
    trace_.Send(0, Side::kPeer, udp_);
  }
  trace_.Take();
  trace_.Running();
  EXPECT_EQ(trace_.Take().size(), kMaxHeldFrames);
}

TEST_F(UnmatchedTest, WhatIsNotForTheGuestAloneDoesNotWake) {
  Suspend(SD_UNMATCHED_RESTORE);
  Link broadcast = kLinkToGuest;
  broadcast.destination.bytes.fill(0xff);
  Link stranger = kLinkToGuest;
  stranger.destination.bytes[5] ^= 1;
  Link vlan = kLinkToGuest;
  vlan.vlan = 7;
  for (const Link& link : {broadcast, stranger, vlan}) {
    EXPECT_EQ(trace_.Send(
                  0, Side::kPeer,
                  UdpTo(link, {Ip("192.0.2.1"), 123}, {Ip("10.0.2.15"), 123})),
              SD_TAKEN);
  }
  EXPECT_EQ(trace_.Send(1, Side::kPeer, udp_), SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines());
}

TEST_F(UnmatchedTest, WhatIsDamagedDoesNotWake) {
  Suspend(SD_UNMATCHED_RESTORE);
  Frame syn = stranger_.Syn(Side::kPeer);
  ++syn.bytes.back();
  udp_.bytes.back() ^= 1;
  Frame data = other_.Data(Side::kPeer, 5);
  data.bytes.back() ^= 1;
  for (const Frame& frame : {syn, udp_, data}) {
    EXPECT_EQ(trace_.Send(0, Side::kPeer, frame), SD_TAKEN);
  }
  udp_.bytes.resize(13);
  EXPECT_EQ(trace_.Send(0, Side::kPeer, udp_), SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines());
}

TEST_F(UnmatchedTest, DamagedFramesPassWhileTheGuestRuns) {
  udp_.bytes.resize(13);
  EXPECT_EQ(trace_.Send(0, Side::kPeer, udp_), SD_PASS);
  EXPECT_EQ(trace_.Send(0, Side::kGuest, udp_), SD_PASS);
}

TEST_F(UnmatchedTest, AlertsAtMostOnceASecond) {
  Suspend(SD_UNMATCHED_ALERT);
  trace_.PeerSends(other_, 5);
  trace_.PeerSends(other_, 5);
  trace_.Pass(999);
  trace_.PeerSends(other_, 5);
  EXPECT_EQ(trace_.TakeNotices(), Lines({kData}));
  trace_.Pass(1);
  trace_.PeerSends(other_, 5);
  EXPECT_EQ(trace_.TakeNotices(), Lines({kData}));
}

TEST_F(UnmatchedTest, WhileARestoreIsUnderWayNothingIsUnmatched) {
  Suspend(SD_UNMATCHED_RESTORE);
  trace_.Restore();
  trace_.Take();
  trace_.PeerSends(other_, 5);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
}

TEST_F(UnmatchedTest, AnswersInTheGuestsNameWhileItIsStopped) {
  const Frame arp = ArpFor(Ip("10.0.2.15"));
  const Frame ping = PingTo(kLinkToGuest, Ip("192.0.2.1"), Ip("10.0.2.15"));
  EXPECT_EQ(trace_.Send(0, Side::kPeer, arp), SD_PASS);
  EXPECT_EQ(trace_.Send(0, Side::kPeer, ping), SD_PASS);
  EXPECT_EQ(trace_.Take(), Lines());
  Suspend(SD_UNMATCHED_RESTORE);
  EXPECT_EQ(trace_.Send(0, Side::kPeer, arp), SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines({"peer: 42 bytes"}));
  EXPECT_EQ(trace_.Send(0, Side::kPeer, ping), SD_TAKEN);
  EXPECT_EQ(trace_.Take(),
            Lines({"peer: " + std::to_string(ping.bytes.size()) + " bytes"}));
  // What was not seen as the guest's own is not.
  EXPECT_EQ(trace_.Send(0, Side::kPeer, ArpFor(Ip("10.0.2.16"))), SD_TAKEN);
  EXPECT_EQ(trace_.Send(1, Side::kPeer, arp), SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.Running();
  EXPECT_EQ(trace_.Send(0, Side::kPeer, arp), SD_PASS);
}

}  // namespace
}  // namespace stubdomain
