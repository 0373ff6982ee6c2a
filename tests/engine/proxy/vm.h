// A VM without a VM: the core's glue, and suspends at random moments.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_ENGINE_PROXY_VM_H_
#define STUBDOMAIN_ENGINE_PROXY_VM_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "owned_frame.h"
#include "stubdomain/stubdomain.h"

namespace stubdomain {

// Plays QEMU: stops the guest when the core asks for it, takes its time to
// write its memory, runs it again. Every step lasts a random time. Some
// suspends fail; some suspended VMs go to another QEMU by the serial form; some
// frames are refused for a moment. Some random suspends end with whatever
// comes, the others, and those that the test asked for, sleep on.
//
// The guest is a kernel that knows nothing of this: while it is stopped its
// frames must not move, in either direction.
class Vm {
 public:
  struct Effects {
    std::function<void(sd_side to, OwnedFrame frame)> send;
    // A line of JSON.
    std::function<void(const std::string& line)> say;
  };

  Vm(uint32_t seed, Effects effects);

  bool stopped() const { return stopped_; }
  void OnFrame(sd_side from, OwnedFrame frame, uint64_t now);
  // When Tick() has something to do.
  uint64_t Deadline() const;
  void Tick(uint64_t now);

  // -- what the test asks for --
  // Random suspends from now on, or no more; restores a suspended VM then.
  void SetRestless(bool restless, uint64_t now);
  void Suspend(uint64_t now);
  void Restore(uint64_t now);
  // A wait for new connections to a port of the guest.
  void Listen(sd_accept accept, uint16_t port, uint64_t bytes,
              uint16_t guest_port, uint64_t now);
  void SayStatus();

 private:
  // What comes next, at step_due_.
  enum class Step { kNone, kStop, kFinishWriting, kRun };

  struct Counts {
    uint64_t suspends = 0;  // vCPUs stopped
    uint64_t hand_overs = 0;
    uint64_t failures = 0;
    uint64_t passed = 0;
    uint64_t taken = 0;
    uint64_t sent[2] = {};  // by the core, to guest and peer
    uint64_t sent_gso[2] = {};
  };
  struct FreeStub {
    void operator()(sd_stub* stub) const { sd_free(stub); }
  };
  using Stub = std::unique_ptr<sd_stub, FreeStub>;

  static sd_callbacks Callbacks();
  Stub MakeStub();
  void Seed();
  void SetUnmatched(sd_unmatched unmatched);
  bool OnSend(sd_side to, const sd_frame& frame);
  void After(uint64_t now, Step step, uint64_t max_ms);
  void TakeStep(uint64_t now);
  void HandOver(uint64_t now);
  uint64_t Soon(uint64_t now, uint64_t max_ms);
  bool OneIn(uint32_t n) { return random_() % n == 0; }
  void Say(const std::string& event);
  void SayEnded(const sd_ended& ended);

  Effects effects_;
  std::mt19937 random_;
  sd_config config_;
  Stub stub_;
  uint64_t now_ = 0;
  bool stopped_ = false;
  bool restless_ = false;
  Step step_ = Step::kNone;
  uint64_t step_due_ = SD_NEVER;
  // SD_NEVER: not planned.
  uint64_t suspend_due_ = SD_NEVER;
  uint64_t restore_due_ = SD_NEVER;
  uint64_t hand_over_due_ = SD_NEVER;
  uint64_t ready_due_ = SD_NEVER;
  std::array<uint64_t, 2> writable_due_ = {SD_NEVER, SD_NEVER};
  Counts counts_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_ENGINE_PROXY_VM_H_
