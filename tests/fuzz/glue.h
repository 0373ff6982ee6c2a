// A glue that ends the process when the core breaks its contract.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_FUZZ_GLUE_H_
#define STUBDOMAIN_FUZZ_GLUE_H_

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "stubdomain/stubdomain.h"

namespace stubdomain {

// Dispatches after each event. Checked throughout:
//   - callbacks come from sd_dispatch() only, and it comes to an end;
//   - no frame is sent to a stopped guest, and every frame that is sent is well
//     formed;
//   - a suspend is asked for while the VM runs, a restore while it is stopped
//     for a suspend, once for each;
//   - a wait ends once;
//   - the configured bounds hold;
//   - what is saved is accepted.
class Glue {
 public:
  // Small, so that they are reached.
  static constexpr uint32_t kMaxFlows = 6;
  static constexpr uint32_t kMaxStubs = 5;
  static constexpr uint32_t kMaxAccepted = 3;
  static constexpr uint32_t kMaxThreads = 3;
  static constexpr uint64_t kFlowBuffer = 32 << 10;
  static constexpr uint64_t kTotalBuffer = 64 << 10;

  Glue();

  sd_stub* stub() const { return stub_.get(); }
  uint64_t now() const { return now_; }
  bool stopped() const { return stopped_; }

  void Pass(uint64_t milliseconds);
  // A stopped guest sends nothing.
  void Frame(unsigned port, sd_side from, std::span<const uint8_t> bytes,
             const sd_offload& offload);
  void Stopped();
  void Suspended();
  void SuspendFailed();
  void Running();
  void Reset();
  void Wait(const sd_wait& wait);
  void Cancel(sd_owner owner, uint32_t number);
  void Suspend(sd_depth depth);
  void Restore();
  void RegisterThread();
  void LeaveThread(uint32_t thread);
  void Inhibit(sd_owner owner);
  void Allow(sd_owner owner);
  void VcpusIdle(bool idle);
  void Costs(const sd_costs& costs);
  void Policy(const sd_policy& policy);
  void Agent(bool present, bool prepares);
  void Prepared();
  void Ready();
  // Frames are refused from now on, or taken (again).
  void Refuse(bool refuse);
  // Another stub domain goes on from this one's saved state.
  void HandOver();
  // True if it was accepted. Whatever was before is gone then.
  bool Load(std::span<const uint8_t> state);
  std::vector<uint8_t> Save() const;

 private:
  struct Free {
    void operator()(sd_stub* stub) const { sd_free(stub); }
  };
  using Stub = std::unique_ptr<sd_stub, Free>;

  static sd_callbacks Callbacks();
  static sd_config Config();
  Stub MakeStub();
  bool OnSend(sd_side to, const sd_frame& frame);
  void OnSuspend();
  void OnPrepare(bool begins);
  void OnEvict();
  void OnRestore();
  void OnWaiting(uint32_t number);
  void OnEnded(uint32_t number);
  void After();

  Stub stub_;
  uint64_t now_ = 1'000'000'000;
  bool dispatching_ = false;
  bool refuse_ = false;
  bool preparing_ = false;  // the agent was told of a suspend
  bool asked_ = false;      // to suspend
  bool stopped_ = false;    // for that
  bool restored_ = false;   // was asked to restore since
  // From a state that says so itself: not known to us.
  bool foreign_ = false;
  std::set<uint32_t> waits_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_FUZZ_GLUE_H_
