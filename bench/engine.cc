// What the engine costs per frame, at few and at many connections.
//
// Each figure is to be compared with Touch, a memcpy and a checksum of the same
// frame, after Loop is taken off, which is what the measuring itself costs.
// Frames of many connections come in random order, as they do on a host; the
// buffer they come in is one and the same, so that it is the engine's memory
// that is measured. bench/run does the sums.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <benchmark/benchmark.h>
#include <malloc.h>
#include <time.h>

#include <array>
#include <climits>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "stubdomain/stubdomain.h"
#include "wire/checksum.h"
#include "wire/tcp_frame.h"

namespace stubdomain {
namespace {

constexpr uint16_t kPayload = 1448;
constexpr Link kToGuest{
    {{0x52, 0x54, 0, 0, 0, 1}}, {{0x52, 0x55, 0, 0, 0, 2}}, {}};
constexpr Link kToPeer{kToGuest.source, kToGuest.destination, {}};
constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kFrameNs = 500;  // between two frames

FlowId IdOf(uint32_t flow) {
  const auto low = static_cast<uint8_t>(flow >> 16);
  const auto port = static_cast<uint16_t>(flow);
  return {{Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, 15}), port},
          {Address::Ipv4(std::array<uint8_t, 4>{192, 0, 2, low}), 443}};
}

Frame Build(uint32_t flow, Side from, TcpFields fields, size_t length) {
  const FlowId id = IdOf(flow);
  fields.window = 60000;
  fields.options.timestamps = Timestamps{1, 1};
  TcpFrame frame(from == Side::kGuest ? Route{kToPeer, id.guest, id.peer}
                                      : Route{kToGuest, id.peer, id.guest},
                 fields, length);
  return std::move(frame).Finish();
}

Frame Data(uint32_t flow, uint64_t sent) {
  return Build(flow, Side::kPeer,
               {.seq = Seq(1) + static_cast<uint32_t>(sent),
                .ack = Seq(1),
                .flags = kAck},
               kPayload);
}

Frame Ack(uint32_t flow, uint64_t received) {
  return Build(flow, Side::kGuest,
               {.seq = Seq(1),
                .ack = Seq(1) + static_cast<uint32_t>(received),
                .flags = kAck},
               0);
}

// A stub domain with connections, and a glue that drops what is sent.
class Engine {
 public:
  // A data frame to the guest: whose, and where it ends in its stream.
  struct Sent {
    uint32_t flow;
    uint64_t end;
  };

  explicit Engine(uint32_t flows) : flows_(flows) {
    sd_config config;
    sd_config_init(&config);
    config.max_flows = flows;
    config.flow_buffer = uint64_t{1} << 30;
    config.total_buffer = uint64_t{1} << 50;
    config.unmatched = SD_UNMATCHED_IGNORE;
    const sd_callbacks callbacks = {
        .send =
            [](void* self, unsigned, sd_side to, const sd_frame* frame) {
              static_cast<Engine*>(self)->OnSend(to, *frame);
              return true;
            },
        .suspend = [](void*, bool) {},
        .prepare = [](void*, bool) {},
        .evict = [](void*) {},
        .restore = [](void*, sd_reason) {},
        .waiting = [](void*, const sd_stub_info*) {},
        .ended = [](void*, const sd_ended*) {},
        .alert = [](void*, const sd_alert*) {},
        .unmatched = [](void*, const char*) {},
        .suspend_cancelled = [](void*, sd_reason) {},
    };
    stub_.reset(sd_new(&config, &callbacks, this));
    for (uint32_t flow = 0; flow < flows; ++flow) Connect(flow);
  }

  uint32_t flows() const { return flows_; }
  uint64_t sent_to_peer() const { return sent_to_peer_; }
  size_t sent_to_guest() const { return sent_to_guest_.size(); }
  void TakeSentToGuest(std::vector<Sent>* sent) {
    sent->clear();
    sent->swap(sent_to_guest_);
  }

  sd_verdict Frame(sd_side from, const stubdomain::Frame& frame) {
    now_ += kFrameNs;
    const sd_frame view{frame.bytes.data(), frame.bytes.size(), frame.offload};
    return sd_on_frame(stub_.get(), 0, from, &view, now_);
  }

  void Dispatch() {
    while (sd_pending(stub_.get())) sd_dispatch(stub_.get(), now_);
  }

  void Suspend() {
    sd_suspend(stub_.get(), SD_DEPTH_EVICT, now_);
    now_ += SD_QUIET_MS * kMs;
    Dispatch();
    sd_on_stopped(stub_.get(), now_);
    sd_on_suspended(stub_.get(), now_);
    Dispatch();
  }

  void Run() {
    sd_on_running(stub_.get(), now_);
    Dispatch();
  }

  void Expect(bool holds, const char* what) const {
    if (!holds) throw std::logic_error(what);
  }

  sd_info info() const {
    sd_info info;
    sd_get_info(stub_.get(), &info);
    return info;
  }

 private:
  struct Free {
    void operator()(sd_stub* stub) const { sd_free(stub); }
  };

  void Connect(uint32_t flow) {
    TcpOptions options;
    options.mss = kPayload + 12;
    options.window_shift = 7;
    options.sack_permitted = true;
    Frame(SD_GUEST,
          Build(flow, Side::kGuest, {.flags = kSyn, .options = options}, 0));
    Frame(SD_PEER,
          Build(flow, Side::kPeer,
                {.ack = Seq(1), .flags = kSyn | kAck, .options = options}, 0));
    Frame(SD_GUEST, Ack(flow, 0));
  }

  void OnSend(sd_side to, const sd_frame& frame) {
    if (to == SD_PEER) {
      ++sent_to_peer_;
      return;
    }
    Packet packet;
    Parse({frame.data, frame.length}, frame.offload, &packet);
    const TcpSegment& segment = *packet.tcp();
    if (segment.payload.empty()) return;
    const uint32_t flow =
        uint32_t{packet.ip->source.bytes()[3]} << 16 | segment.destination_port;
    sent_to_guest_.push_back(
        {flow, static_cast<uint32_t>(segment.end() - Seq(1))});
  }

  uint32_t flows_;
  std::unique_ptr<sd_stub, Free> stub_;
  uint64_t now_ = 1000 * kMs;
  uint64_t sent_to_peer_ = 0;
  std::vector<Sent> sent_to_guest_;
};

// Random connections, the same in each run; made before the clock runs.
class RandomOrder {
 public:
  explicit RandomOrder(uint32_t flows) : order_(1 << 16) {
    std::mt19937 random(1);
    for (uint32_t& flow : order_) flow = random() % flows;
  }
  uint32_t Next() { return order_[at_++ % order_.size()]; }

 private:
  std::vector<uint32_t> order_;
  size_t at_ = 0;
};

// Changes a frame to be of another connection, at another place of its stream.
// The checksum becomes wrong, so the offload vouches for it, as a NIC's would.
void Readdress(Frame* frame, Side from, uint32_t flow, uint64_t sent) {
  uint8_t* bytes = frame->bytes.data();
  const auto put = [bytes](size_t at, uint32_t value, int length) {
    for (int i = 0; i < length; ++i) {
      bytes[at + i] = static_cast<uint8_t>(value >> (8 * (length - 1 - i)));
    }
  };
  const bool to_guest = from == Side::kPeer;
  constexpr size_t kIp = 14, kTcp = kIp + 20;
  put(kIp + (to_guest ? 15 : 19), flow >> 16, 1);
  put(kTcp + (to_guest ? 2 : 0), flow & 0xffff, 2);
  put(kTcp + (to_guest ? 4 : 8), 1 + static_cast<uint32_t>(sent), 4);
  put(kIp + 10, 0, 2);
  const uint16_t sum =
      Checksum().Add(std::span(frame->bytes).subspan(kIp, 20)).complement();
  put(kIp + 10, sum, 2);
  frame->offload.data_valid = true;
}

// Of processor, as the machine may have others to serve.
double ProcessSeconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_nsec) / 1e9;
}

// So that no fresh memory of the kernel's is measured: the heap keeps what was
// used once.
void WarmHeap() {
  static const bool kWarm = [] {
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_MMAP_MAX, 0);
    std::vector<uint8_t> used(size_t{1} << 30, 1);
    benchmark::DoNotOptimize(used.data());
    return true;
  }();
  benchmark::DoNotOptimize(kWarm);
}

// -- one frame each --

void Touch(benchmark::State& state) {
  const Frame frame = Data(0, 0);
  std::vector<uint8_t> copy(frame.bytes.size());
  for (auto _ : state) {
    std::memcpy(copy.data(), frame.bytes.data(), copy.size());
    benchmark::DoNotOptimize(copy.data());
    benchmark::DoNotOptimize(Checksum().Add(copy).sum());
  }
}
BENCHMARK(Touch);

// What the loops below do beside calling the engine.
void Loop(benchmark::State& state) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  RandomOrder order(flows);
  std::vector<uint64_t> sent(flows);
  Frame data = Data(0, 0);
  for (auto _ : state) {
    const uint32_t flow = order.Next();
    Readdress(&data, Side::kPeer, flow, sent[flow]);
    sent[flow] += kPayload;
    benchmark::DoNotOptimize(data.bytes.data());
  }
}

// The guest runs: its peer's data and its acknowledgements by turns.
void PassThrough(benchmark::State& state) {
  Engine engine(static_cast<uint32_t>(state.range(0)));
  RandomOrder order(engine.flows());
  std::vector<uint64_t> sent(engine.flows());
  Frame data = Data(0, 0);
  Frame ack = Ack(0, 0);
  uint32_t flow = 0;
  bool is_data = false;
  for (auto _ : state) {
    is_data = !is_data;
    if (is_data) {
      flow = order.Next();
      Readdress(&data, Side::kPeer, flow, sent[flow]);
      sent[flow] += kPayload;
      engine.Frame(SD_PEER, data);
    } else {
      Readdress(&ack, Side::kGuest, flow, sent[flow]);
      engine.Frame(SD_GUEST, ack);
    }
  }
  engine.Expect(engine.info().kept == 0, "frames passed");
}

// The guest is suspended: each frame is kept and acknowledged.
constexpr int kHeldFrames = 200'000;

void Hold(benchmark::State& state) {
  WarmHeap();
  Engine engine(static_cast<uint32_t>(state.range(0)));
  RandomOrder order(engine.flows());
  std::vector<uint64_t> sent(engine.flows());
  engine.Suspend();
  Frame data = Data(0, 0);
  for (auto _ : state) {
    const uint32_t flow = order.Next();
    Readdress(&data, Side::kPeer, flow, sent[flow]);
    sent[flow] += kPayload;
    engine.Frame(SD_PEER, data);
    engine.Dispatch();
  }
  engine.Expect(engine.info().kept == uint64_t{kPayload} * kHeldFrames,
                "all was kept");
  engine.Expect(engine.sent_to_peer() == kHeldFrames, "all was acknowledged");
}

// -- all of it --

// Everything that was kept goes to the guest, which acknowledges every frame.
// One iteration is all of it; "frame" is the time for each.
void Replay(benchmark::State& state) {
  WarmHeap();
  const auto flows = static_cast<uint32_t>(state.range(0));
  for (auto _ : state) {
    Engine engine(flows);
    engine.Suspend();
    std::vector<uint64_t> sent(flows);
    RandomOrder order(flows);
    Frame data = Data(0, 0);
    for (int i = 0; i < kHeldFrames; ++i) {
      const uint32_t flow = order.Next();
      Readdress(&data, Side::kPeer, flow, sent[flow]);
      sent[flow] += kPayload;
      engine.Frame(SD_PEER, data);
    }
    engine.Dispatch();

    const double start = ProcessSeconds();
    std::vector<Engine::Sent> unacknowledged;
    std::vector<uint64_t> received(flows);
    size_t arrived = 0;
    Frame ack = Ack(0, 0);
    engine.Run();
    while (engine.info().kept > 0) {
      engine.Expect(engine.sent_to_guest() > 0, "the replay goes on");
      engine.TakeSentToGuest(&unacknowledged);
      arrived += unacknowledged.size();
      for (const Engine::Sent& frame : unacknowledged) {
        if (frame.end == received[frame.flow] + kPayload) {
          received[frame.flow] = frame.end;
        }
        Readdress(&ack, Side::kGuest, frame.flow, frame.end);
        engine.Frame(SD_GUEST, ack);
      }
      engine.Dispatch();
    }
    state.SetIterationTime((ProcessSeconds() - start) / kHeldFrames);
    engine.Expect(arrived == kHeldFrames, "all arrived, each once");
    engine.Expect(received == sent, "all arrived in order");
  }
}

// Memory that the process has more for each connection of a suspended guest on
// which nothing has happened since.
void IdleFlow(benchmark::State& state) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  for (auto _ : state) {
    const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    Engine engine(flows);
    engine.Suspend();
    const size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    state.counters["bytes"] = static_cast<double>(after - before) / flows;
  }
}

void Flows(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(1)->Arg(1000)->Arg(100'000);
}

BENCHMARK(Loop)->Apply(Flows);
BENCHMARK(PassThrough)->Apply(Flows);
BENCHMARK(Hold)->Apply(Flows)->Iterations(kHeldFrames);
BENCHMARK(Replay)->Apply(Flows)->Iterations(1)->UseManualTime();
BENCHMARK(IdleFlow)->Arg(100'000)->Iterations(1);

}  // namespace
}  // namespace stubdomain

BENCHMARK_MAIN();
