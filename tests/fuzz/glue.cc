// A glue that ends the process when the core breaks its contract.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "glue.h"

#include <array>
#include <utility>

#include "check.h"
#include "wire/packet.h"

namespace stubdomain {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;
// More than any single event has effects.
constexpr int kDispatches = 1000;

}  // namespace

Glue::Glue() : stub_(MakeStub()) {
  // Always the same, so that an input always does the same.
  const std::array<uint8_t, SD_SEED_LENGTH> seed = {1, 2, 3};
  sd_seed(stub_.get(), seed.data());
}

sd_callbacks Glue::Callbacks() {
  static constexpr auto kSelf = [](void* opaque) {
    Glue* self = static_cast<Glue*>(opaque);
    Check(self->dispatching_, "callbacks come from sd_dispatch() only");
    return self;
  };
  return {
      .send =
          [](void* opaque, unsigned, sd_side to, const sd_frame* frame) {
            return kSelf(opaque)->OnSend(to, *frame);
          },
      .suspend = [](void* opaque, bool) { kSelf(opaque)->OnSuspend(); },
      .prepare = [](void* opaque,
                    bool begins) { kSelf(opaque)->OnPrepare(begins); },
      .evict = [](void* opaque) { kSelf(opaque)->OnEvict(); },
      .restore = [](void* opaque, sd_reason) { kSelf(opaque)->OnRestore(); },
      .waiting =
          [](void* opaque, const sd_stub_info* info) {
            kSelf(opaque)->OnWaiting(info->stub);
          },
      .ended =
          [](void* opaque, const sd_ended* ended) {
            kSelf(opaque)->OnEnded(ended->stub);
          },
      .alert = [](void*, const sd_alert*) {},
      .unmatched =
          [](void* opaque, const char* text) {
            kSelf(opaque);
            Check(*text != 0, "an unmatched frame is described");
          },
      .suspend_cancelled = [](void* opaque, sd_reason) { kSelf(opaque); },
  };
}

sd_config Glue::Config() {
  sd_config config;
  sd_config_init(&config);
  config.max_flows = kMaxFlows;
  config.max_stubs = kMaxStubs;
  config.max_accepted = kMaxAccepted;
  config.flow_buffer = kFlowBuffer;
  config.total_buffer = kTotalBuffer;
  config.max_threads = kMaxThreads;
  config.keepalive_ms = 500;
  return config;
}

Glue::Stub Glue::MakeStub() {
  const sd_config config = Config();
  const sd_callbacks callbacks = Callbacks();
  return Stub(sd_new(&config, &callbacks, this));
}

bool Glue::OnSend(sd_side to, const sd_frame& frame) {
  Check(!(stopped_ && to == SD_GUEST), "no frame is sent to a stopped guest");
  Packet packet;
  Check(Parse({frame.data, frame.length}, frame.offload, &packet) ==
            Malformed::kNo,
        "what is sent is well formed");
  return !refuse_;
}

void Glue::OnSuspend() {
  Check(!asked_ && !stopped_, "a running VM is suspended");
  asked_ = true;
  preparing_ = false;
}

void Glue::OnPrepare(bool begins) {
  Check(!asked_ && !stopped_, "a running VM prepares");
  Check(begins != preparing_ || foreign_, "an agent is told once");
  preparing_ = begins;
}

void Glue::OnEvict() {
  Check(stopped_ && !restored_, "the memory of a VM that idles is given back");
}

void Glue::OnRestore() {
  Check(stopped_, "a stopped VM is restored");
  Check(!restored_, "a VM is restored once");
  restored_ = true;
}

void Glue::OnWaiting(uint32_t number) {
  Check(waits_.insert(number).second, "a wait has its own number");
}

void Glue::OnEnded(uint32_t number) {
  Check(waits_.erase(number) == 1 || foreign_, "a wait ends once");
}

void Glue::After() {
  int left = kDispatches;
  while (sd_pending(stub_.get()) || sd_next_deadline(stub_.get()) <= now_) {
    Check(left-- > 0, "dispatching comes to an end");
    dispatching_ = true;
    sd_dispatch(stub_.get(), now_);
    dispatching_ = false;
  }
  sd_info info;
  sd_get_info(stub_.get(), &info);
  Check(foreign_ || info.flows <= kMaxFlows, "flows are bounded");
  Check(foreign_ || info.stubs <= kMaxStubs, "waits are bounded");
  Check(foreign_ || info.kept <= kTotalBuffer, "what is kept is bounded");
}

void Glue::Pass(uint64_t milliseconds) {
  now_ += milliseconds * kMillisecond;
  After();
}

void Glue::Frame(unsigned port, sd_side from, std::span<const uint8_t> bytes,
                 const sd_offload& offload) {
  if (stopped_ && from == SD_GUEST) return;
  // A copy of just this size, so that reading beyond it is noticed.
  const std::vector<uint8_t> copy(bytes.begin(), bytes.end());
  const sd_frame frame{copy.data(), copy.size(), offload};
  const sd_verdict verdict = sd_on_frame(stub_.get(), port, from, &frame, now_);
  Check(!(stopped_ && from == SD_PEER) || verdict == SD_TAKEN,
        "nothing passes to a stopped guest");
  After();
}

void Glue::Stopped() {
  if (!asked_ || stopped_) return;
  stopped_ = true;
  sd_on_stopped(stub_.get(), now_);
  After();
}

void Glue::Suspended() {
  if (!stopped_) return;
  sd_on_suspended(stub_.get(), now_);
  After();
}

void Glue::SuspendFailed() {
  if (!asked_) return;
  sd_info info;
  sd_get_info(stub_.get(), &info);
  if (info.state != SD_SUSPENDING) return;
  if (!stopped_) asked_ = false;
  sd_on_suspend_failed(stub_.get(), now_);
  After();
}

void Glue::Running() {
  asked_ = stopped_ = restored_ = false;
  sd_on_running(stub_.get(), now_);
  After();
}

void Glue::Reset() {
  preparing_ = false;
  sd_on_reset(stub_.get(), now_);
  After();
  Check(foreign_ || waits_.empty(), "a reset ends all waits");
}

void Glue::Wait(const sd_wait& wait) {
  uint32_t number = 0;
  sd_wait_for(stub_.get(), &wait, now_, &number);
  After();
}

void Glue::Cancel(sd_owner owner, uint32_t number) {
  sd_cancel(stub_.get(), owner, number, now_);
  After();
}

void Glue::Suspend(sd_depth depth) {
  sd_suspend(stub_.get(), depth, now_);
  After();
}

void Glue::Restore() {
  sd_restore(stub_.get(), now_);
  After();
}

void Glue::RegisterThread() {
  uint32_t thread = 0;
  sd_register_thread(stub_.get(), "", now_, &thread);
  Check(foreign_ || sd_get_threads(stub_.get(), nullptr, 0) <= kMaxThreads,
        "threads are bounded");
  After();
}

void Glue::LeaveThread(uint32_t thread) {
  sd_leave_thread(stub_.get(), thread, now_);
  After();
}

void Glue::Inhibit(sd_owner owner) {
  sd_inhibit(stub_.get(), owner, now_);
  After();
}

void Glue::Allow(sd_owner owner) {
  sd_allow(stub_.get(), owner, now_);
  After();
}

void Glue::VcpusIdle(bool idle) {
  sd_vcpus_idle(stub_.get(), idle, now_);
  After();
}

void Glue::Costs(const sd_costs& costs) {
  sd_set_costs(stub_.get(), &costs, now_);
  After();
}

void Glue::Policy(const sd_policy& policy) {
  sd_config config = Config();
  config.policy = policy;
  sd_set_config(stub_.get(), &config);
  After();
}

void Glue::Prepared() {
  sd_prepared(stub_.get(), now_);
  After();
}

void Glue::Agent(bool present, bool prepares) {
  preparing_ = false;
  sd_agent(stub_.get(), present, prepares);
  After();
}

void Glue::Ready() {
  sd_ready(stub_.get(), now_);
  After();
}

void Glue::Refuse(bool refuse) {
  refuse_ = refuse;
  if (!refuse) {
    for (unsigned port : {0, 1}) {
      sd_on_writable(stub_.get(), port, SD_GUEST);
      sd_on_writable(stub_.get(), port, SD_PEER);
    }
  }
  After();
}

void Glue::HandOver() {
  const std::vector<uint8_t> state = Save();
  Stub next = MakeStub();
  Check(sd_load(next.get(), now_, state.data(), state.size()) == SD_OK,
        "what is saved is accepted");
  stub_ = std::move(next);
  // Asked to suspend, a VM is stopped before it is saved.
  stopped_ = asked_;
  restored_ = preparing_ = false;
  After();
}

bool Glue::Load(std::span<const uint8_t> state) {
  const std::vector<uint8_t> before = Save();
  if (sd_load(stub_.get(), now_, state.data(), state.size()) != SD_OK) {
    Check(Save() == before, "a refused state changes nothing");
    return false;
  }
  sd_info info;
  sd_get_info(stub_.get(), &info);
  foreign_ = true;
  asked_ = stopped_ = info.state != SD_RUNNING;
  restored_ = false;
  After();
  return true;
}

std::vector<uint8_t> Glue::Save() const {
  std::vector<uint8_t> state(sd_save(stub_.get(), now_, nullptr, 0));
  sd_save(stub_.get(), now_, state.data(), state.size());
  return state;
}

}  // namespace stubdomain
