// The table of all flows: finding, bounds, eviction, timers, serial form.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/flow_table.h"

#include <gtest/gtest.h>

#include <climits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "wire/tcp_frame.h"

namespace stubdomain {
namespace {

using std::chrono::seconds;

constexpr uint16_t kFirstPort = 40000;

// Connections of one guest to one server, told apart by the guest's port.
class Table : public Output {
 public:
  explicit Table(size_t max_flows = 100)
      : table({.max_flows = max_flows,
               .flow = {.buffer = 1 << 20, .keepalive = seconds(30)}},
              &budget) {}

  FlowTable::Result Say(Side from, int number, uint8_t flags,
                        std::string_view data = "", uint32_t seq = 0,
                        uint32_t ack = 0, unsigned nic = 0) {
    const FlowId id = Id(number);
    const Route route = from == Side::kGuest ? Route{{}, id.guest, id.peer}
                                             : Route{{}, id.peer, id.guest};
    TcpFields fields;
    fields.seq = Seq(1000) + seq;
    fields.ack = Seq(1000) + ack;
    fields.flags = flags;
    fields.window = 60000;
    TcpFrame builder(route, fields, data.size());
    std::copy(data.begin(), data.end(), builder.payload().begin());
    const Frame frame = std::move(builder).Finish();
    Packet packet;
    EXPECT_EQ(Parse(frame.bytes, frame.offload, &packet), Malformed::kNo);
    return table.OnFrame(nic, from, packet, now, *this);
  }

  void Open(int number) {
    Say(Side::kGuest, number, kSyn);
    Say(Side::kPeer, number, kSyn | kAck, "", 0, 1);
    Say(Side::kGuest, number, kAck, "", 1, 1);
    ASSERT_TRUE(Flow(number)->established());
  }
  void Close(int number) { Say(Side::kPeer, number, kRst, "", 1); }

  static FlowId Id(int number) {
    return {{Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, 15}),
             static_cast<uint16_t>(kFirstPort + number)},
            {Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, 2}), 80}};
  }
  TcpFlow* Flow(int number) { return table.Find(0, Id(number)); }

  void Emit(unsigned, Side to, Frame frame) override {
    ++(to == Side::kGuest ? to_guest : to_peer);
    last = std::move(frame);
    if (to == Side::kGuest) {
      --room;
      served += static_cast<char>('0' + Last().destination_port - kFirstPort);
    }
  }
  // Of the last frame that was sent.
  TcpSegment Last() const {
    Packet packet;
    EXPECT_EQ(Parse(last.bytes, last.offload, &packet), Malformed::kNo);
    return *packet.tcp();
  }
  FrameOptions OptionsFor(unsigned, Side) const override { return {}; }
  bool HasRoom(unsigned, Side) const override { return room > 0; }

  BufferBudget budget{1 << 24};
  FlowTable table;
  Time now{seconds(1000)};
  int to_guest = 0;
  int to_peer = 0;
  int room = INT_MAX;  // for frames to the guest
  std::string served;  // the flows that they were of
  Frame last;
};

TEST(FlowTable, AFlowBeginsWithASynFromEitherSide) {
  Table t;
  const auto [verdict, flow] = t.Say(Side::kGuest, 1, kSyn);
  EXPECT_EQ(verdict, Verdict::kPass);
  ASSERT_NE(flow, nullptr);
  EXPECT_EQ(flow, t.Flow(1));
  EXPECT_EQ(flow->id(), Table::Id(1));
  EXPECT_NE(t.Say(Side::kPeer, 2, kSyn).flow, nullptr);
  EXPECT_EQ(t.Say(Side::kPeer, 1, kSyn | kAck, "", 0, 1).flow, flow);
  EXPECT_EQ(t.table.size(), 2u);
}

TEST(FlowTable, WhatIsUnderWayIsKnownOnlyFromTheGuest) {
  Table t;
  EXPECT_EQ(t.Say(Side::kPeer, 1, kAck, "late").flow, nullptr);
  EXPECT_EQ(t.Say(Side::kPeer, 1, kSyn | kAck).flow, nullptr);
  EXPECT_EQ(t.Say(Side::kGuest, 1, kRst | kAck).flow, nullptr);
  EXPECT_EQ(t.Say(Side::kGuest, 1, kSyn | kAck).flow, nullptr);
  const auto [verdict, flow] = t.Say(Side::kGuest, 1, kAck, "late");
  EXPECT_EQ(verdict, Verdict::kPass);
  ASSERT_NE(flow, nullptr);
  EXPECT_FALSE(flow->tracked());
}

TEST(FlowTable, EachNicHasConnectionsOfItsOwn) {
  Table t;
  t.Say(Side::kGuest, 1, kSyn);
  t.Say(Side::kGuest, 1, kSyn, "", 0, 0, 1);
  EXPECT_EQ(t.table.size(), 2u);
  EXPECT_NE(t.table.Find(0, Table::Id(1)), t.table.Find(1, Table::Id(1)));
}

TEST(FlowTable, AFullTableForgetsTheLongestIdle) {
  Table t(3);
  for (const int i : {1, 2, 3}) t.Open(i);
  t.now += seconds(1);
  t.Say(Side::kGuest, 1, kAck, "", 1, 1);
  t.Say(Side::kGuest, 4, kSyn);
  EXPECT_EQ(t.table.size(), 3u);
  EXPECT_EQ(t.Flow(2), nullptr);
  EXPECT_NE(t.Flow(1), nullptr);
}

TEST(FlowTable, AFullTableForgetsTheUselessFirst) {
  Table t(3);
  t.Open(1);
  t.Open(2);
  t.Say(Side::kGuest, 3, kSyn);
  // A flood of SYNs takes no connection's place but each other's.
  for (int i = 10; i < 100; ++i) t.Say(Side::kPeer, i, kSyn);
  EXPECT_EQ(t.table.size(), 3u);
  EXPECT_NE(t.Flow(1), nullptr);
  EXPECT_NE(t.Flow(2), nullptr);
  EXPECT_NE(t.Flow(99), nullptr);
}

TEST(FlowTable, AwaitedAndAdoptedFlowsAreNotForgotten) {
  Table t(2);
  t.Open(1);
  t.Open(2);
  t.Flow(1)->set_awaited(true);
  t.Flow(2)->Adopt(t.now);
  const auto [verdict, flow] = t.Say(Side::kGuest, 3, kSyn);
  EXPECT_EQ(verdict, Verdict::kPass);
  EXPECT_EQ(flow, nullptr);
  EXPECT_EQ(t.table.size(), 2u);
  t.Flow(1)->set_awaited(false);
  EXPECT_NE(t.Say(Side::kGuest, 3, kSyn).flow, nullptr);
  EXPECT_EQ(t.Flow(1), nullptr);
}

TEST(FlowTable, ALowerBoundForgetsNothingAtOnce) {
  Table t(4);
  for (const int i : {1, 2, 3, 4}) t.Open(i);
  t.table.set_config({.max_flows = 2});
  EXPECT_EQ(t.table.size(), 4u);
  EXPECT_EQ(t.Say(Side::kGuest, 5, kSyn).flow, nullptr);
  t.table.set_config({.max_flows = 0});
  EXPECT_EQ(t.Say(Side::kGuest, 6, kSyn).flow, nullptr);
}

TEST(FlowTable, AClosedFlowIsForgottenAfterAWhile) {
  Table t;
  t.Open(1);
  EXPECT_EQ(t.table.Deadline(), kNever);
  t.Close(1);
  EXPECT_EQ(t.table.Deadline(), t.now + kTimeWait);
  t.table.OnTimer(t.now + kTimeWait - Duration(1), t);
  EXPECT_NE(t.Flow(1), nullptr);
  t.table.OnTimer(t.now + kTimeWait, t);
  EXPECT_EQ(t.Flow(1), nullptr);
  EXPECT_EQ(t.table.Deadline(), kNever);
}

TEST(FlowTable, AClosedFlowThatIsAwaitedStays) {
  Table t;
  t.Open(1);
  t.Flow(1)->set_awaited(true);
  t.Close(1);
  t.now += kTimeWait;
  t.table.OnTimer(t.now, t);
  ASSERT_NE(t.Flow(1), nullptr);
  EXPECT_EQ(t.table.Deadline(), t.now + kTimeWait);
}

TEST(FlowTable, AFlowThatBeginsAnewIsNotForgotten) {
  Table t;
  t.Open(1);
  t.Close(1);
  t.Say(Side::kGuest, 1, kSyn, "", 500000);
  EXPECT_EQ(t.table.Deadline(), kNever);
}

TEST(FlowTable, AllFlowsGoThroughTheirPhasesTogether) {
  Table t;
  for (const int i : {1, 2, 3}) t.Open(i);
  t.Say(Side::kPeer, 4, kSyn);
  t.table.Adopt(t.now);
  for (const int i : {1, 2, 3}) {
    EXPECT_EQ(t.Flow(i)->phase(), Phase::kAdopted);
  }
  EXPECT_EQ(t.Flow(4)->phase(), Phase::kFollowing);
  EXPECT_EQ(t.Say(Side::kPeer, 4, kSyn).verdict, Verdict::kPass);

  EXPECT_EQ(t.Say(Side::kPeer, 2, kAck, "hello", 1, 1).verdict,
            Verdict::kTaken);
  EXPECT_EQ(t.table.kept(), 5u);
  EXPECT_TRUE(t.table.needs_flush());
  EXPECT_EQ(t.to_peer, 0);
  t.table.Flush(t.now, t);
  EXPECT_EQ(t.to_peer, 1);
  EXPECT_FALSE(t.table.needs_flush());

  t.table.Release(t.now, t);
  EXPECT_EQ(t.Flow(1)->phase(), Phase::kFollowing);
  EXPECT_EQ(t.Flow(2)->phase(), Phase::kReleased);
  EXPECT_EQ(t.to_guest, 0);
  t.table.Replay(t.now, t);
  EXPECT_EQ(t.to_guest, 1);
  t.Say(Side::kGuest, 2, kAck, "", 1, 6);
  EXPECT_EQ(t.Flow(2)->phase(), Phase::kFollowing);
  EXPECT_EQ(t.table.kept(), 0u);
  EXPECT_EQ(t.budget.reserved(), 0u);
}

TEST(FlowTable, WhatBeginsWhileTheGuestIsStoppedIsAdopted) {
  Table t;
  t.table.Adopt(t.now);
  // The frame was under way when the guest was stopped.
  EXPECT_EQ(t.Say(Side::kGuest, 1, kSyn).verdict, Verdict::kPass);
  EXPECT_EQ(t.Flow(1)->phase(), Phase::kAdopted);
  EXPECT_EQ(t.Say(Side::kPeer, 1, kSyn | kAck, "", 0, 1).verdict,
            Verdict::kTaken);
  EXPECT_EQ(t.to_peer, 1);
  t.table.Release(t.now, t);
  t.Say(Side::kGuest, 2, kSyn);
  EXPECT_EQ(t.Flow(2)->phase(), Phase::kFollowing);
}

TEST(FlowTable, ItsDeadlineIsTheFirstOfItsFlows) {
  Table t;
  t.Open(1);
  t.Open(2);
  t.Flow(1)->Adopt(t.now);
  t.now += seconds(10);
  t.table.Adopt(t.now);
  EXPECT_EQ(t.table.Deadline(), t.now + seconds(20));
  // Before that nothing happens, and at that moment something does.
  t.table.OnTimer(t.table.Deadline() - Duration(1), t);
  EXPECT_EQ(t.to_peer, 0);
  t.now = t.table.Deadline();
  t.table.OnTimer(t.now, t);
  EXPECT_EQ(t.to_peer, 1);
  EXPECT_EQ(t.table.Deadline(), t.now + seconds(10));
}

TEST(FlowTable, ClearForgetsAll) {
  Table t;
  t.Open(1);
  t.Flow(1)->set_awaited(true);
  t.table.Adopt(t.now);
  t.Say(Side::kPeer, 1, kAck, "hello", 1, 1);
  t.table.Clear();
  EXPECT_EQ(t.table.size(), 0u);
  EXPECT_EQ(t.table.Deadline(), kNever);
  EXPECT_FALSE(t.table.needs_flush());
  EXPECT_EQ(t.budget.reserved(), 0u);
}

TEST(FlowTable, AnIdleFlowTakesLittleMemory) {
  EXPECT_LE(FlowTable::IdleFlowBytes(), 1024u);
}

// Two connections share a budget that each of them could use up alone.
class SharedBudget : public Table {
 public:
  SharedBudget() {
    for (const int i : {1, 2}) Open(i);
    budget.set_limit(150000);
    table.Adopt(now);
    EXPECT_EQ(budget.reserved(), 120000u);
  }
  // The peer sends as much as it may.
  void Fill(int number) {
    while (true) {
      Say(Side::kPeer, number, kAck, std::string(1000, 'x'), 1 + sent[number],
          1);
      table.Flush(now, *this);
      const uint32_t acked = static_cast<uint32_t>(Last().ack - Seq(1001));
      if (acked == sent[number]) return;
      sent[number] = acked;
    }
  }
  std::map<int, uint32_t> sent;
};

TEST(FlowTable, AWindowThatClosedForAnothersSakeOpensAgain) {
  SharedBudget t;
  t.Fill(1);
  t.Fill(2);
  EXPECT_EQ(t.sent[1] + t.sent[2], 150000u);
  EXPECT_EQ(t.Last().window, 0u);
  EXPECT_FALSE(t.table.needs_flush());
  t.table.Release(t.now, t);
  t.to_peer = 0;
  // The guest gives one of them up.
  t.Say(Side::kGuest, 1, kRst, "", 1);
  EXPECT_EQ(t.Flow(1)->kept(), 0u);
  EXPECT_TRUE(t.table.needs_flush());
  t.table.Flush(t.now, t);
  EXPECT_EQ(t.to_peer, 2);
  EXPECT_EQ(t.Last().destination_port, 80);
  EXPECT_EQ(t.Last().source_port, kFirstPort + 2);
  EXPECT_GE(t.Last().window, 60000u);
  EXPECT_FALSE(t.table.needs_flush());
}

TEST(FlowTable, WhatIsKeptIsTheSumOfAllFlows) {
  SharedBudget t;
  const auto sum = [&t] {
    uint64_t kept = 0;
    t.table.ForEach([&kept](const TcpFlow& flow) { kept += flow.kept(); });
    return kept;
  };
  t.Fill(1);
  t.Fill(2);
  EXPECT_EQ(t.table.kept(), 150000u);
  EXPECT_EQ(t.table.kept(), sum());
  t.table.Release(t.now, t);
  t.Say(Side::kGuest, 1, kRst, "", 1);
  EXPECT_EQ(t.table.kept(), t.Flow(2)->kept());
  EXPECT_EQ(t.table.kept(), sum());
  t.table.Clear();
  EXPECT_EQ(t.table.kept(), 0u);
}

TEST(FlowTable, LoadedBytesComeBeforeWindows) {
  constexpr uint64_t kBudget = 70000;
  Table t;
  for (const int i : {1, 2}) t.Open(i);
  t.budget.set_limit(kBudget);
  t.table.Adopt(t.now);
  // So that it is saved behind the other.
  t.now += seconds(2);
  for (uint32_t at = 0; at < 60000; at += 1000) {
    t.Say(Side::kPeer, 1, kAck, std::string(1000, 'x'), 1 + at, 1);
  }
  EXPECT_EQ(t.table.kept(), 60000u);
  EXPECT_EQ(t.budget.reserved(), kBudget);
  Writer writer;
  t.table.Save(writer);

  Table other;
  other.budget.set_limit(kBudget);
  Reader reader(writer.data());
  ASSERT_TRUE(other.table.Load(reader, other.now));
  EXPECT_EQ(other.table.kept(), 60000u);
  EXPECT_EQ(other.budget.reserved(), kBudget);
}

TEST(FlowTable, ALargerBudgetOpensTheWindow) {
  SharedBudget t;
  t.Fill(1);
  t.Fill(2);
  t.to_peer = 0;
  t.budget.set_limit(150001);
  EXPECT_TRUE(t.table.needs_flush());
  t.table.Flush(t.now, t);
  // Too little to be worth telling, and it is not asked again.
  EXPECT_EQ(t.to_peer, 0);
  EXPECT_FALSE(t.table.needs_flush());
  t.budget.set_limit(1 << 20);
  t.table.Flush(t.now, t);
  EXPECT_EQ(t.to_peer, 2);
  EXPECT_FALSE(t.table.needs_flush());
}

TEST(FlowTable, WhatWasNotKeptForLackOfRoomIsAskedForOnceThereIsSome) {
  Table t;
  for (const int i : {1, 2}) t.Open(i);
  t.budget.set_limit(60010);
  t.table.Adopt(t.now);
  const std::string full(1000, 'x');
  t.Say(Side::kPeer, 2, kAck, full, 1, 1);
  t.table.Flush(t.now, t);
  EXPECT_EQ(t.Last().ack, Seq(1011));
  t.table.Release(t.now, t);
  t.Say(Side::kGuest, 1, kRst, "", 1);
  t.to_peer = 0;
  EXPECT_TRUE(t.table.needs_flush());
  t.table.Flush(t.now, t);
  EXPECT_EQ(t.to_peer, 1);
  t.Say(Side::kPeer, 2, kAck, full, 1, 1);
  t.table.Flush(t.now, t);
  EXPECT_EQ(t.Last().ack, Seq(2001));
}

TEST(FlowTable, ItLoadsWhatItSaved) {
  Table t;
  t.Say(Side::kGuest, 9, kSyn);
  for (const int i : {1, 2, 3}) t.Open(i);
  t.table.Adopt(t.now);
  t.Say(Side::kPeer, 2, kAck, "hello", 1, 1);
  Writer writer;
  t.table.Save(writer);

  Table other;
  other.Open(7);
  Reader reader(writer.data());
  ASSERT_TRUE(other.table.Load(reader, other.now));
  EXPECT_EQ(reader.left(), 0u);
  EXPECT_EQ(other.table.size(), 4u);
  EXPECT_EQ(other.Flow(7), nullptr);
  ASSERT_NE(other.Flow(2), nullptr);
  EXPECT_EQ(other.Flow(2)->phase(), Phase::kAdopted);
  EXPECT_EQ(other.table.kept(), 5u);
  EXPECT_TRUE(other.table.needs_flush());
  // The first SYN is sent again first.
  EXPECT_EQ(other.table.Deadline(), other.now + seconds(1));
  Writer again;
  other.table.Save(again);
  EXPECT_EQ(again.data(), writer.data());
}

TEST(FlowTable, ARefusedLoadChangesNothing) {
  Table t;
  for (const int i : {1, 2}) t.Open(i);
  t.table.Adopt(t.now);
  Writer writer;
  t.table.Save(writer);
  const uint64_t reserved = t.budget.reserved();
  for (size_t length = 0; length < writer.data().size(); ++length) {
    Reader reader(std::span(writer.data()).first(length));
    ASSERT_FALSE(t.table.Load(reader, t.now)) << length;
    ASSERT_EQ(t.table.size(), 2u);
    ASSERT_EQ(t.Flow(1)->phase(), Phase::kAdopted);
    ASSERT_EQ(t.budget.reserved(), reserved);
  }
}

TEST(FlowTable, TheSameConnectionTwiceIsRefused) {
  Table t;
  t.Open(1);
  Writer one;
  t.Flow(1)->Save(one);
  Writer writer;
  writer.U32(2);
  writer.Raw(one.data());
  writer.Raw(one.data());
  Reader reader(writer.data());
  EXPECT_FALSE(t.table.Load(reader, t.now));
  EXPECT_EQ(t.table.size(), 1u);
}

// With 1608 bytes kept for each of three flows, which are three segments.
class HeldUpTable : public Table {
 public:
  HeldUpTable() {
    for (const int i : {1, 2, 3}) Open(i);
    table.Adopt(now);
    for (const int i : {1, 2, 3}) {
      Say(Side::kPeer, i, kAck, std::string(3 * 536, 'x'), 1, 1);
    }
    table.Flush(now, *this);
    room = 0;
    table.Release(now, *this);
    table.Replay(now, *this);
    served.clear();
  }

  std::string GoOn(int frames) {
    room = frames;
    table.GoOn(0, Side::kGuest, now, *this);
    return std::exchange(served, "");
  }
};

TEST(FlowTable, FlowsThatWereHeldUpTakeTurns) {
  HeldUpTable t;
  EXPECT_EQ(t.GoOn(0), "");
  EXPECT_EQ(t.GoOn(1), "1");
  EXPECT_EQ(t.GoOn(1), "2");
  EXPECT_EQ(t.GoOn(1), "3");
  EXPECT_EQ(t.GoOn(2), "11");
  EXPECT_EQ(t.GoOn(100), "2233");
  EXPECT_EQ(t.GoOn(100), "");
}

TEST(FlowTable, FlowsAreHeldUpByTheirOwnNicAlone) {
  HeldUpTable t;
  t.room = 100;
  t.table.GoOn(1, Side::kGuest, t.now, t);
  t.table.GoOn(0, Side::kPeer, t.now, t);
  EXPECT_EQ(t.served, "");
}

TEST(FlowTable, FlowsThatAreGoneAreNotWaitedFor) {
  HeldUpTable t;
  t.Say(Side::kGuest, 1, kRst | kAck, "", 1, 1);
  EXPECT_EQ(t.GoOn(1), "2");
  t.table.Adopt(t.now);
  EXPECT_EQ(t.GoOn(100), "");
  t.table.Clear();
  EXPECT_EQ(t.GoOn(100), "");
}

}  // namespace
}  // namespace stubdomain
