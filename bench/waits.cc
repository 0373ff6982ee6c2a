// What a wait message costs the core, and what each frame costs while waits are
// open, with few and with many of them.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <benchmark/benchmark.h>

#include <array>
#include <cstdint>
#include <stdexcept>

#include "stubdomain/stubdomain.h"

namespace {

constexpr uint64_t kFrameNs = 1000;
// Less than the notices that may be pending.
constexpr uint32_t kLaidAtOnce = 500;

// A stub domain of which two threads are registered, and one waits: each wait
// proposes a suspend, and each time it is decided that the guest runs on.
class Vm {
 public:
  explicit Vm(uint32_t waits) {
    sd_config config;
    sd_config_init(&config);
    config.max_stubs = waits + 2;
    const sd_callbacks callbacks = {
        .send = [](void*, unsigned, sd_side, const sd_frame*) { return true; },
        .suspend = [](void*, bool) { throw std::logic_error("suspended"); },
        .prepare = [](void*, bool) {},
        .evict = [](void*) {},
        .restore = [](void*, sd_reason) {},
        .waiting = [](void*, const sd_stub_info*) {},
        .ended = [](void*, const sd_ended*) {},
        .alert = [](void*, const sd_alert*) {},
        .unmatched = [](void*, const char*) {},
        .suspend_cancelled = [](void*, sd_reason) {},
    };
    stub_ = sd_new(&config, &callbacks, nullptr);
    uint32_t unused;
    sd_register_thread(stub_, "", now_, &thread_);
    sd_register_thread(stub_, "", now_, &unused);
    for (uint32_t i = 0; i < waits; ++i) {
      Lay();
      if (i % kLaidAtOnce == 0) Settle();
    }
    Settle();
  }
  ~Vm() { sd_free(stub_); }
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  // Its number.
  uint32_t Wait() {
    const uint32_t number = Lay();
    Settle();
    return number;
  }

  void Cancel(uint32_t number) {
    sd_cancel(stub_, SD_OWNER_GUEST, number, now_);
    Settle();
  }

  // A frame that is nobody's, and what the glue asks behind each.
  void Frame() {
    static constexpr std::array<uint8_t, 60> kFrame = {
        0x52, 0x54, 0, 0, 0, 1, 0x52, 0x55, 0, 0, 0, 2, 0x88, 0xcc};
    const sd_frame frame{kFrame.data(), kFrame.size(), {}};
    now_ += kFrameNs;
    benchmark::DoNotOptimize(sd_on_frame(stub_, 0, SD_GUEST, &frame, now_));
    benchmark::DoNotOptimize(sd_pending(stub_));
    benchmark::DoNotOptimize(sd_next_deadline(stub_));
  }

 private:
  uint32_t Lay() {
    sd_wait wait{};
    wait.protocol = SD_TCP;
    wait.accept = SD_ACCEPT_HOLD;
    wait.flow.guest.port = static_cast<uint16_t>(1 + next_port_++ % 60000);
    wait.bytes = 1;
    wait.suspend = true;
    wait.thread = thread_;
    uint32_t number = 0;
    if (sd_wait_for(stub_, &wait, now_, &number) != SD_OK) {
      throw std::logic_error("a wait was refused");
    }
    return number;
  }

  // As the glue does after any event.
  void Settle() {
    while (sd_pending(stub_)) sd_dispatch(stub_, now_);
    benchmark::DoNotOptimize(sd_next_deadline(stub_));
  }

  sd_stub* stub_ = nullptr;
  uint64_t now_ = 1'000'000'000;
  uint32_t thread_ = 0;
  uint32_t next_port_ = 0;
};

void Decide(benchmark::State& state) {
  Vm vm(static_cast<uint32_t>(state.range(0)));
  for (auto _ : state) {
    const uint32_t number = vm.Wait();
    state.PauseTiming();
    vm.Cancel(number);
    state.ResumeTiming();
  }
}
BENCHMARK(Decide)->Arg(1)->Arg(10'000)->Unit(benchmark::kMicrosecond);

void FrameWhileWaiting(benchmark::State& state) {
  Vm vm(static_cast<uint32_t>(state.range(0)));
  for (auto _ : state) vm.Frame();
}
BENCHMARK(FrameWhileWaiting)->Arg(1)->Arg(10'000);

}  // namespace

BENCHMARK_MAIN();
