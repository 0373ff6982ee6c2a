// Connections without their socket, as traces of a stub domain.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "trace/trace.h"
#include "wait/flow_names.h"

namespace stubdomain {
namespace {

class DetachTest : public testing::Test {
 protected:
  DetachTest() {
    trace_.Connect(&talk_);
    id_ = ToC(talk_.id());
  }
  sd_refusal Reattach() {
    const sd_refusal refusal = sd_reattach(trace_.stub(), &id_, trace_.now());
    trace_.Dispatch();
    return refusal;
  }

  Trace trace_;
  Talk talk_;
  sd_flow_id id_;
};

TEST_F(DetachTest, WhatIsKeptGoesToTheNextSocketOfAGuestThatRuns) {
  EXPECT_EQ(sd_detach(trace_.stub(), &id_, trace_.now()), SD_OK);
  EXPECT_EQ(trace_.PeerSends(talk_, 5), SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines({"peer: ack 5 (40000)"}));
  EXPECT_EQ(trace_.Send(talk_, Side::kGuest, talk_.Rst(Side::kGuest)),
            SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines());
  sd_flow_parameters parameters;
  ASSERT_EQ(sd_get_flow_parameters(trace_.stub(), &id_, &parameters), SD_OK);
  EXPECT_EQ(parameters.flow.guest.port, 40000);
  EXPECT_EQ(parameters.receive_next, 5001u);
  EXPECT_EQ(parameters.send_window, Talk::kWindow);
  EXPECT_FALSE(parameters.scaled);
  EXPECT_EQ(Reattach(), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+5 (40000)"}));
  trace_.GuestAcks(talk_);
  EXPECT_EQ(trace_.PeerSends(talk_, 5), SD_PASS);
}

TEST_F(DetachTest, AWaitAndASuspendGoOnWithoutTheSocket) {
  trace_.Wait(Trace::WaitOn(talk_));
  EXPECT_EQ(sd_detach(trace_.stub(), &id_, trace_.now()), SD_OK);
  trace_.SuspendNow();
  trace_.Take();
  trace_.HandOver();
  trace_.PeerSends(talk_, 5);
  EXPECT_EQ(trace_.TakeNotices(),
            Lines({"ended 1 replied 5", "restore reply"}));
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines());
  EXPECT_EQ(Reattach(), SD_OK);
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+5 (40000)"}));
}

TEST_F(DetachTest, ASocketThatIsBackBeforeTheGuestIsReadyWaitsForThat) {
  trace_.Agent(true);
  EXPECT_EQ(sd_detach(trace_.stub(), &id_, trace_.now()), SD_OK);
  trace_.PeerSends(talk_, 5);
  trace_.Suspend();
  trace_.Pass(SD_QUIET_MS);
  trace_.Stopped();
  trace_.Suspended();
  EXPECT_EQ(Reattach(), SD_OK);
  trace_.Restore();
  trace_.Take();
  trace_.Running();
  EXPECT_EQ(trace_.Take(), Lines());
  trace_.Ready();
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+5 (40000)"}));
}

TEST_F(DetachTest, ThePeerConnectsToAnotherPort) {
  EXPECT_EQ(sd_detach(trace_.stub(), &id_, trace_.now()), SD_OK);
  trace_.PeerSends(talk_, 5);
  trace_.Take();
  Talk other(0, {Ip("10.0.2.15"), 8080}, talk_.id().peer);
  trace_.Know(&other);
  EXPECT_EQ(sd_connect_guest(trace_.stub(), &id_, 8080, trace_.now()), SD_OK);
  trace_.Dispatch();
  EXPECT_EQ(trace_.Take(), Lines({"guest: syn (8080)"}));
  EXPECT_EQ(trace_.Send(other, Side::kGuest, other.SynAck(Side::kGuest)),
            SD_TAKEN);
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+5 (8080)"}));
}

TEST_F(DetachTest, WhatMakesNoSenseIsRefusedByName) {
  sd_flow_parameters parameters;
  EXPECT_EQ(sd_get_flow_parameters(trace_.stub(), &id_, &parameters),
            SD_REFUSED_NOT_DETACHED);
  EXPECT_EQ(Reattach(), SD_REFUSED_NOT_DETACHED);
  Talk other(0, {Ip("10.0.2.15"), 8080}, talk_.id().peer);
  trace_.Connect(&other);
  EXPECT_EQ(sd_detach(trace_.stub(), &id_, trace_.now()), SD_OK);
  EXPECT_EQ(sd_connect_guest(trace_.stub(), &id_, 8080, trace_.now()),
            SD_REFUSED_PORT_IN_USE);
  EXPECT_EQ(sd_connect_guest(trace_.stub(), &id_, 0, trace_.now()),
            SD_REFUSED_PORT_IN_USE);
  ++id_.peer.port;
  EXPECT_EQ(sd_detach(trace_.stub(), &id_, trace_.now()),
            SD_REFUSED_UNKNOWN_FLOW);
}

}  // namespace
}  // namespace stubdomain
