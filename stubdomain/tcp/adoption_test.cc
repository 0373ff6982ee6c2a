// The adoption test: a suspend and a restore at every single frame.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tcp/flow_table.h"
#include "tcp/model_tcp.h"

namespace stubdomain {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr unsigned kPort = 1;
constexpr Link kLink{{{2, 0, 0, 0, 0, 2}}, {{2, 0, 0, 0, 0, 1}}, std::nullopt};
constexpr Duration kWay = milliseconds(1);        // between stub and peer
constexpr Duration kHop = microseconds(20);       // between stub and guest
constexpr Duration kAsleep = milliseconds(2500);  // long enough for timeouts

struct Scenario {
  const char* name;
  ModelTcp::Options guest = {};
  ModelTcp::Options peer = {};
  uint32_t lose = 0;  // every so many frames of the network; 0: none
};

ModelTcp::Options Client(ModelTcp::Options options = {}) {
  options.client = true;
  return options;
}

std::vector<Scenario> Scenarios() {
  const Duration tick = milliseconds(1);
  const uint64_t bulk = 40000;
  return {
      {"handshake and nothing", Client(), {}},
      {"handshake of the peer and nothing", {}, Client()},
      {"both begin at once", Client({.send = 300}),
       Client({.send = 500, .close_after = 300})},
      {"request and reply",
       Client({.send = 300, .close_after = 2000}),
       {.send = 2000, .begin_after = 300}},
      {"request of the peer and reply",
       {.send = 2000, .begin_after = 300},
       Client({.send = 300, .close_after = 2000})},
      {"timestamps and scaled windows",
       Client({.shift = 7, .timestamps = true, .send = 300}),
       {.shift = 3, .timestamps = true, .send = 9000, .begin_after = 300}},
      {"bulk to the guest", Client(), {.send = bulk}},
      {"bulk to the peer", Client({.send = bulk}), {}},
      {"bulk both ways", Client({.send = bulk}), {.send = bulk}},
      {"bulk in GSO frames",
       Client({.send = bulk, .burst = 8}),
       {.send = bulk, .burst = 8}},
      {"small segments one way, large ones the other",
       Client({.mss = 200, .send = 9000}),
       {.mss = 1460, .send = 9000}},
      {"many small writes of the guest",
       Client({.send = 300, .write = 10, .write_every = 3 * tick}),
       {}},
      {"many small writes of the peer",
       Client(),
       {.send = 300, .write = 10, .write_every = 3 * tick}},
      {"an echo of many small writes",
       Client({.send = 200, .write = 10, .write_every = 5 * tick}),
       {.send = 200, .begin_after = 10, .write = 10, .write_every = 5 * tick}},
      {"the guest closes first",
       Client({.send = 300}),
       {.send = 5000, .close_after = 300}},
      {"the peer closes first",
       Client({.send = 5000, .close_after = 300}),
       {.send = 300}},
      {"the guest closes long before the peer",
       Client({.send = 300}),
       {.send = 3000, .begin = Time(seconds(101))}},
      {"the peer closes long before the guest",
       Client({.send = 3000, .begin = Time(seconds(101))}),
       {.send = 300}},
      {"both close at once",
       Client({.send = 300, .close_after = 300}),
       {.send = 300, .close_after = 300}},
      {"the guest resets",
       Client({.send = 300, .close_after = 500, .ends_by_reset = true}),
       {.send = 500, .begin_after = 300, .close_after = 1000}},
      {"the peer resets",
       Client({.send = 300, .close_after = 1000}),
       {.send = 500,
        .begin_after = 300,
        .close_after = 300,
        .ends_by_reset = true}},
      {"the guest does not read for long",
       Client({.receive_buffer = 3000, .read_from = Time(seconds(102))}),
       {.send = 9000}},
      {"the peer does not read for long",
       Client({.send = 9000}),
       {.receive_buffer = 3000, .read_from = Time(seconds(102))}},
      {"the guest reads slowly",
       Client({.receive_buffer = 3000, .read_rate = 100}),
       {.send = 9000}},
      {"the peer keeps an idle connection alive",
       Client({.send = 300, .close_after = 300}),
       {.send = 300,
        .begin = Time(seconds(103)),
        .keepalive = milliseconds(400)}},
      {"the guest keeps an idle connection alive",
       Client({.send = 300,
               .begin = Time(seconds(103)),
               .keepalive = milliseconds(400)}),
       {.send = 300, .close_after = 300}},
      {"a network that loses frames",
       Client({.send = 9000}),
       {.send = 9000},
       7},
      {"a network that loses frames, with a request and a reply",
       Client({.send = 300, .close_after = 9000}),
       {.send = 9000, .begin_after = 300},
       5},
  };
}

// When the suspend comes, and how it goes.
struct Variant {
  int frame = -1;  // the frame that comes just after the stop; -1: never
  bool ready_later = false;
  bool recorded = true;
  int again = 0;  // a second suspend, so many frames later; 0: none
};

// What of a run must not depend on suspends.
struct Outcome {
  struct End {
    uint64_t received = 0;
    bool done = false;
    bool was_reset = false;
    bool has_reset = false;
    friend bool operator==(const End&, const End&) = default;
  };
  End guest;
  End peer;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

class Play : public Output {
 public:
  Play(const Scenario& scenario, const Variant& variant)
      : scenario_(scenario), variant_(variant), table_({}, &budget_) {
    ModelTcp::Options guest = scenario.guest;
    guest.route = {kLink, id_.guest, id_.peer};
    guest.isn = Seq(0xfffffe00);
    guest.pattern = 1;
    guest.other_pattern = 2;
    ModelTcp::Options peer = scenario.peer;
    peer.route = {kLink, id_.peer, id_.guest};
    std::swap(peer.route.link.source, peer.route.link.destination);
    peer.isn = Seq(0xffffff00);
    peer.pattern = 2;
    peer.other_pattern = 1;
    guest_ = std::make_unique<ModelTcp>(guest, [this](Frame frame) {
      if (Input(Side::kGuest, frame)) Travel(Side::kPeer, std::move(frame));
    });
    peer_ = std::make_unique<ModelTcp>(
        peer, [this](Frame frame) { Travel(Side::kGuest, std::move(frame)); });
  }

  Outcome Run() {
    table_.Record(variant_.recorded);
    At(now_, [this] {
      peer_->Start(now_);
      guest_->Start(GuestTime());
    });
    const Time end = now_ + seconds(200);
    while (now_ < end && !(Over(*guest_) && Over(*peer_))) Step(end);
    const Time rest = now_ + seconds(30);
    while (now_ < rest) Step(rest);
    table_.ForEach([](TcpFlow& flow) {
      EXPECT_EQ(flow.phase(), Phase::kFollowing);
      EXPECT_EQ(flow.kept(), 0u);
    });
    EXPECT_EQ(budget_.reserved(), 0u);
    return {EndOf(*guest_), EndOf(*peer_)};
  }
  int frames() const { return frames_; }
  int suspends() const { return suspends_; }

  void Emit(unsigned, Side to, Frame frame) override {
    if (to == Side::kGuest) {
      ASSERT_FALSE(stopped_);
      ToGuest(std::move(frame));
    } else {
      Travel(Side::kPeer, std::move(frame));
    }
  }
  FrameOptions OptionsFor(unsigned, Side) const override { return {}; }
  bool HasRoom(unsigned, Side) const override { return true; }

 private:
  static bool Over(const ModelTcp& tcp) {
    return tcp.done() || tcp.was_reset() || tcp.has_reset();
  }
  static Outcome::End EndOf(const ModelTcp& tcp) {
    return {tcp.received(), tcp.done(), tcp.was_reset(), tcp.has_reset()};
  }
  Time GuestTime() const { return now_ - stopped_for_; }

  void At(Time time, std::function<void()> event) {
    events_.emplace(std::pair(time, ++event_number_), std::move(event));
  }

  void Step(Time end) {
    Time next = events_.empty() ? end : events_.begin()->first.first;
    next = std::min({next, end, table_.Deadline(), peer_->Deadline()});
    if (!stopped_ && guest_->Deadline() != kNever) {
      next = std::min(next, guest_->Deadline() + stopped_for_);
    }
    now_ = std::max(now_, next);
    if (!events_.empty() && events_.begin()->first.first <= now_) {
      const auto event = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      event();
    } else if (table_.Deadline() <= now_) {
      table_.OnTimer(now_, *this);
    } else if (peer_->Deadline() <= now_) {
      peer_->OnTimer(now_);
    } else if (!stopped_ && guest_->Deadline() <= GuestTime()) {
      guest_->OnTimer(GuestTime());
    }
    table_.Flush(now_, *this);
  }

  void Travel(Side to, Frame frame) {
    if (scenario_.lose != 0 && ++travelled_ % scenario_.lose == 0) return;
    At(now_ + kWay, [this, to, frame] {
      if (to == Side::kPeer) {
        Deliver(*peer_, frame, now_);
      } else if (Input(Side::kPeer, frame)) {
        ToGuest(frame);
      }
    });
  }

  // Frames wait while the guest is stopped, as they do in QEMU.
  void ToGuest(Frame frame) {
    guest_queue_.push_back(std::move(frame));
    At(now_ + kHop, [this] { DrainGuestQueue(); });
  }
  void DrainGuestQueue() {
    while (!stopped_ && !guest_queue_.empty()) {
      const Frame frame = std::move(guest_queue_.front());
      guest_queue_.erase(guest_queue_.begin());
      Deliver(*guest_, frame, GuestTime());
    }
  }

  static void Deliver(ModelTcp& tcp, const Frame& frame, Time now) {
    Packet packet;
    ASSERT_EQ(Parse(frame.bytes, frame.offload, &packet), Malformed::kNo);
    ASSERT_TRUE(ChecksumOk(packet));
    tcp.OnSegment(*packet.tcp(), now);
  }

  // True: it passes.
  bool Input(Side from, const Frame& frame) {
    const int since = frames_++ - variant_.frame;
    const bool due =
        since == 0 || (variant_.again != 0 && since == variant_.again);
    if (due && variant_.frame >= 0 && !stopped_) Suspend();
    Packet packet;
    EXPECT_EQ(Parse(frame.bytes, frame.offload, &packet), Malformed::kNo);
    return table_.OnFrame(kPort, from, packet, now_, *this).verdict ==
           Verdict::kPass;
  }

  void Suspend() {
    ++suspends_;
    stopped_ = true;
    table_.Adopt(now_);
    At(now_ + kAsleep, [this] {
      stopped_ = false;
      stopped_for_ += kAsleep;
      table_.Release(now_, *this);
      DrainGuestQueue();
      At(now_ + (variant_.ready_later ? milliseconds(150) : Duration(0)),
         [this] {
           if (!stopped_) table_.Replay(now_, *this);
         });
    });
  }

  const FlowId id_{{Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, 15}), 40000},
                   {Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, 2}), 80}};
  const Scenario& scenario_;
  const Variant variant_;
  BufferBudget budget_{1 << 20};
  FlowTable table_;
  std::unique_ptr<ModelTcp> guest_;
  std::unique_ptr<ModelTcp> peer_;

  Time now_{seconds(100)};
  std::map<std::pair<Time, uint64_t>, std::function<void()>> events_;
  uint64_t event_number_ = 0;
  std::vector<Frame> guest_queue_;
  uint32_t travelled_ = 0;
  int frames_ = 0;
  int suspends_ = 0;
  bool stopped_ = false;
  Duration stopped_for_{};
};

std::ostream& operator<<(std::ostream& out, const Outcome::End& end) {
  return out << end.received << " bytes" << (end.done ? ", closed" : "")
             << (end.was_reset ? ", was reset" : "")
             << (end.has_reset ? ", has reset" : "");
}
std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  return out << "guest: " << outcome.guest << "; peer: " << outcome.peer;
}

TEST(AdoptionTest, NeitherSideCanTellAtWhichFrameTheGuestWasSuspended) {
  int suspends = 0;
  for (const Scenario& scenario : Scenarios()) {
    Play undisturbed(scenario, {});
    const Outcome expected = undisturbed.Run();
    ASSERT_TRUE(expected.guest.done || expected.guest.was_reset ||
                expected.guest.has_reset)
        << scenario.name << ": " << expected;
    ASSERT_GT(undisturbed.frames(), 3) << scenario.name;
    for (int frame = 0; frame < undisturbed.frames(); ++frame) {
      for (const bool ready_later : {false, true}) {
        for (const bool recorded : {true, false}) {
          for (const int again : {0, 3}) {
            Play play(scenario, {frame, ready_later, recorded, again});
            EXPECT_EQ(play.Run(), expected);
            suspends += play.suspends();
            ASSERT_FALSE(HasFailure())
                << scenario.name << ", suspended at frame " << frame
                << (ready_later ? ", ready later" : "")
                << (recorded ? ", recorded" : "")
                << (again != 0 ? ", and again" : "");
          }
        }
      }
    }
  }
  EXPECT_GT(suspends, 8000);
}

}  // namespace
}  // namespace stubdomain
