// Whatever happens in whatever order, some things hold.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <set>

#include "trace/frames.h"
#include "trace/trace.h"

namespace stubdomain {
namespace {

constexpr int kEvents = 400;

// A glue, a guest and three peers that act at random. Checked throughout:
//   - a suspend is only asked for while the VM runs;
//   - a restore is only asked for while the vCPUs are stopped for a suspend,
//     and once for each;
//   - every wait that was laid ends once;
//   - a dispatch before the deadline does nothing.
class Chance {
 public:
  explicit Chance(uint32_t seed) : random_(seed) {
    trace_.on_effect = [this](const std::string& line) { Check(line); };
    for (Talk& talk : talks_) {
      trace_.Connect(&talk);
      trace_.Request(talk, 10);
    }
  }

  void Run() {
    for (int i = 0; i < kEvents && !testing::Test::HasFailure(); ++i) {
      Event();
      ExpectNothingBeforeTheDeadline();
    }
    // In the end the VM runs and nothing is awaited.
    if (stopped_) Restart();
    for (const uint32_t stub : std::set<uint32_t>(open_)) {
      trace_.Cancel(SD_OWNER_HOST, stub);
    }
    EXPECT_TRUE(open_.empty());
    EXPECT_EQ(trace_.info().stubs, 0u);
  }

 private:
  void Check(const std::string& line) {
    if (line == "suspend") {
      EXPECT_FALSE(asked_ || stopped_);
      asked_ = true;
    } else if (line.starts_with("restore")) {
      EXPECT_TRUE(stopped_);
      EXPECT_FALSE(restored_);
      restored_ = true;
    } else if (line.starts_with("waiting ")) {
      EXPECT_TRUE(open_.insert(NumberIn(line)).second);
    } else if (line.starts_with("ended ")) {
      EXPECT_EQ(open_.erase(NumberIn(line)), 1u);
    }
  }

  static uint32_t NumberIn(const std::string& line) {
    return static_cast<uint32_t>(std::stoul(line.substr(line.find(' '))));
  }

  void ExpectNothingBeforeTheDeadline() {
    EXPECT_FALSE(sd_pending(trace_.stub()));
    EXPECT_GT(sd_next_deadline(trace_.stub()), trace_.now());
    trace_.Take();
    sd_dispatch(trace_.stub(), trace_.now());
    EXPECT_EQ(trace_.Take(), Lines());
  }

  void Restart() {
    asked_ = stopped_ = restored_ = false;
    trace_.Running();
  }

  void HandOver() {
    // Asked to suspend, a VM is stopped before it is saved.
    if (asked_) stopped_ = true;
    restored_ = false;
    trace_.HandOver();
  }

  void Wait(Talk& talk) {
    sd_wait wait = Trace::WaitOn(talk);
    wait.owner = Below(2) == 0 ? SD_OWNER_GUEST : SD_OWNER_HOST;
    wait.has_received = Below(2) == 0;
    wait.timeout_ms = Below(2) * Below(1000);
    wait.bytes = Below(20);
    wait.suspend = Below(3) != 0;
    trace_.Wait(wait);
  }

  void Event() {
    Talk& talk = talks_[Below(talks_.size())];
    switch (Below(20)) {
      case 0:
        return trace_.Pass(Below(2000));
      case 1:
        return Wait(talk);
      case 2:
        trace_.Cancel(Below(2) == 0 ? SD_OWNER_GUEST : SD_OWNER_HOST,
                      1 + Below(60));
        return;
      case 3:
        trace_.Suspend();
        return;
      case 4:
        trace_.Restore();
        return;
      case 5:
      case 6:
        if (asked_) stopped_ = true;
        return trace_.Stopped();
      case 7:
        return trace_.Suspended();
      case 8:
        // Once it has failed the VM runs by itself, or never was stopped.
        if (asked_ && trace_.info().state == SD_SUSPENDING) restored_ = true;
        if (!stopped_) asked_ = restored_ = false;
        return trace_.SuspendFailed();
      case 9:
      case 10:
        return Restart();
      case 11:
        return trace_.Agent(Below(2) == 0);
      case 12:
        return trace_.Ready();
      case 13:
        if (Below(10) == 0) trace_.Reset();
        return;
      case 14:
        trace_.Send(
            0, Side::kPeer,
            UdpTo(kLinkToGuest, {Ip("192.0.2.1"), 53}, {Ip("10.0.2.15"), 53}));
        return;
      case 15:
        return HandOver();
      case 16:
        trace_.Send(talk, Side::kPeer, talk.Ack(Side::kPeer));
        return;
      case 17:
        trace_.PeerSends(talk, 1 + Below(2000));
        return;
      default:
        if (stopped_) return;
        trace_.GuestAcks(talk);
        if (Below(2) == 0) {
          trace_.Send(talk, Side::kGuest, talk.Data(Side::kGuest, 5));
        }
    }
  }

  uint32_t Below(size_t limit) {
    return static_cast<uint32_t>(random_() % limit);
  }

  std::mt19937 random_;
  Trace trace_;
  std::array<Talk, 3> talks_{Talk(40000), Talk(40001), Talk(40002)};
  bool asked_ = false;     // to suspend
  bool stopped_ = false;   // for that
  bool restored_ = false;  // was asked to restore since
  std::set<uint32_t> open_;
};

class ChanceTest : public testing::TestWithParam<uint32_t> {};

TEST_P(ChanceTest, SomeThingsHold) { Chance(GetParam()).Run(); }

INSTANTIATE_TEST_SUITE_P(Seed, ChanceTest, testing::Range(0u, 100u));

}  // namespace
}  // namespace stubdomain
