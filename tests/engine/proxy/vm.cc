// A VM without a VM: the core's glue, and suspends at random moments.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "vm.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

namespace stubdomain {
namespace {

constexpr uint64_t kMs = 1'000'000;

// The longest that each step lasts.
constexpr uint64_t kRunsMs = 300;
constexpr uint64_t kStoppingMs = 3;
constexpr uint64_t kWritingMs = 30;
constexpr uint64_t kSleepsMs = 400;
constexpr uint64_t kStartingMs = 3;
constexpr uint64_t kReadyMs = 40;
constexpr uint64_t kBlockedMs = 2;

constexpr uint32_t kFailsOnceIn = 10;
constexpr uint32_t kHandedOverOnceIn = 3;
constexpr uint32_t kRefusedOnceIn = 200;
constexpr uint32_t kLightSleepOnceIn = 3;

}  // namespace

Vm::Vm(uint32_t seed, Effects effects)
    : effects_(std::move(effects)), random_(seed) {
  sd_config_init(&config_);
  // So that they take part in what is tested.
  config_.keepalive_ms = 100;
  config_.unmatched = SD_UNMATCHED_IGNORE;
  stub_ = MakeStub();
  Seed();
  sd_agent(stub_.get(), true, false);
}

void Vm::Seed() {
  std::array<uint8_t, SD_SEED_LENGTH> seed;
  for (uint8_t& byte : seed) byte = static_cast<uint8_t>(random_());
  sd_seed(stub_.get(), seed.data());
}

sd_callbacks Vm::Callbacks() {
  static constexpr auto kSelf = [](void* opaque) {
    return static_cast<Vm*>(opaque);
  };
  return {
      .send =
          [](void* opaque, unsigned, sd_side to, const sd_frame* frame) {
            return kSelf(opaque)->OnSend(to, *frame);
          },
      .suspend =
          [](void* opaque, bool) {
            Vm* vm = kSelf(opaque);
            vm->After(vm->now_, Step::kStop, kStoppingMs);
          },
      .prepare = [](void*, bool) {},
      // With no delay before it, memory goes with the suspend.
      .evict = [](void*) {},
      .restore =
          [](void* opaque, sd_reason) {
            Vm* vm = kSelf(opaque);
            vm->After(vm->now_, Step::kRun, kStartingMs);
          },
      .waiting = [](void*, const sd_stub_info*) {},
      .ended = [](void* opaque,
                  const sd_ended* ended) { kSelf(opaque)->SayEnded(*ended); },
      .alert = [](void*, const sd_alert*) {},
      .unmatched = [](void*, const char*) {},
      .suspend_cancelled = [](void*, sd_reason) {},
  };
}

Vm::Stub Vm::MakeStub() {
  const sd_callbacks callbacks = Callbacks();
  return Stub(sd_new(&config_, &callbacks, this));
}

void Vm::SetUnmatched(sd_unmatched unmatched) {
  config_.unmatched = unmatched;
  sd_set_config(stub_.get(), &config_);
}

uint64_t Vm::Soon(uint64_t now, uint64_t max_ms) {
  return now + random_() % (max_ms * kMs);
}

void Vm::After(uint64_t now, Step step, uint64_t max_ms) {
  step_ = step;
  step_due_ = Soon(now, max_ms);
}

bool Vm::OnSend(sd_side to, const sd_frame& frame) {
  if (to == SD_GUEST && stopped_) {
    throw std::logic_error("a frame for a stopped guest");
  }
  if (OneIn(kRefusedOnceIn)) {
    writable_due_[to] = Soon(now_, kBlockedMs);
    return false;
  }
  ++counts_.sent[to];
  if (frame.offload.gso != SD_GSO_NONE) ++counts_.sent_gso[to];
  effects_.send(to, OwnedFrame::CopyOf(frame));
  return true;
}

void Vm::OnFrame(sd_side from, OwnedFrame frame, uint64_t now) {
  now_ = now;
  const sd_frame view = frame.view();
  if (sd_on_frame(stub_.get(), 0, from, &view, now) == SD_TAKEN) {
    ++counts_.taken;
    return;
  }
  const sd_side to = from == SD_GUEST ? SD_PEER : SD_GUEST;
  if (to == SD_GUEST && stopped_) {
    throw std::logic_error("a frame passes to a stopped guest");
  }
  ++counts_.passed;
  effects_.send(to, std::move(frame));
}

uint64_t Vm::Deadline() const {
  if (sd_pending(stub_.get())) return now_;
  return std::min({sd_next_deadline(stub_.get()), step_due_, suspend_due_,
                   restore_due_, hand_over_due_, ready_due_, writable_due_[0],
                   writable_due_[1]});
}

void Vm::Tick(uint64_t now) {
  now_ = now;
  const auto is_due = [now](uint64_t* due) {
    if (*due > now) return false;
    *due = SD_NEVER;
    return true;
  };
  for (const sd_side side : {SD_GUEST, SD_PEER}) {
    if (is_due(&writable_due_[side])) sd_on_writable(stub_.get(), 0, side);
  }
  if (is_due(&suspend_due_)) {
    SetUnmatched(OneIn(kLightSleepOnceIn) ? SD_UNMATCHED_RESTORE
                                          : SD_UNMATCHED_IGNORE);
    sd_suspend(stub_.get(), SD_DEPTH_EVICT, now);
  }
  if (is_due(&restore_due_)) Restore(now);
  if (is_due(&ready_due_)) sd_ready(stub_.get(), now);
  if (is_due(&step_due_)) TakeStep(now);
  if (is_due(&hand_over_due_)) HandOver(now);
  if (sd_pending(stub_.get()) || sd_next_deadline(stub_.get()) <= now) {
    sd_dispatch(stub_.get(), now);
  }
}

void Vm::TakeStep(uint64_t now) {
  switch (std::exchange(step_, Step::kNone)) {
    case Step::kNone:
      break;
    case Step::kStop:
      stopped_ = true;
      ++counts_.suspends;
      sd_on_stopped(stub_.get(), now);
      After(now, Step::kFinishWriting, kWritingMs);
      break;
    case Step::kFinishWriting:
      if (OneIn(kFailsOnceIn)) {
        ++counts_.failures;
        sd_on_suspend_failed(stub_.get(), now);
        After(now, Step::kRun, kStartingMs);
        break;
      }
      sd_on_suspended(stub_.get(), now);
      Say("suspended");
      if (OneIn(kHandedOverOnceIn)) hand_over_due_ = Soon(now, kSleepsMs / 2);
      if (restless_) restore_due_ = Soon(now, kSleepsMs);
      break;
    case Step::kRun:
      stopped_ = false;
      hand_over_due_ = SD_NEVER;
      restore_due_ = SD_NEVER;
      sd_on_running(stub_.get(), now);
      ready_due_ = Soon(now, kReadyMs);
      if (restless_) suspend_due_ = Soon(now, kRunsMs);
      Say("running");
      break;
  }
}

void Vm::HandOver(uint64_t now) {
  std::vector<uint8_t> state(sd_save(stub_.get(), now, nullptr, 0));
  sd_save(stub_.get(), now, state.data(), state.size());
  Stub next = MakeStub();
  const sd_refusal refusal =
      sd_load(next.get(), now, state.data(), state.size());
  if (refusal != SD_OK) {
    throw std::logic_error(std::string("its own state is refused: ") +
                           sd_refusal_text(refusal));
  }
  stub_ = std::move(next);
  sd_agent(stub_.get(), true, false);
  // Neither is known to the new one.
  writable_due_ = {SD_NEVER, SD_NEVER};
  step_ = Step::kNone;
  step_due_ = SD_NEVER;
  ++counts_.hand_overs;
}

void Vm::SetRestless(bool restless, uint64_t now) {
  restless_ = restless;
  suspend_due_ = SD_NEVER;
  if (!restless) {
    Restore(now);
  } else if (!stopped_) {
    suspend_due_ = Soon(now, kRunsMs);
  }
}

void Vm::Suspend(uint64_t now) {
  SetUnmatched(SD_UNMATCHED_IGNORE);
  // Refused only where a suspend is under way.
  sd_suspend(stub_.get(), SD_DEPTH_EVICT, now);
}

void Vm::Restore(uint64_t now) {
  // Refused only where nothing is to be restored.
  sd_restore(stub_.get(), now);
}

void Vm::Listen(sd_accept accept, uint16_t port, uint64_t bytes,
                uint16_t guest_port, uint64_t now) {
  sd_wait wait{};
  wait.owner = SD_OWNER_HOST;
  wait.flow.guest.port = port;
  wait.bytes = bytes;
  wait.accept = accept;
  wait.guest_port = guest_port;
  uint32_t number = 0;
  const sd_refusal refusal = sd_wait_for(stub_.get(), &wait, now, &number);
  if (refusal != SD_OK) {
    throw std::logic_error(std::string("a wait is refused: ") +
                           sd_refusal_text(refusal));
  }
  Say("listening");
}

void Vm::SayEnded(const sd_ended& ended) {
  effects_.say(nlohmann::json{{"event", "ended"},
                              {"suspends", counts_.suspends},
                              {"outcome", ended.outcome},
                              {"bytes", ended.bytes}}
                   .dump());
}

void Vm::Say(const std::string& event) {
  effects_.say(
      nlohmann::json{{"event", event}, {"suspends", counts_.suspends}}.dump());
}

void Vm::SayStatus() {
  sd_info info;
  sd_get_info(stub_.get(), &info);
  effects_.say(nlohmann::json{
      {"event", "status"},
      {"suspends", counts_.suspends},
      {"hand_overs", counts_.hand_overs},
      {"failures", counts_.failures},
      {"passed", counts_.passed},
      {"taken", counts_.taken},
      {"sent_to_guest", counts_.sent[SD_GUEST]},
      {"sent_to_peer", counts_.sent[SD_PEER]},
      {"gso_to_guest", counts_.sent_gso[SD_GUEST]},
      {"running", info.state == SD_RUNNING},
      {"flows", info.flows},
      {"kept", info.kept},
  }
                   .dump());
}

}  // namespace stubdomain
