// When the sending half sends what; see also the traces of replays.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/sender.h"

#include <gtest/gtest.h>

namespace stubdomain {
namespace {

using std::chrono::milliseconds;

constexpr Time kBegin{std::chrono::seconds(10)};
constexpr Sender::Supply kOpen{
    .end = Seq(5000), .edge = Seq(9000), .segment = 1000, .burst = 2000};
constexpr Sender::Supply kShut{
    .end = Seq(5000), .edge = Seq(0), .segment = 1000, .burst = 2000};

int SendAll(Sender& sender, const Sender::Supply& supply, Time now) {
  int pieces = 0;
  while (const auto piece = sender.Next(supply)) {
    sender.Sent(*piece, now);
    ++pieces;
  }
  sender.Wait(supply, now);
  return pieces;
}

TEST(Sender, SendsAllThatTheWindowAllows) {
  Sender sender(Sender::Way::kToGuest, Seq(0), Seq(0));
  EXPECT_EQ(SendAll(sender, kOpen, kBegin), 3);
  EXPECT_EQ(sender.highest(), Seq(5000));
  EXPECT_TRUE(sender.in_flight());
}

TEST(Sender, WithNothingUnderWayThereIsNoTimer) {
  Sender sender(Sender::Way::kToGuest, Seq(0), Seq(0));
  EXPECT_EQ(sender.Deadline(), kNever);
  SendAll(sender, kOpen, kBegin);
  EXPECT_NE(sender.Deadline(), kNever);
  sender.OnAck(Seq(5000), kBegin);
  SendAll(sender, kOpen, kBegin);
  EXPECT_EQ(sender.Deadline(), kNever);
}

TEST(Sender, ASlowReceiverIsGivenTime) {
  Sender sender(Sender::Way::kToGuest, Seq(0), Seq(0));
  SendAll(sender, kOpen, kBegin);
  const Time answer = kBegin + milliseconds(150);
  sender.OnAck(Seq(2000), answer);
  // The round trip was 150 ms, and might vary by half of that.
  EXPECT_EQ(sender.Deadline(), answer + milliseconds(450));
}

TEST(Sender, WhatWasSentTwiceMeasuresNothing) {
  Sender sender(Sender::Way::kToGuest, Seq(0), Seq(0));
  SendAll(sender, kOpen, kBegin);
  const Time expired = sender.Deadline();
  EXPECT_EQ(sender.OnTimer(1000, expired), Sender::Expired::kSend);
  SendAll(sender, kOpen, expired);
  const Time answer = expired + std::chrono::seconds(5);
  sender.OnAck(Seq(1000), answer);
  EXPECT_EQ(sender.Deadline(), kNever);
  SendAll(sender, kOpen, answer);
  EXPECT_EQ(sender.Deadline(),
            answer + RetransmissionTimeout::kToGuest.initial);
}

TEST(Sender, BytesThatComeAnotherWayDoNotEndProbing) {
  Sender sender(Sender::Way::kToGuest, Seq(0), Seq(0));
  EXPECT_EQ(SendAll(sender, kShut, kBegin), 0);
  EXPECT_EQ(sender.Deadline(),
            kBegin + RetransmissionTimeout::kToGuest.initial);
  sender.OnAck(Seq(1000), kBegin);
  EXPECT_EQ(SendAll(sender, kShut, kBegin), 0);
  const Time expired = sender.Deadline();
  ASSERT_NE(expired, kNever);
  EXPECT_EQ(sender.OnTimer(1000, expired - Duration(1)),
            Sender::Expired::kNothing);
  EXPECT_EQ(sender.OnTimer(1000, expired), Sender::Expired::kProbe);
}

TEST(Sender, RestartedItSendsEverythingAgain) {
  Sender sender(Sender::Way::kToGuest, Seq(0), Seq(0));
  SendAll(sender, kOpen, kBegin);
  sender.OnAck(Seq(2000), kBegin);
  sender.Restart();
  EXPECT_EQ(sender.Deadline(), kNever);
  EXPECT_FALSE(sender.in_flight());
  EXPECT_EQ(SendAll(sender, kOpen, kBegin), 2);
}

}  // namespace
}  // namespace stubdomain
