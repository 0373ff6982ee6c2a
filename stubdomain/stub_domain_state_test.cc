// The serial form: handing over in the middle of everything, and corruption.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "state/crc32.h"
#include "trace/frames.h"
#include "trace/trace.h"

namespace stubdomain {
namespace {

// -- hand-over --

// A story with marks in it, at each of which it may be handed over.
using Story = std::function<void(Trace&, const std::function<void()>& mark)>;

// Tells a story with a hand-over at the mark of that number (from 1 on; 0:
// nowhere). Returns what happened, and the number of marks.
std::pair<Lines, int> Tell(const Story& story, int hand_over_at) {
  Trace trace;
  int marks = 0;
  story(trace, [&] {
    if (++marks == hand_over_at) trace.HandOver();
  });
  Lines lines = trace.TakeNotices();
  // The new process is told again to restore.
  lines.erase(std::unique(lines.begin(), lines.end()), lines.end());
  return {lines, marks};
}

void ExpectHandOverAnywhere(const Story& story) {
  const auto [lines, marks] = Tell(story, 0);
  EXPECT_GT(marks, 3);
  for (int i = 1; i <= marks; ++i) {
    EXPECT_EQ(Tell(story, i).first, lines) << "handed over at mark " << i;
  }
}

// Lets the guest take all that is kept.
void Finish(Trace& trace, Talk& talk, uint32_t bytes) {
  for (int i = 0; i < 8; ++i) {
    trace.Pass(300);
    trace.GuestAcks(talk);
  }
  EXPECT_EQ(talk.received(Side::kGuest), bytes);
  EXPECT_EQ(talk.acknowledged(Side::kPeer), bytes);
  EXPECT_EQ(trace.info().kept, 0u);
  EXPECT_EQ(trace.info().state, SD_RUNNING);
}

TEST(HandOverTest, ReplyWhileSuspended) {
  ExpectHandOverAnywhere([](Trace& trace, const auto& mark) {
    Talk talk;
    trace.Agent(true);
    trace.Connect(&talk);
    mark();
    trace.Request(talk, 10);
    sd_wait wait = Trace::WaitOn(talk);
    wait.bytes = 20;
    wait.timeout_ms = 10000;
    trace.Wait(wait);
    mark();
    trace.Pass(50);
    trace.Stopped();
    mark();
    trace.Suspended();
    mark();
    trace.PeerSends(talk, 15);
    mark();
    trace.PeerSends(talk, 15);
    mark();
    trace.Running();
    mark();
    trace.Ready();
    mark();
    trace.GuestAcks(talk);
    mark();
    Finish(trace, talk, 30);
    mark();
    trace.PeerSends(talk, 5);
    Finish(trace, talk, 35);
  });
}

TEST(HandOverTest, TimeoutWhileSuspended) {
  ExpectHandOverAnywhere([](Trace& trace, const auto& mark) {
    Talk talk;
    trace.Connect(&talk);
    sd_wait wait = Trace::WaitOn(talk);
    wait.timeout_ms = 300;
    trace.Wait(wait);
    mark();
    trace.Pass(30);
    mark();
    trace.Pass(20);
    trace.Stopped();
    trace.Suspended();
    mark();
    trace.Pass(249);
    mark();
    EXPECT_EQ(trace.info().stubs, 1u);
    trace.Pass(1);
    mark();
    trace.Running();
    Finish(trace, talk, 0);
  });
}

TEST(HandOverTest, TheHostsSuspendAndAnUnmatchedConnection) {
  ExpectHandOverAnywhere([](Trace& trace, const auto& mark) {
    Talk talk;
    Talk stranger(0, {Ip("10.0.2.15"), 22}, {Ip("192.0.2.9"), 50000});
    trace.Know(&stranger);
    trace.Connect(&talk);
    trace.Send(talk, Side::kGuest, talk.Data(Side::kGuest, 10));
    trace.Suspend();
    mark();
    trace.Pass(SD_QUIET_MS - 1);
    mark();
    EXPECT_EQ(trace.info().state, SD_RUNNING);
    trace.Pass(1);
    trace.Stopped();
    trace.Suspended();
    mark();
    trace.Send(stranger, Side::kPeer, stranger.Syn(Side::kPeer));
    mark();
    const Frame arp = ArpFor(Ip("10.0.2.15"));
    EXPECT_EQ(trace.Send(0, Side::kPeer, arp), SD_TAKEN);
    bool passed_on = false;
    trace.on_send = [&](unsigned, Side to, const sd_frame&) {
      passed_on = passed_on || to == Side::kGuest;
      return true;
    };
    trace.Running();
    EXPECT_TRUE(passed_on);
    trace.on_send = nullptr;
    mark();
    trace.Send(talk, Side::kPeer, talk.Ack(Side::kPeer));
    Finish(trace, talk, 0);
  });
}

TEST(HandOverTest, WhatEndedIsToldByWhoeverDispatches) {
  Trace trace;
  Talk talk;
  trace.Connect(&talk);
  trace.Wait(Trace::WaitOn(talk));
  trace.SuspendNow();
  trace.Take();
  trace.set_dispatches(false);
  trace.PeerSends(talk, 5);
  trace.HandOver();
  EXPECT_EQ(trace.Take(), Lines());
  trace.Dispatch();
  EXPECT_EQ(trace.TakeNotices(), Lines({"ended 1 replied 5", "restore reply"}));
}

TEST(HandOverTest, NumbersOfStubsAreNotUsedAgain) {
  Trace trace;
  Talk talk;
  trace.Connect(&talk);
  trace.Wait(Trace::WaitOn(talk));
  trace.Cancel(SD_OWNER_GUEST, 1);
  trace.Take();
  trace.HandOver();
  trace.Wait(Trace::WaitOn(talk));
  EXPECT_EQ(trace.Take(), Lines({"waiting 2"}));
}

TEST(HandOverTest, SuspendingLoadsAsSuspended) {
  Trace trace;
  Talk talk;
  trace.Connect(&talk);
  trace.Wait(Trace::WaitOn(talk));
  trace.Pass(50);
  EXPECT_EQ(trace.info().state, SD_SUSPENDING);
  trace.HandOver();
  EXPECT_EQ(trace.info().state, SD_SUSPENDED);
  trace.Take();
  EXPECT_EQ(trace.PeerSends(talk, 5), SD_TAKEN);
  EXPECT_EQ(trace.Take(), Lines({"ended 1 replied 5", "restore reply",
                                 "peer: ack 5 (40000)"}));
}

TEST(HandOverTest, WhatIsDueIsPendingAfterwards) {
  Trace trace;
  trace.set_dispatches(false);
  trace.Suspend();
  EXPECT_TRUE(sd_pending(trace.stub()));
  trace.HandOver();
  EXPECT_TRUE(sd_pending(trace.stub()));
  trace.Dispatch();
  EXPECT_EQ(trace.Take(), Lines({"suspend"}));
}

// -- corruption --

// A state with something of everything in it.
std::vector<uint8_t> RichState() {
  Trace trace;
  Talk talk;
  Talk other(40001);
  trace.Agent(true);
  trace.Connect(&talk);
  trace.Connect(&other);
  trace.Request(talk, 10);
  sd_wait wait = Trace::WaitOn(talk);
  wait.bytes = 1000;
  wait.timeout_ms = 10000;
  trace.Wait(wait);
  trace.SuspendNow();
  trace.set_dispatches(false);
  trace.PeerSends(talk, 20);
  trace.PeerSends(other, 20);
  Talk stranger(0, {Ip("10.0.2.15"), 22}, {Ip("192.0.2.9"), 50000});
  trace.Send(stranger, Side::kPeer, stranger.Syn(Side::kPeer));
  trace.Wait(Trace::WaitOn(other));
  trace.Cancel(SD_OWNER_HOST, 2);
  return trace.Save();
}

// With the checksum put right.
std::vector<uint8_t> Sealed(std::vector<uint8_t> state) {
  const size_t body = state.size() - 4;
  const uint32_t crc = Crc32({state.data(), body});
  for (size_t i = 0; i < 4; ++i) {
    state[body + i] = static_cast<uint8_t>(crc >> (8 * i));
  }
  return state;
}

sd_refusal Load(Trace& trace, const std::vector<uint8_t>& state) {
  return sd_load(trace.stub(), trace.now(), state.data(), state.size());
}

TEST(StateTest, AScriptIsRefusedWhereNoneIsAllowed) {
  Trace trace;
  Talk talk;
  trace.Connect(&talk);
  trace.Request(talk, 10);
  trace.WaitWithPlan(R"({"format": "raw", "handlers": [{"when": {"bytes": 1},
      "do": [{"action": "script", "source": ""}]}]})",
                     Trace::WaitOn(talk));
  const std::vector<uint8_t> state = trace.Save();
  EXPECT_EQ(Load(trace, state), SD_OK);
  sd_config config = Trace::DefaultConfig();
  config.scripts = false;
  Trace other(config);
  EXPECT_EQ(Load(other, state), SD_REFUSED_PLAN_SCRIPT);
  EXPECT_EQ(other.info().stubs, 0u);
}

TEST(StateTest, WhatIsLoadedIsSavedAsItWas) {
  const std::vector<uint8_t> state = RichState();
  Trace trace;
  ASSERT_EQ(Load(trace, state), SD_OK);
  EXPECT_EQ(trace.Save(), state);
  EXPECT_EQ(trace.info().state, SD_SUSPENDED);
  EXPECT_EQ(trace.info().stubs, 1u);
  EXPECT_EQ(trace.info().kept, 40u);
  EXPECT_TRUE(trace.info().agent);
}

TEST(StateTest, AWaitWithoutItsConnectionEnds) {
  std::vector<uint8_t> state = RichState();
  // The first address in it is that of the wait's connection; its port follows.
  const Address address = Ip("10.0.2.15");
  const auto at = std::ranges::search(state, address.bytes()).begin();
  at[4] ^= 0x08;
  Trace trace;
  ASSERT_EQ(Load(trace, Sealed(state)), SD_OK);
  trace.Dispatch();
  EXPECT_EQ(trace.TakeNotices(), Lines({"ended 2 replied 20", "ended 1 reset 0",
                                        "restore unmatched"}));
}

TEST(StateTest, ContentThatDoesNotFillItsPartIsRefused) {
  Trace trace;
  std::vector<uint8_t> state = trace.Save();
  // The last part: number, length, content; then the checksum.
  constexpr uint8_t kPolicy = (4 + 4) + (4 + 4) + (1 + 4) + 4 + (1 + 4 * 8);
  uint8_t& length = *(state.end() - 4 - kPolicy - 8);
  ASSERT_EQ(length, kPolicy);
  ++length;
  state.push_back(0);
  EXPECT_EQ(Load(trace, Sealed(state)), SD_REFUSED_BAD_STATE);
}

TEST(StateTest, AnEmptyOneIsSavedToo) {
  Trace trace;
  const std::vector<uint8_t> state = trace.Save();
  EXPECT_EQ(Load(trace, state), SD_OK);
  EXPECT_EQ(trace.Save(), state);
}

TEST(StateTest, IsWrittenOnlyIfItFits) {
  Trace trace;
  const std::vector<uint8_t> state = trace.Save();
  std::vector<uint8_t> small(state.size() - 1, 0xaa);
  EXPECT_EQ(sd_save(trace.stub(), trace.now(), small.data(), small.size()),
            state.size());
  EXPECT_EQ(std::ranges::count(small, 0xaa),
            static_cast<ptrdiff_t>(small.size()));
}

TEST(StateTest, AnyChangedByteIsRefusedAndChangesNothing) {
  const std::vector<uint8_t> state = RichState();
  Trace trace;
  Talk talk;
  trace.Connect(&talk);
  trace.Wait(Trace::WaitOn(talk));
  const std::vector<uint8_t> before = trace.Save();
  for (size_t i = 0; i < state.size(); ++i) {
    std::vector<uint8_t> changed = state;
    changed[i] ^= 0x40;
    // The version stands behind eight bytes of magic.
    const bool version = i >= 8 && i < 12;
    EXPECT_EQ(Load(trace, changed),
              version ? SD_REFUSED_BAD_VERSION : SD_REFUSED_BAD_STATE);
  }
  EXPECT_EQ(trace.Save(), before);
}

TEST(StateTest, AnyCutIsRefusedAndChangesNothing) {
  const std::vector<uint8_t> state = RichState();
  Trace trace;
  const std::vector<uint8_t> before = trace.Save();
  for (size_t length = 0; length < state.size(); ++length) {
    std::vector<uint8_t> cut(state.begin(),
                             state.begin() + static_cast<ptrdiff_t>(length));
    EXPECT_EQ(Load(trace, cut), SD_REFUSED_BAD_STATE);
    if (length >= 16) {
      EXPECT_EQ(Load(trace, Sealed(cut)), SD_REFUSED_BAD_STATE);
    }
  }
  EXPECT_EQ(trace.Save(), before);
}

TEST(StateTest, WhatIsAppendedIsRefused) {
  std::vector<uint8_t> state = RichState();
  Trace trace;
  state.push_back(0);
  EXPECT_EQ(Load(trace, state), SD_REFUSED_BAD_STATE);
  EXPECT_EQ(Load(trace, Sealed(state)), SD_REFUSED_BAD_STATE);
}

// Whoever writes the file can make the checksum right.
TEST(StateTest, AForgedStateIsRefusedOrCanBeLivedWith) {
  const std::vector<uint8_t> state = RichState();
  int refused = 0;
  int loaded = 0;
  for (size_t i = 12; i + 4 < state.size(); ++i) {
    for (const uint8_t flip : {0x01, 0x80, 0xff}) {
      std::vector<uint8_t> forged = state;
      forged[i] ^= flip;
      Trace trace;
      Talk talk;
      trace.Connect(&talk);
      const std::vector<uint8_t> before = trace.Save();
      if (Load(trace, Sealed(forged)) != SD_OK) {
        ++refused;
        EXPECT_EQ(trace.Save(), before);
        continue;
      }
      ++loaded;
      trace.on_send = [](unsigned, Side, const sd_frame&) { return false; };
      trace.Pass(20000);
      trace.PeerSends(talk, 100);
      trace.Running();
      trace.Ready();
      trace.GuestAcks(talk);
      trace.Pass(20000);
      EXPECT_FALSE(trace.Save().empty());
    }
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(loaded, 100);
}

}  // namespace
}  // namespace stubdomain
