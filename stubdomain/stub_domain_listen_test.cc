// Peers that connect to a stopped guest: two model TCPs and a stub domain
// between them, in a network that loses, repeats and reorders.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>

#include "tcp/model_tcp.h"
#include "trace/frames.h"
#include "wait/flow_names.h"

namespace stubdomain {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Link kLinkToPeer{kPeerMac, kGuestMac, {}};

struct WorldOptions {
  uint32_t seed = 1;
  bool ipv6 = false;
  sd_accept accept = SD_ACCEPT_ANSWER;
  uint64_t bytes = 1;
  // What another connection of the guest has shown of its TCP; 0: none has.
  uint16_t known_mss = 1460;
  std::optional<uint8_t> known_shift = 7;
  uint8_t guest_shift = 7;
  uint8_t peer_shift = 7;
  uint16_t guest_port = 0;  // where the guest listens; 0: where it is called
  uint64_t guest_sends = 5000;
  uint64_t peer_sends = 20000;
  uint32_t loss = 0;
  bool suspends = false;   // again and again
  bool hand_over = false;  // saves and loads at any moment
  bool listens = true;     // someone listens in the guest
};

class World {
 public:
  explicit World(const WorldOptions& options)
      : options_(options), random_(options.seed) {
    sd_config_init(&config_);
    config_.suspend_delay_ms = 0;
    config_.keepalive_ms = 0;
    const sd_callbacks callbacks = Callbacks();
    stub_ = sd_new(&config_, &callbacks, this);
    const uint8_t seed[SD_SEED_LENGTH] = {42};
    sd_seed(stub_, seed);

    const Endpoint called{Ip(options.ipv6 ? "fd00::15" : "10.0.2.15"), 80};
    const Endpoint peer_end{Ip(options.ipv6 ? "2001:db8::1" : "192.0.2.1"),
                            50000};
    Endpoint listening = called;
    if (options.guest_port != 0) listening.port = options.guest_port;
    ModelTcp::Options guest;
    guest.route = {kLinkToPeer, listening, peer_end};
    guest.isn = Seq(0xffffff00 - Below(3000));
    guest.shift = options.guest_shift;
    guest.send = options.guest_sends;
    guest.receive_buffer = 30000;
    guest.pattern = 1;
    guest.other_pattern = 2;
    ModelTcp::Options peer;
    peer.route = {kLinkToGuest, peer_end, called};
    peer.client = true;
    peer.isn = Seq(0xffffff00 - Below(3000));
    peer.shift = options.peer_shift;
    peer.send = options.peer_sends;
    peer.pattern = 2;
    peer.other_pattern = 1;
    id_ = {called, peer_end};
    guest_ = std::make_unique<ModelTcp>(
        guest, [this](Frame frame) { FromGuest(std::move(frame)); });
    peer_ = std::make_unique<ModelTcp>(
        peer, [this](Frame frame) { Travel(Side::kGuest, std::move(frame)); });

    FromGuest(UdpTo(kLinkToPeer, {called.address, 5}, {peer_end.address, 5}));
    if (options.known_mss != 0) {
      TcpFields syn{.seq = Seq(1), .flags = kSyn, .window = 100};
      syn.options.mss = options.known_mss;
      syn.options.window_shift = options.known_shift;
      FromGuest(TcpFrame({kLinkToPeer, {called.address, 6}, peer_end}, syn, 0)
                    .Finish());
    }
  }
  ~World() { sd_free(stub_); }

  void Listen(bool suspend = true) {
    sd_wait wait{};
    wait.flow.guest = ToC(id_).guest;
    wait.flow.guest.family = 0;
    wait.accept = options_.accept;
    wait.bytes = options_.bytes;
    wait.guest_port = options_.guest_port;
    wait.suspend = suspend;
    uint32_t number = 0;
    ASSERT_EQ(sd_wait_for(stub_, &wait, Now(), &number), SD_OK);
    Dispatch();
  }

  // Suspends the guest, and lets the peer connect.
  void Begin() {
    Listen();
    PassUntil([this] { return stopped_; });
    peer_->Start(now_);
    guest_->Start(GuestTime());
  }
  void Run() {
    Begin();
    PassUntil([this] { return guest_->done() && peer_->done(); });
    suspends_ = false;
    const Time rest = now_ + seconds(60);
    PassUntil([&] { return now_ >= rest; });
    EXPECT_FALSE(guest_->was_reset() || peer_->was_reset());
    EXPECT_EQ(info().kept, 0u);
    EXPECT_GT(ended_, 0);
  }
  void PassUntil(const std::function<bool()>& done) {
    const Time end = now_ + seconds(600);
    while (!done() && now_ < end) Step();
    ASSERT_TRUE(done()) << "guest received " << guest_->received()
                        << ", peer received " << peer_->received();
  }

  // What a stranger sends, each time another one. Returns the answer, if any.
  std::optional<Frame> Stranger(uint32_t number, const TcpFields& fields) {
    FlowId id = id_;
    id.peer.port = static_cast<uint16_t>(number);
    auto address = options_.ipv6 ? std::array<uint8_t, 16>{0xfd, 1}
                                 : std::array<uint8_t, 16>{172, 16};
    address[3] = static_cast<uint8_t>(number >> 16);
    id.peer.address =
        options_.ipv6 ? Address::Ipv6(address) : Address::Ipv4(address);
    answer_.reset();
    catches_ = true;
    Input(Side::kPeer,
          TcpFrame({kLinkToGuest, id.peer, id.guest}, fields, 0).Finish());
    Dispatch();
    catches_ = false;
    return answer_;
  }
  sd_info info() const {
    sd_info info;
    sd_get_info(stub_, &info);
    return info;
  }
  size_t state_size() const { return sd_save(stub_, Now(), nullptr, 0); }

  ModelTcp& guest() { return *guest_; }
  ModelTcp& peer() { return *peer_; }
  bool stopped() const { return stopped_; }
  int ended() const { return ended_; }
  int suspended() const { return suspended_; }
  int hand_overs() const { return hand_overs_; }
  uint64_t ended_bytes() const { return ended_bytes_; }

 private:
  static World* Self(void* opaque) { return static_cast<World*>(opaque); }
  sd_callbacks Callbacks() {
    return {
        .send =
            [](void* self, unsigned, sd_side to, const sd_frame* frame) {
              Frame copy{{frame->data, frame->data + frame->length},
                         frame->offload};
              if (to == SD_GUEST) {
                Self(self)->ToGuest(std::move(copy));
              } else {
                Self(self)->Travel(Side::kPeer, std::move(copy));
              }
              return true;
            },
        .suspend = [](void* self, bool) { Self(self)->Stop(); },
        .prepare = [](void*, bool) {},
        .evict = [](void*) {},
        .restore = [](void* self, sd_reason) { Self(self)->Restore(); },
        .waiting = [](void*, const sd_stub_info*) {},
        .ended =
            [](void* self, const sd_ended* ended) {
              ++Self(self)->ended_;
              Self(self)->ended_bytes_ = ended->bytes;
            },
        .unmatched = [](void*, const char*) {},
        .suspend_cancelled = [](void*, sd_reason) {},
    };
  }

  uint32_t Below(uint32_t limit) {
    return static_cast<uint32_t>(random_() % limit);
  }
  bool Chance(uint32_t percent) { return Below(100) < percent; }
  uint64_t Now() const { return ToNs(now_); }
  Time GuestTime() const { return now_ - stopped_for_; }
  void At(Time time, std::function<void()> event) {
    events_.emplace(std::pair(time, ++event_number_), std::move(event));
  }

  void Step() {
    Time next = now_ + seconds(1);
    if (!events_.empty()) next = std::min(next, events_.begin()->first.first);
    next = std::min(
        {next, TimeFromNs(sd_next_deadline(stub_)), peer_->Deadline()});
    if (!stopped_ && guest_->Deadline() != kNever) {
      next = std::min(next, guest_->Deadline() + stopped_for_);
    }
    now_ = std::max(now_, next);
    if (!events_.empty() && events_.begin()->first.first <= now_) {
      auto event = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      event();
    } else if (peer_->Deadline() <= now_) {
      peer_->OnTimer(now_);
    } else if (!stopped_ && guest_->Deadline() <= GuestTime()) {
      guest_->OnTimer(GuestTime());
    }
    Dispatch();
    if (options_.hand_over && Chance(2)) HandOver();
  }

  void Dispatch() {
    for (int i = 0; i < 1000; ++i) {
      if (!sd_pending(stub_) && sd_next_deadline(stub_) > Now()) return;
      sd_dispatch(stub_, Now());
    }
    FAIL() << "never done";
  }

  bool Input(Side from, const Frame& frame) {
    const sd_frame view{frame.bytes.data(), frame.bytes.size(), frame.offload};
    return sd_on_frame(stub_, 0, from == Side::kGuest ? SD_GUEST : SD_PEER,
                       &view, Now()) == SD_PASS;
  }
  void FromGuest(Frame frame) {
    if (Input(Side::kGuest, frame)) Travel(Side::kPeer, std::move(frame));
  }
  void ToGuest(Frame frame) {
    ASSERT_FALSE(stopped_);
    guest_queue_.push_back(std::move(frame));
    At(now_ + microseconds(50), [this] { DrainGuestQueue(); });
  }
  void DrainGuestQueue() {
    while (!stopped_ && !guest_queue_.empty()) {
      const Frame frame = std::move(guest_queue_.front());
      guest_queue_.pop_front();
      if (options_.listens) {
        Deliver(*guest_, frame, GuestTime());
      } else {
        Refuse(frame);
      }
    }
  }
  void Refuse(const Frame& frame) {
    const Packet packet = Parsed(frame);
    const FlowId id = FlowToGuest(packet);
    const TcpSegment& segment = *packet.tcp();
    FromGuest(TcpFrame({kLinkToPeer, id.guest, id.peer},
                       {.ack = segment.end(), .flags = kRst | kAck}, 0)
                  .Finish());
  }
  void Travel(Side to, Frame frame) {
    if (catches_) {
      answer_ = std::move(frame);
      return;
    }
    if (Parsed(frame).tcp() == nullptr) return;
    const int copies = Chance(options_.loss)       ? 0
                       : Chance(options_.loss / 2) ? 2
                                                   : 1;
    for (int i = 0; i < copies; ++i) {
      const auto delay = options_.loss == 0 ? microseconds(700)
                                            : microseconds(500 + Below(3000));
      At(now_ + delay, [this, to, frame] { Arrive(to, frame); });
    }
  }
  void Arrive(Side to, const Frame& frame) {
    if (to == Side::kPeer) {
      Deliver(*peer_, frame, now_);
    } else if (Input(Side::kPeer, frame)) {
      ToGuest(frame);
    }
  }
  void Deliver(ModelTcp& tcp, const Frame& frame, Time now) {
    const Packet packet = Parsed(frame);
    ASSERT_TRUE(ChecksumOk(packet));
    const TcpSegment& segment = *packet.tcp();
    // Of the connection that is only there to be seen.
    if (segment.source_port == 6 || segment.destination_port == 6) return;
    tcp.OnSegment(segment, now);
  }

  void Stop() {
    stopped_ = true;
    stopped_at_ = now_;
    ++suspended_;
    sd_on_stopped(stub_, Now());
    sd_on_suspended(stub_, Now());
    if (suspended_ > 1 && options_.suspends) {
      At(now_ + milliseconds(1 + Below(3000)),
         [this] { sd_restore(stub_, Now()); });
    }
  }
  void Restore() {
    At(now_ + milliseconds(1 + Below(20)), [this] {
      stopped_ = false;
      stopped_for_ += now_ - stopped_at_;
      sd_on_running(stub_, Now());
      DrainGuestQueue();
      if (!options_.suspends) return;
      At(now_ + milliseconds(1 + Below(300)), [this] {
        if (suspends_ && !stopped_) sd_suspend(stub_, SD_DEPTH_EVICT, Now());
      });
    });
  }
  void HandOver() {
    std::vector<uint8_t> state(sd_save(stub_, Now(), nullptr, 0));
    sd_save(stub_, Now(), state.data(), state.size());
    sd_free(stub_);
    const sd_callbacks callbacks = Callbacks();
    stub_ = sd_new(&config_, &callbacks, this);
    ASSERT_EQ(sd_load(stub_, Now(), state.data(), state.size()), SD_OK);
    ++hand_overs_;
    Dispatch();
  }

  const WorldOptions options_;
  std::mt19937 random_;
  sd_config config_;
  sd_stub* stub_;
  FlowId id_;
  std::unique_ptr<ModelTcp> guest_;
  std::unique_ptr<ModelTcp> peer_;
  Time now_{seconds(1000)};
  std::map<std::pair<Time, uint64_t>, std::function<void()>> events_;
  uint64_t event_number_ = 0;
  std::deque<Frame> guest_queue_;
  bool suspends_ = true;
  bool stopped_ = false;
  Time stopped_at_{};
  Duration stopped_for_{};
  int ended_ = 0;
  int suspended_ = 0;
  int hand_overs_ = 0;
  uint64_t ended_bytes_ = 0;
  bool catches_ = false;
  std::optional<Frame> answer_;
};

TEST(Listening, AHeldConnectionIsAcceptedByTheGuest) {
  World world({.accept = SD_ACCEPT_HOLD});
  world.Run();
  EXPECT_EQ(world.ended_bytes(), 0u);
}

TEST(Listening, AnAnsweredConnectionIsHandedToTheGuest) {
  World world({});
  world.Run();
  EXPECT_GT(world.ended_bytes(), 0u);
}

TEST(Listening, TheGuestSleepsUntilTheRequestIsThere) {
  World world({.bytes = 15000});
  world.Run();
  EXPECT_GE(world.ended_bytes(), 15000u);
}

TEST(Listening, APeerThatWaitsForTheGuestToSpeakWakesItAtTheHandshake) {
  World world({.bytes = 0, .peer_sends = 0});
  world.Run();
  EXPECT_EQ(world.ended_bytes(), 0u);
}

TEST(Listening, AConnectionMayGoToAnotherPort) {
  World world({.guest_port = 8080});
  world.Run();
}

TEST(Listening, WhereNobodyListensThePeerIsReset) {
  World world({.listens = false});
  world.Begin();
  world.PassUntil([&] { return world.peer().was_reset(); });
  EXPECT_EQ(world.ended(), 1);
}

TEST(Listening, WindowsAreRightWhateverTheGuestScalesThemBy) {
  for (const uint8_t guest_shift : {0, 2, 7, 14}) {
    for (const uint8_t peer_shift : {0, 3, 14}) {
      for (const std::optional<uint8_t> known :
           {std::optional<uint8_t>(), std::optional<uint8_t>(0),
            std::optional<uint8_t>(7), std::optional<uint8_t>(14)}) {
        World world({.known_shift = known,
                     .guest_shift = guest_shift,
                     .peer_shift = peer_shift,
                     .guest_sends = 200000,
                     .peer_sends = 200000});
        world.Run();
        ASSERT_FALSE(testing::Test::HasFailure())
            << int{guest_shift} << ' ' << int{peer_shift} << ' '
            << (known ? int{*known} : -1);
      }
    }
  }
}

TEST(Listening, WithoutKnowingTheGuestsTcpTheLeastIsOffered) {
  for (const bool ipv6 : {false, true}) {
    World world({.ipv6 = ipv6, .known_mss = 0});
    world.Run();
  }
}

TEST(Listening, AFloodOfSynsTakesNoMemory) {
  for (const bool ipv6 : {false, true}) {
    World world({.ipv6 = ipv6});
    world.Listen();
    world.PassUntil([&] { return world.stopped(); });
    const uint32_t flows = world.info().flows;
    std::optional<size_t> size;
    for (uint32_t i = 1; i < 20000; ++i) {
      const auto answer = world.Stranger(i, {.seq = Seq(i), .flags = kSyn});
      ASSERT_TRUE(answer);
      ASSERT_TRUE(Parsed(*answer).tcp()->has(kSyn));
      if (!size) size = world.state_size();
    }
    EXPECT_EQ(world.info().flows, flows);
    EXPECT_EQ(world.state_size(), size);
    EXPECT_TRUE(world.stopped());
    EXPECT_EQ(world.ended(), 0);
  }
}

TEST(Listening, BeyondTheBoundTheGuestIsWokenAndNoMoreAreAccepted) {
  World world({.bytes = 1});
  world.Listen();
  world.PassUntil([&] { return world.stopped(); });
  sd_config config;
  sd_config_init(&config);
  for (uint32_t i = 1; i <= config.max_accepted + 1; ++i) {
    EXPECT_EQ(world.ended(), 0);
    const auto answer = world.Stranger(i, {.seq = Seq(i), .flags = kSyn});
    ASSERT_TRUE(answer);
    EXPECT_FALSE(world.Stranger(i, {.seq = Seq(i + 1),
                                    .ack = Parsed(*answer).tcp()->seq + 1,
                                    .flags = kAck}));
  }
  EXPECT_EQ(world.info().flows, config.max_accepted + 1);  // one was known
  EXPECT_EQ(world.ended(), 1);
}

TEST(Listening, AnAcknowledgementThatIsMadeUpOpensNothing) {
  World world({});
  world.Listen();
  world.PassUntil([&] { return world.stopped(); });
  const auto answer = world.Stranger(1, {.seq = Seq(1), .flags = kSyn});
  ASSERT_TRUE(answer);
  const uint32_t flows = world.info().flows;
  const Seq right = Parsed(*answer).tcp()->seq + 1;
  for (uint32_t i = 1; i < 1000; ++i) {
    EXPECT_FALSE(
        world.Stranger(1, {.seq = Seq(2), .ack = right + i, .flags = kAck}));
  }
  EXPECT_EQ(world.info().flows, flows);
  EXPECT_FALSE(world.Stranger(1, {.seq = Seq(2), .ack = right, .flags = kAck}));
  EXPECT_EQ(world.info().flows, flows + 1);
}

TEST(Listening, APeerThatResetsBeforeItSaysAnythingIsForgotten) {
  World world({});
  world.Listen();
  world.PassUntil([&] { return world.stopped(); });
  const auto answer = world.Stranger(1, {.seq = Seq(1), .flags = kSyn});
  const Seq ack = Parsed(*answer).tcp()->seq + 1;
  world.Stranger(1, {.seq = Seq(2), .ack = ack, .flags = kAck});
  world.Stranger(1, {.seq = Seq(2), .ack = ack, .flags = kRst | kAck});
  EXPECT_EQ(world.ended(), 0);
  EXPECT_TRUE(world.stopped());
  // It takes no place of another one either.
  world.Stranger(1, {.seq = Seq(2), .ack = ack, .flags = kAck});
  EXPECT_EQ(world.ended(), 0);
}

TEST(Listening, AHeldSynIsHeldOnce) {
  World world({.accept = SD_ACCEPT_HOLD});
  world.Listen();
  world.PassUntil([&] { return world.stopped(); });
  world.Stranger(1, {.seq = Seq(1), .flags = kSyn});
  EXPECT_EQ(world.ended(), 1);
  const size_t size = world.state_size();
  for (int i = 0; i < 10; ++i) {
    world.Stranger(1, {.seq = Seq(1), .flags = kSyn});
  }
  EXPECT_EQ(world.state_size(), size);
}

TEST(Listening, WaitsThatMakeNoSenseAreRefused) {
  sd_config config;
  sd_config_init(&config);
  const sd_callbacks callbacks{};
  sd_stub* stub = sd_new(&config, &callbacks, nullptr);
  uint32_t number = 0;
  sd_wait wait{};
  wait.accept = SD_ACCEPT_ANSWER;
  EXPECT_EQ(sd_wait_for(stub, &wait, 0, &number), SD_REFUSED_BAD_WAIT);
  wait.flow.guest.port = 80;
  EXPECT_EQ(sd_wait_for(stub, &wait, 0, &number), SD_REFUSED_NO_SEED);
  wait.accept = SD_ACCEPT_HOLD;
  wait.protocol = SD_UDP;
  EXPECT_EQ(sd_wait_for(stub, &wait, 0, &number), SD_REFUSED_BAD_WAIT);
  wait.accept = SD_ACCEPT_NONE;
  EXPECT_EQ(sd_wait_for(stub, &wait, 0, &number), SD_OK);
  wait.nic = SD_MAX_NICS + 1;
  EXPECT_EQ(sd_wait_for(stub, &wait, 0, &number), SD_REFUSED_BAD_WAIT);
  sd_free(stub);
}

void RunAll(WorldOptions options, uint32_t runs, int* hand_overs) {
  for (uint32_t seed = 1; seed <= runs; ++seed) {
    options.seed = seed;
    options.ipv6 = seed % 2 == 0;
    options.accept = seed % 4 == 0 ? SD_ACCEPT_HOLD : SD_ACCEPT_ANSWER;
    options.guest_port =
        options.accept == SD_ACCEPT_ANSWER && seed % 3 == 0 ? 8080 : 0;
    options.bytes = seed % 5 * 100;
    options.known_mss = seed % 7 == 0 ? 0 : 536;
    World world(options);
    world.Run();
    *hand_overs += world.hand_overs();
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
}

TEST(Listening, StreamsAreEqualOverABadNetwork) {
  int hand_overs = 0;
  RunAll({.loss = 10, .suspends = true}, 1000, &hand_overs);
}

TEST(Listening, StreamsAreEqualWithHandOversAtAnyMoment) {
  int hand_overs = 0;
  RunAll({.loss = 5, .suspends = true, .hand_over = true}, 500, &hand_overs);
  EXPECT_GT(hand_overs, 1000);
}

}  // namespace
}  // namespace stubdomain
