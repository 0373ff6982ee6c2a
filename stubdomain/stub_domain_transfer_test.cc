// A long reply from end to end, with model TCPs on both sides.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <algorithm>

#include "trace/trace.h"

namespace stubdomain {
namespace {

constexpr uint32_t kReply = 1 << 20;
constexpr uint64_t kSmallBuffer = 96 << 10;
constexpr int kStep = 40;  // frames that the two ends send in a step

// Plays both ends of a connection on which the peer sends a long reply: the
// peer obeys the window it was told and sends again what is not acknowledged
// for 50 ms; the guest, while it runs, acknowledges all it gets.
class Transfer {
 public:
  // Of the frames between the peer and the stub, each `loss`th is lost (0:
  // none).
  explicit Transfer(int loss) : trace_(Config()), loss_(loss) {
    trace_.Connect(&talk_);
    trace_.Request(talk_, 100);
    trace_.on_send = [this](unsigned, Side to, const sd_frame&) {
      EXPECT_TRUE(guest_runs_ || to == Side::kPeer);
      return true;
    };
    trace_.on_effect = [this](const std::string& line) {
      if (line.starts_with("restore")) restored_ = true;
    };
  }

  static sd_config Config() {
    sd_config config = Trace::DefaultConfig();
    config.flow_buffer = kSmallBuffer;
    return config;
  }

  void SuspendWith(uint64_t bytes) {
    sd_wait wait = Trace::WaitOn(talk_);
    wait.bytes = bytes;
    trace_.Wait(wait);
    trace_.SuspendNow();
    guest_runs_ = false;
  }

  void Run() {
    guest_runs_ = true;
    trace_.Running();
  }

  // The host suspends, whatever is under way.
  void Suspend() {
    trace_.Suspend();
    trace_.Pass(SD_QUIET_MS);
    trace_.Stopped();
    trace_.Suspended();
    guest_runs_ = false;
  }

  // What both ends do within 50 ms.
  void Step() {
    for (int i = 0; i < kStep && (GuestAnswers() || PeerSends()); ++i) {
    }
    trace_.Pass(50);
    const uint32_t acknowledged = talk_.acknowledged(Side::kPeer);
    const uint32_t unacknowledged = talk_.sent(Side::kPeer) - acknowledged;
    if (acknowledged == last_acknowledged_ && unacknowledged > 0) {
      ToStub(talk_.Resend(Side::kPeer, acknowledged,
                          std::min<uint32_t>(Talk::kMss, unacknowledged)));
    }
    last_acknowledged_ = acknowledged;
  }

  bool restored() const { return restored_; }
  bool done() const {
    return talk_.received(Side::kGuest) == kReply &&
           talk_.acknowledged(Side::kPeer) == kReply;
  }
  Trace& trace() { return trace_; }
  Talk& talk() { return talk_; }

 private:
  void ToStub(const Frame& frame) {
    if (loss_ != 0 && ++frames_ % loss_ == 0) return;
    trace_.Send(talk_, Side::kPeer, frame);
  }

  bool GuestAnswers() {
    if (!guest_runs_ || guest_acked_ == talk_.received(Side::kGuest)) {
      return false;
    }
    guest_acked_ = talk_.received(Side::kGuest);
    trace_.GuestAcks(talk_);
    return true;
  }

  bool PeerSends() {
    const uint32_t in_flight =
        talk_.sent(Side::kPeer) - talk_.acknowledged(Side::kPeer);
    const uint32_t window = talk_.window(Side::kPeer);
    const uint32_t length =
        std::min({uint32_t{Talk::kMss}, kReply - talk_.sent(Side::kPeer),
                  window - std::min(window, in_flight)});
    if (length == 0) return false;
    ToStub(talk_.Data(Side::kPeer, length));
    return true;
  }

  Trace trace_;
  Talk talk_;
  int loss_;
  int frames_ = 0;
  bool guest_runs_ = true;
  bool restored_ = false;
  uint32_t guest_acked_ = 0;
  uint32_t last_acknowledged_ = 0;
};

class TransferTest : public testing::TestWithParam<int> {};

TEST_P(TransferTest, ALongReplyThroughASmallBufferArrivesOnce) {
  Transfer transfer(GetParam());
  transfer.SuspendWith(kReply);
  for (int i = 0; i < 200; ++i) transfer.Step();
  // The peer is held back, but its connection lives.
  EXPECT_TRUE(transfer.restored());
  EXPECT_EQ(transfer.trace().info().state, SD_SUSPENDED);
  EXPECT_LE(transfer.trace().info().kept, kSmallBuffer);
  EXPECT_GE(transfer.trace().info().kept, kSmallBuffer / 2);
  EXPECT_LT(transfer.talk().sent(Side::kPeer), kReply / 2);
  EXPECT_EQ(transfer.talk().received(Side::kGuest), 0u);

  transfer.Run();
  for (int i = 0; i < 2000 && !transfer.done(); ++i) transfer.Step();
  EXPECT_TRUE(transfer.done());
  for (int i = 0; i < 100; ++i) transfer.Step();
  EXPECT_EQ(transfer.trace().info().kept, 0u);
  EXPECT_EQ(sd_next_deadline(transfer.trace().stub()), SD_NEVER);
  EXPECT_FALSE(sd_pending(transfer.trace().stub()));
}

TEST_P(TransferTest, ASuspendInTheMiddleOfTheReplayLosesNothing) {
  Transfer transfer(GetParam());
  int suspends = 0;
  for (; suspends < 1000 && !transfer.done(); ++suspends) {
    for (int i = 0; i < 3; ++i) transfer.Step();
    transfer.Suspend();
    EXPECT_EQ(transfer.trace().info().state, SD_SUSPENDED);
    for (int i = 0; i < 3; ++i) transfer.Step();
    EXPECT_LE(transfer.trace().info().kept, kSmallBuffer);
    transfer.Run();
  }
  EXPECT_TRUE(transfer.done());
  EXPECT_GT(suspends, 3);
}

INSTANTIATE_TEST_SUITE_P(Loss, TransferTest, testing::Values(0, 7, 3));

}  // namespace
}  // namespace stubdomain
