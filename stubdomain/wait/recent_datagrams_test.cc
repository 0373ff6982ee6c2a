// The guest's last datagrams.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/recent_datagrams.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "trace/frames.h"
#include "wire/udp_frame.h"

namespace stubdomain {
namespace {

class RecentDatagramsTest : public testing::Test {
 protected:
  static Endpoint Peer(uint16_t port) { return {Ip("192.0.2.1"), port}; }
  static Frame To(uint16_t port, size_t size) {
    return UdpFrame({.link = {kPeerMac, kGuestMac, {}},
                     .source = {Ip("10.0.2.15"), 5000},
                     .destination = Peer(port)},
                    std::vector<uint8_t>(size));
  }
  static void Note(RecentDatagrams& recent, uint16_t port, size_t size) {
    recent.Note(0, Parsed(To(port, size)));
  }
  // Bytes of the payload; -1: it is not known.
  static int Size(const RecentDatagrams& recent, uint16_t port) {
    const auto* sent = recent.Find([port](unsigned nic, const FlowId& id) {
      return nic == 0 && id.peer == Peer(port);
    });
    if (sent == nullptr) return -1;
    const Packet packet = Parsed(sent->frame);
    return static_cast<int>(std::get<UdpDatagram>(packet.body).payload.size());
  }

  RecentDatagrams recent_;
};

TEST_F(RecentDatagramsTest, TheLastToEachPeerIsKept) {
  Note(recent_, 53, 10);
  Note(recent_, 54, 20);
  Note(recent_, 53, 30);
  EXPECT_EQ(Size(recent_, 53), 30);
  EXPECT_EQ(Size(recent_, 54), 20);
  EXPECT_EQ(Size(recent_, 55), -1);
}

TEST_F(RecentDatagramsTest, BeyondTheBoundTheOldestIsForgotten) {
  for (uint16_t port = 1; port <= kMaxRecentDatagrams; ++port) {
    Note(recent_, port, port);
  }
  Note(recent_, 1, 100);
  EXPECT_EQ(Size(recent_, 2), 2);
  Note(recent_, 1000, 5);
  EXPECT_EQ(Size(recent_, 1), 100);
  EXPECT_EQ(Size(recent_, 2), -1);
  EXPECT_EQ(Size(recent_, 3), 3);
}

TEST_F(RecentDatagramsTest, ALongOneIsNotKeptAndReplacesTheOneBefore) {
  constexpr size_t kHeaders = 14 + 20 + 8;
  Note(recent_, 53, kMaxRecentFrame - kHeaders);
  EXPECT_EQ(Size(recent_, 53), static_cast<int>(kMaxRecentFrame - kHeaders));
  Note(recent_, 53, kMaxRecentFrame - kHeaders + 1);
  EXPECT_EQ(Size(recent_, 53), -1);
}

TEST_F(RecentDatagramsTest, WhatIsWantedGoesOnElsewhereInItsOrder) {
  for (uint16_t port = 1; port <= kMaxRecentDatagrams; ++port) {
    Note(recent_, port, port);
  }
  Writer writer;
  recent_.Save(writer,
               [](unsigned, const FlowId& id) { return id.peer.port != 5; });
  RecentDatagrams next;
  Reader reader(writer.data());
  ASSERT_TRUE(next.Load(reader));
  EXPECT_EQ(reader.left(), 0u);
  EXPECT_EQ(Size(next, 5), -1);
  EXPECT_EQ(Size(next, 6), 6);
  Note(next, 100, 0);
  EXPECT_EQ(Size(next, 1), 1);
  Note(next, 101, 0);
  EXPECT_EQ(Size(next, 1), -1);
  EXPECT_EQ(Size(next, 2), 2);
}

TEST_F(RecentDatagramsTest, WhatIsNoDatagramIsNotLoaded) {
  Note(recent_, 53, 10);
  Writer writer;
  recent_.Save(writer, [](unsigned, const FlowId&) { return true; });
  for (size_t length = 0; length < writer.data().size(); ++length) {
    RecentDatagrams next;
    Reader reader(std::span(writer.data()).first(length));
    EXPECT_FALSE(next.Load(reader));
  }
}

}  // namespace
}  // namespace stubdomain
