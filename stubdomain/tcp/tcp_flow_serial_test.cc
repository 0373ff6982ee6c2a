// The serial form of one connection: round trips, cuts and wrong bytes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include "tcp/flow_trace.h"

namespace stubdomain {
namespace {

using std::chrono::seconds;

// With bytes kept in order and behind a gap, a FIN, and a guest that has taken
// a part.
std::unique_ptr<FlowTrace> Rich() {
  auto t = std::make_unique<FlowTrace>(TraceSetup{.vlan = 5,
                                                  .peer_isn = Seq(0xfffffff0),
                                                  .timestamps = true,
                                                  .sack = true,
                                                  .guest_shift = 2,
                                                  .peer_shift = 3});
  t->Handshake();
  t->resend.recording = true;
  t->Guest({.flags = "P.", .data = "request", .ts = Timestamps{110, 200}});
  t->Peer({.ack = 7, .ts = Timestamps{210, 110}});
  t->Guest({.seq = 7,
            .flags = "U.",
            .data = "more",
            .ts = Timestamps{111, 210},
            .urgent = 4});
  t->Guest({.seq = 21, .data = "most", .ts = Timestamps{111, 210}});
  t->Adopt();
  t->Peer(
      {.ack = 7, .data = std::string(1500, 'a'), .ts = Timestamps{300, 110}});
  t->ReleaseAndReplay();
  t->Guest({.seq = 7, .ack = 988, .ts = Timestamps{120, 300}});
  t->Peer({.seq = 1510, .ack = 7, .data = "early", .ts = Timestamps{310, 110}});
  t->Peer({.seq = 1520,
           .ack = 7,
           .flags = "F.",
           .data = "last",
           .ts = Timestamps{311, 110}});
  t->Sent();
  return t;
}

TEST(FlowSerial, AFollowedFlowGoesOn) {
  FlowTrace t;
  t.Handshake();
  t.Peer({.data = "hello"});
  t.SaveAndLoad();
  EXPECT_EQ(t.flow->phase(), Phase::kFollowing);
  EXPECT_EQ(t.flow->port(), FlowTrace::kPort);
  EXPECT_TRUE(t.flow->established());
  EXPECT_EQ(t.flow->peer_bytes(), 5u);
  EXPECT_FALSE(t.flow->quiet());
  t.Guest({.ack = 5});
  EXPECT_TRUE(t.flow->quiet());
}

TEST(FlowSerial, AnAdoptedFlowGoesOn) {
  FlowTrace t({.sack = true, .guest_window = 65535});
  t.Handshake();
  t.Adopt();
  t.Peer({.data = "hello"});
  t.Peer({.seq = 10, .data = "later"});
  t.Sent();
  t.SaveAndLoad();
  EXPECT_EQ(t.flow->phase(), Phase::kAdopted);
  EXPECT_EQ(t.flow->kept(), 10u);
  EXPECT_EQ(t.budget.reserved(), 65535u);
  EXPECT_EQ(t.Sent(), "");
  t.Peer({.seq = 5, .data = "world"});
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 15 win 65520");
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: P. 0:15 ack 0 win 10000 'helloworldlater'");
}

TEST(FlowSerial, AnAcknowledgementThatWasDueIsSent) {
  FlowTrace t({.guest_window = 65535});
  t.Handshake();
  t.Adopt();
  t.Peer({.data = "hello"});
  t.SaveAndLoad();
  EXPECT_TRUE(t.flow->needs_flush());
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 5 win 65530");
}

TEST(FlowSerial, AGuestThatIsAheadOfTheStubIsNoContradiction) {
  FlowTrace t({.guest_window = 65535});
  t.Handshake();
  t.Peer({.data = "hello"});
  t.Adopt();
  t.Peer({.seq = 10, .data = "later"});
  t.ReleaseAndReplay();
  t.Sent();
  t.Guest({.ack = 5, .window = 65535});
  t.SaveAndLoad();
  EXPECT_EQ(t.Sent(), "peer: . 0:0 ack 5 win 65535");
}

TEST(FlowSerial, AReplayGoesOnByItself) {
  FlowTrace t({.guest_window = 65535});
  t.Handshake();
  t.Adopt();
  t.Peer({.data = std::string(3000, 'x')});
  t.ReleaseAndReplay();
  t.Sent();
  t.SaveAndLoad();
  EXPECT_EQ(t.flow->phase(), Phase::kReplaying);
  t.Pass(RetransmissionTimeout::kToGuest.initial);
  EXPECT_EQ(t.Sent(), "guest: . 0:1000 ack 0 win 10000");
}

TEST(FlowSerial, AResetAndAFinAreRemembered) {
  FlowTrace t({.guest_window = 65535});
  t.Handshake();
  t.Adopt();
  t.Peer({.flags = "F.", .data = "bye"});
  t.Sent();
  t.Peer({.seq = 4, .flags = "R"});
  t.SaveAndLoad();
  EXPECT_TRUE(t.flow->peer_closed());
  EXPECT_TRUE(t.flow->peer_reset());
  t.ReleaseAndReplay();
  EXPECT_EQ(t.Sent(), "guest: FP. 0:4 ack 0 win 10000 'bye'");
  t.Guest({.ack = 4});
  EXPECT_EQ(t.Sent(), "guest: R. 4:4 ack 0 win 10000");
}

TEST(FlowSerial, ASecondSaveIsEqual) {
  const auto t = Rich();
  Writer first;
  t->flow->Save(first);
  t->SaveAndLoad();
  Writer second;
  t->flow->Save(second);
  EXPECT_EQ(first.data(), second.data());
}

TEST(FlowSerial, ACutFormIsRefused) {
  const auto t = Rich();
  Writer writer;
  t->flow->Save(writer);
  const FlowConfig config;
  BufferBudget budget(1 << 20);
  for (size_t length = 0; length < writer.data().size(); ++length) {
    Reader reader(std::span(writer.data()).first(length));
    {
      TcpFlow flow(0, {}, &config, &budget, &t->resend);
      EXPECT_FALSE(flow.Load(reader, t->now)) << length;
      EXPECT_FALSE(reader.ok());
    }
    EXPECT_EQ(budget.reserved(), 0u);
  }
}

// Whatever loads must bear everything that may happen to a flow.
TEST(FlowSerial, AWrongByteIsRefusedOrHarmless) {
  const auto t = Rich();
  Writer writer;
  t->flow->Save(writer);
  const std::vector<uint8_t> good = writer.Take();
  int refused = 0;
  int loaded = 0;
  for (size_t at = 0; at < good.size(); ++at) {
    for (const int flip : {0x01, 0x04, 0x40, 0x80, 0xff}) {
      std::vector<uint8_t> bytes = good;
      bytes[at] = static_cast<uint8_t>(bytes[at] ^ flip);
      t->flow.reset();
      ASSERT_EQ(t->budget.reserved(), 0u);
      Reader reader(bytes);
      const FlowConfig config{.buffer = 1 << 20, .keepalive = seconds(1)};
      auto flow = std::make_unique<TcpFlow>(0, FlowId{}, &config, &t->budget,
                                            &t->resend);
      if (!flow->Load(reader, t->now)) {
        EXPECT_FALSE(reader.ok());
        flow.reset();
        EXPECT_EQ(t->budget.reserved(), 0u);
        ++refused;
        continue;
      }
      ++loaded;
      t->flow = std::move(flow);
      Writer again;
      t->flow->Save(again);
      Reader rereader(again.data());
      EXPECT_TRUE(TcpFlow(0, {}, &config, &t->budget, &t->resend)
                      .Load(rereader, t->now))
          << "what was loaded cannot be saved and loaded, byte " << at;
      struct : Output {
        void Emit(unsigned, Side, Frame) override {}
        FrameOptions OptionsFor(unsigned, Side) const override { return {}; }
        bool HasRoom(unsigned, Side) const override { return true; }
      } nowhere;
      const auto say = [&](Side from, const Said& said) {
        const Frame frame = t->Build(from, said);
        Packet packet;
        ASSERT_EQ(Parse(frame.bytes, frame.offload, &packet), Malformed::kNo);
        t->flow->OnFrame(from, packet, t->now, nowhere);
      };
      say(Side::kPeer, {.seq = 1500, .ack = 7, .data = "0123456789"});
      say(Side::kPeer, {.seq = 2000, .ack = 9, .data = "0123456789"});
      say(Side::kGuest, {.seq = 7, .ack = 1500, .data = "upload"});
      t->flow->Adopt(t->now);
      for (int i = 0; i < 5 && t->flow->Deadline() != kNever; ++i) {
        t->flow->OnTimer(t->flow->Deadline(), nowhere);
      }
      t->flow->Release(t->now, nowhere);
      t->flow->Replay(t->now, nowhere);
      say(Side::kGuest, {.seq = 13, .ack = 1510});
      say(Side::kPeer, {.seq = 1510, .ack = 13, .data = "0123456789"});
      t->flow->Flush(t->now, nowhere);
    }
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(loaded, 100);
  t->flow.reset();
  EXPECT_EQ(t->budget.reserved(), 0u);
}

}  // namespace
}  // namespace stubdomain
