// Waits, as traces: laying them, and their end while the guest runs.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <algorithm>

#include "trace/trace.h"

namespace stubdomain {
namespace {

class WaitTest : public testing::Test {
 protected:
  WaitTest() {
    trace_.Connect(&talk_);
    trace_.Request(talk_, 10);
  }

  sd_wait Wait() { return Trace::WaitOn(talk_); }

  Trace trace_;
  Talk talk_;
};

TEST_F(WaitTest, AReplyThatPassesEndsTheWait) {
  EXPECT_EQ(trace_.Wait(Wait()), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  EXPECT_EQ(trace_.PeerSends(talk_, 5), SD_PASS);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 5"}));
  trace_.GuestAcks(talk_);
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines());
  EXPECT_EQ(trace_.info().stubs, 0u);
}

TEST_F(WaitTest, AReplyBeforeTheWaitMessageIsNotMissed) {
  sd_wait wait = Wait();
  trace_.PeerSends(talk_, 5);
  trace_.GuestAcks(talk_);
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "ended 1 replied 5"}));
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines());
}

TEST_F(WaitTest, AReplyOnItsWayInIsNotMissed) {
  sd_wait wait = Wait();
  wait.has_received = false;
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "ended 1 replied 5"}));
}

TEST_F(WaitTest, BytesThatTheGuestHasButHasNotAcknowledgedAreNotTheReply) {
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(trace_.Wait(Wait()), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  // The guest's acknowledgement, delayed, is not waited for.
  trace_.Pass(100);
  EXPECT_EQ(trace_.Take(), Lines({"suspend"}));
  trace_.Stopped();
  trace_.Suspended();
  trace_.Send(0, Side::kPeer, talk_.Resend(Side::kPeer, 0, 5));
  EXPECT_EQ(trace_.Take(), Lines({"peer: ack 5 (40000)"}));
}

TEST_F(WaitTest, WithoutACountTheReplyBeginsBehindWhatTheGuestAcknowledged) {
  trace_.PeerSends(talk_, 5);
  trace_.GuestAcks(talk_);
  sd_wait wait = Wait();
  wait.has_received = false;
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  trace_.PeerSends(talk_, 3);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 3"}));
}

TEST_F(WaitTest, OnlyTheLow32BitsOfTheCountMatter) {
  sd_wait wait = Wait();
  wait.received = (uint64_t{7} << 32) - 2;  // two bytes less than nothing
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 5"}));

  trace_.GuestAcks(talk_);
  wait.received = (uint64_t{7} << 32) + 6;  // one more than it can have
  wait.suspend = false;
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 2"}));
  wait.received = (uint64_t{7} << 32) + 3;  // of five
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 3", "ended 3 replied 2"}));
}

TEST_F(WaitTest, EndsAtTheLastByteThatIsWanted) {
  sd_wait wait = Wait();
  wait.bytes = 100;
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  trace_.PeerSends(talk_, 99);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  sd_stub_info info;
  EXPECT_EQ(sd_get_stubs(trace_.stub(), trace_.now(), &info, 1), 1u);
  EXPECT_EQ(info.bytes, 99u);
  EXPECT_EQ(info.wanted, 100u);
  EXPECT_EQ(info.timeout_left_ms, SD_NEVER);
  EXPECT_EQ(info.flow.guest.port, 40000);
  trace_.PeerSends(talk_, 7);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 106"}));
}

TEST_F(WaitTest, AGuestThatTakesNoMoreEndsTheWait) {
  sd_wait wait = Wait();
  wait.bytes = 1 << 20;
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  trace_.PeerSends(talk_, 20000);
  trace_.Send(talk_, Side::kGuest, talk_.Ack(Side::kGuest, 45000));
  trace_.PeerSends(talk_, 20000);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  trace_.Send(talk_, Side::kGuest, talk_.Ack(Side::kGuest, 25000));
  trace_.PeerSends(talk_, 24535);
  EXPECT_EQ(trace_.Take(), Lines());
  // Less than a segment.
  trace_.Send(talk_, Side::kGuest, talk_.Ack(Side::kGuest, 1000));
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 replied 64535"}));
}

TEST_F(WaitTest, AGuestWithoutRoomWaitsForTheReplyAllTheSame) {
  trace_.PeerSends(talk_, 20000);
  trace_.PeerSends(talk_, 20000);
  trace_.PeerSends(talk_, 25000);
  trace_.Send(talk_, Side::kGuest, talk_.Ack(Side::kGuest, 500));
  sd_wait wait = Wait();
  wait.received = talk_.received(Side::kGuest);
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
}

TEST_F(WaitTest, ThePeersCloseEndsTheWait) {
  trace_.Wait(Wait());
  trace_.Send(talk_, Side::kPeer, talk_.Fin(Side::kPeer));
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "ended 1 closed 0"}));
}

TEST_F(WaitTest, AConnectionThatThePeerHasClosedIsNotWaitedFor) {
  trace_.Send(talk_, Side::kPeer, talk_.Fin(Side::kPeer));
  trace_.GuestAcks(talk_);
  sd_wait wait = Wait();
  ++wait.received;  // Linux counts the FIN
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "ended 1 closed 0"}));
}

TEST_F(WaitTest, AResetOfEitherSideEndsTheWait) {
  trace_.Wait(Wait());
  trace_.Send(talk_, Side::kPeer, talk_.Rst(Side::kPeer));
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "ended 1 reset 0"}));

  Talk other(40001);
  trace_.Connect(&other);
  trace_.Wait(Trace::WaitOn(other));
  trace_.Send(other, Side::kGuest, other.Rst(Side::kGuest));
  EXPECT_EQ(trace_.Take(), Lines({"waiting 2", "ended 2 reset 0"}));
}

TEST_F(WaitTest, TimesOut) {
  sd_wait wait = Wait();
  wait.timeout_ms = 300;
  wait.suspend = false;
  trace_.Wait(wait);
  trace_.Pass(299);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1"}));
  sd_stub_info info;
  sd_get_stubs(trace_.stub(), trace_.now(), &info, 1);
  EXPECT_EQ(info.timeout_left_ms, 1u);
  trace_.Pass(1);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 timed-out 0"}));
}

TEST_F(WaitTest, TheGuestsEndMayBeLeftOut) {
  sd_wait wait = Wait();
  wait.flow.guest = {};
  EXPECT_EQ(trace_.Wait(wait), SD_OK);

  Talk other(40001);
  trace_.Know(&other);
  trace_.Send(other, Side::kGuest, other.Syn(Side::kGuest));
  // Half open: the one that is established is meant.
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  trace_.Send(other, Side::kPeer, other.SynAck(Side::kPeer));
  trace_.GuestAcks(other);
  EXPECT_EQ(trace_.Wait(wait), SD_REFUSED_AMBIGUOUS_FLOW);
  // The port is enough.
  wait.flow.guest.port = 40001;
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
}

TEST_F(WaitTest, AnIpv4ConnectionMayBeNamedAsTheIpv6SocketSeesIt) {
  sd_wait wait = Wait();
  for (sd_address* address : {&wait.flow.guest, &wait.flow.peer}) {
    uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    std::copy_n(address->bytes, 4, mapped + 12);
    std::copy_n(mapped, 16, address->bytes);
    address->family = 6;
  }
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
}

TEST_F(WaitTest, RefusalsAreNamed) {
  sd_wait wait = Wait();
  wait.flow.peer.port = 81;
  EXPECT_EQ(trace_.Wait(wait), SD_REFUSED_UNKNOWN_FLOW);
  wait = Wait();
  wait.nic = 2;
  EXPECT_EQ(trace_.Wait(wait), SD_REFUSED_UNKNOWN_FLOW);
  wait = Wait();
  wait.flow.peer.prefix = 33;
  EXPECT_EQ(trace_.Wait(wait), SD_REFUSED_BAD_WAIT);
  wait = Wait();
  const std::string name(SD_APPLICATION_MAX + 1, 'a');
  wait.application = name.c_str();
  EXPECT_EQ(trace_.Wait(wait), SD_REFUSED_APPLICATION_NAME);

  Talk half_open(40001);
  trace_.Know(&half_open);
  trace_.Send(half_open, Side::kGuest, half_open.Syn(Side::kGuest));
  EXPECT_EQ(trace_.Wait(Trace::WaitOn(half_open)),
            SD_REFUSED_FLOW_NOT_ESTABLISHED);

  Talk untracked(40002);
  trace_.Know(&untracked);
  trace_.Request(untracked, 5);
  EXPECT_EQ(trace_.Wait(Trace::WaitOn(untracked)), SD_REFUSED_FLOW_UNTRACKED);

  EXPECT_EQ(trace_.Cancel(SD_OWNER_HOST, 1), SD_REFUSED_UNKNOWN_STUB);
  EXPECT_EQ(trace_.Restore(), SD_REFUSED_NOT_SUSPENDED);
  EXPECT_EQ(trace_.Take(), Lines());
  EXPECT_EQ(trace_.info().stubs, 0u);
}

TEST_F(WaitTest, EveryRefusalHasAText) {
  for (int i = SD_OK; i <= SD_REFUSED_BAD_VERSION; ++i) {
    EXPECT_STRNE(sd_refusal_text(static_cast<sd_refusal>(i)), "refused");
  }
}

TEST_F(WaitTest, TheNumberOfStubsIsBounded) {
  sd_config config = Trace::DefaultConfig();
  config.max_stubs = 2;
  sd_set_config(trace_.stub(), &config);
  EXPECT_EQ(trace_.Wait(Wait()), SD_OK);
  EXPECT_EQ(trace_.Wait(Wait()), SD_OK);
  trace_.Take();
  EXPECT_EQ(trace_.Wait(Wait()), SD_REFUSED_TOO_MANY_STUBS);
  EXPECT_EQ(trace_.Take(), Lines());
  EXPECT_EQ(trace_.info().stubs, 2u);
  trace_.Cancel(SD_OWNER_GUEST, 1);
  EXPECT_EQ(trace_.Wait(Wait()), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 cancelled 0", "waiting 3"}));
}

TEST_F(WaitTest, WhatWaitsForADispatchIsBounded) {
  trace_.set_dispatches(false);
  sd_refusal refusal = SD_OK;
  uint32_t laid = 0;
  for (uint32_t number = 0; refusal == SD_OK && laid < 5000; ++laid) {
    refusal = trace_.Wait(Wait(), &number);
    if (refusal == SD_OK) trace_.Cancel(SD_OWNER_GUEST, number);
  }
  EXPECT_EQ(refusal, SD_REFUSED_TOO_MANY_STUBS);
  trace_.Dispatch();
  EXPECT_EQ(trace_.Wait(Wait()), SD_OK);
}

TEST_F(WaitTest, AGuestCancelsItsOwnStubsOnly) {
  sd_wait wait = Wait();
  wait.owner = SD_OWNER_HOST;
  trace_.Wait(wait);
  trace_.Wait(Wait());
  trace_.Take();
  EXPECT_EQ(trace_.Cancel(SD_OWNER_GUEST, 1), SD_REFUSED_UNKNOWN_STUB);
  EXPECT_EQ(trace_.Take(), Lines());
  EXPECT_EQ(trace_.Cancel(SD_OWNER_HOST, 1), SD_OK);
  EXPECT_EQ(trace_.Cancel(SD_OWNER_HOST, 2), SD_OK);
  EXPECT_EQ(trace_.Take(),
            Lines({"ended 1 cancelled 0", "ended 2 cancelled 0"}));
}

TEST_F(WaitTest, AResetOfTheVmEndsAllWaits) {
  trace_.Agent(true);
  trace_.Wait(Wait());
  trace_.Wait(Wait());
  trace_.Take();
  trace_.Reset();
  EXPECT_EQ(trace_.Take(), Lines({"ended 1 reset 0", "ended 2 reset 0"}));
  trace_.Pass(5000);
  EXPECT_EQ(trace_.Take(), Lines());
  EXPECT_EQ(trace_.info().flows, 0u);
  EXPECT_FALSE(trace_.info().agent);
}

TEST_F(WaitTest, ConnectionsOfIpv6AndOfOtherNicsAreWaitedFor) {
  Talk talk(1, {Ip("fd00::15"), 40000}, {Ip("2001:db8::1"), 443});
  trace_.Connect(&talk);
  trace_.Request(talk, 10);
  EXPECT_EQ(trace_.Wait(Trace::WaitOn(talk)), SD_OK);
  trace_.PeerSends(talk, 4);
  EXPECT_EQ(trace_.Take(), Lines({"waiting 1", "ended 1 replied 4"}));
}

TEST_F(WaitTest, TheSameConnectionOnTwoNicsIsAmbiguous) {
  Talk twin(1, talk_.id().guest, talk_.id().peer);
  trace_.Connect(&twin);
  EXPECT_EQ(trace_.Wait(Wait()), SD_REFUSED_AMBIGUOUS_FLOW);
}

}  // namespace
}  // namespace stubdomain
