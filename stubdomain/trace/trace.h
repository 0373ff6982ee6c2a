// For tests: a stub domain behind its C API, and what it did, line by line.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TRACE_TRACE_H_
#define STUBDOMAIN_TRACE_TRACE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "stubdomain/stubdomain.h"
#include "trace/talk.h"
#include "wire/packet.h"

namespace stubdomain {

using Lines = std::vector<std::string>;

// Plays the glue: hands events in, dispatches after each of them as QEMU's
// bottom half and timer would, and notes every effect as a line:
//
//   waiting 1                 ended 1 replied 5       suspend, idle, evict
//   restore reply             cancelled reply         unmatched TCP data from
//   ... peer: ack 5 (40000)       guest: data 0+5 (40000) guest: fin (40000)
//
// Numbers of bytes are positions in the payload; the guest's port names the
// connection. Acknowledgements to the guest are not noted.
class Trace {
 public:
  Trace();
  explicit Trace(const sd_config& config);
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  static sd_config DefaultConfig();

  sd_stub* stub() const { return stub_; }
  // What was noted since the last call.
  Lines Take();
  // The same, without the frames.
  Lines TakeNotices();
  // What the last alert showed, and where that began in the reply.
  const std::pair<std::string, uint64_t>& shown() const { return shown_; }
  uint64_t now() const { return now_; }
  sd_info info() const;

  // -- time --
  // Lets time pass; timers run when they are due.
  void Pass(uint64_t milliseconds);

  // -- connections --
  // `talk` outlives the trace or its last frame.
  // From now on frames of this connection are understood.
  void Know(Talk* talk);
  // Handshake while the guest runs; then nothing is unacknowledged.
  void Connect(Talk* talk);
  sd_verdict Send(unsigned port, Side from, const Frame& frame);
  sd_verdict Send(Talk& talk, Side from, const Frame& frame);
  bool PassHead(unsigned port, const Frame& frame, size_t head);
  // The guest sends, the peer acknowledges. All passes.
  void Request(Talk& talk, uint32_t length);
  sd_verdict PeerSends(Talk& talk, uint32_t length);
  void GuestAcks(Talk& talk);

  // -- the VM --
  void Stopped();
  void Suspended();
  void SuspendFailed();
  void Running();
  void Reset();
  // From a proposed suspend on.
  void SuspendNow();

  // -- requests --
  // A wait of the guest that proposes a suspend.
  static sd_wait WaitOn(const Talk& talk);
  sd_refusal Wait(const sd_wait& wait, uint32_t* number = nullptr);
  // The same with a plan, which must be a good one.
  sd_refusal WaitWithPlan(std::string_view plan, sd_wait wait);
  void Agent(bool present, bool prepares = false);
  void Prepared();
  void Ready();
  sd_refusal Suspend(sd_depth depth = SD_DEPTH_EVICT);
  sd_refusal Restore();
  sd_refusal Cancel(sd_owner owner, uint32_t number);

  // -- serial form --
  std::vector<uint8_t> Save() const;
  // Replaces the stub domain by a new one, on another host with another clock,
  // that loads its state.
  void HandOver();

  void Dispatch();
  // With false the test dispatches.
  void set_dispatches(bool dispatches) { dispatches_ = dispatches; }
  // Called for each frame that is sent, before it is noted. False: refused.
  std::function<bool(unsigned port, Side to, const sd_frame& frame)> on_send;
  // Called at the other callbacks, after they are noted.
  std::function<void(const std::string& line)> on_effect;

 private:
  static sd_callbacks Callbacks();
  void Note(std::string line);
  bool OnSend(unsigned port, Side to, const sd_frame& frame);
  void NoteSegment(const Talk& talk, Side to, const TcpSegment& segment);
  void After();

  sd_config config_;
  sd_stub* stub_;
  uint64_t now_ = 1'000'000'000;
  std::vector<Talk*> talks_;
  Lines lines_;
  std::pair<std::string, uint64_t> shown_;
  bool dispatches_ = true;
  bool dispatching_ = false;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TRACE_TRACE_H_
