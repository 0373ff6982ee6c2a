// For tests: a connection whose story is told segment by segment.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_FLOW_TRACE_H_
#define STUBDOMAIN_TCP_FLOW_TRACE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tcp/tcp_flow.h"
#include "wire/tcp_frame.h"

namespace stubdomain {

// A segment as a test writes it. Numbers count from the first payload byte of
// the side that they belong to.
struct Said {
  uint32_t seq = 0;
  uint32_t ack = 0;
  std::string_view flags = ".";  // tcpdump's letters: S F R P . U E W
  std::string data = {};
  uint16_t window = 10000;
  std::optional<Timestamps> ts = {};
  std::vector<std::pair<uint32_t, uint32_t>> sack = {};
  bool bad_checksum = false;
  uint16_t gso = 0;  // not 0: a GSO frame of segments of this size
  uint16_t urgent = 0;
  bool congested = false;  // marked so by the network; not with IPv6 or VLAN
};

// What TraceSetup::translation is unless a test says otherwise: none, or with
// STUBDOMAIN_TEST_TRANSLATED in the environment one in which all numbers
// differ. No trace may tell.
Translation TestTranslation();

struct TraceSetup {
  bool ipv6 = false;
  std::optional<uint16_t> vlan = {};
  Seq guest_isn{1000};
  Seq peer_isn{5000};
  bool timestamps = false;
  bool sack = false;
  std::optional<uint8_t> guest_shift = {};
  std::optional<uint8_t> peer_shift = {};
  uint16_t guest_mss = 1000;
  uint16_t peer_mss = 1000;
  uint16_t guest_window = 10000;
  FlowConfig config{.buffer = 1 << 20, .keepalive = Duration::zero()};
  uint64_t budget = 1 << 30;
  bool gso = false;  // the guest takes GSO frames
  Translation translation = TestTranslation();
};

// The frames that the stub sends, as text, one line for each:
//   "peer: P. 0:5 ack 7 win 9995 urg 3 ts 3/4 sack 10-20 'hello'"
// "peer:" is whom it goes to, "0:5" its first and last sequence number. What
// would only repeat a default is left out: no data, no options.
class FlowTrace : public Output {
 public:
  explicit FlowTrace(const TraceSetup& setup = {});

  // The three segments of a handshake that the guest begins.
  void Handshake();

  // Segments that come. `now` is the trace's time.
  Verdict Guest(const Said& said) { return Say(Side::kGuest, said); }
  Verdict Peer(const Said& said) { return Say(Side::kPeer, said); }
  Verdict Say(Side from, const Said& said);
  // The frame of a segment.
  Frame Build(Side from, const Said& said) const;

  // The first payload byte of `of`, in the numbers that `reader` knows.
  Seq First(Side of, Side reader) const;

  AdoptRefusal Adopt() { return flow->Adopt(now); }
  void Release() { flow->Release(now, *this); }
  void Replay() { flow->Replay(now, *this); }
  void ReleaseAndReplay() {
    Release();
    Replay();
  }
  void Flush() { flow->Flush(now, *this); }
  // Lets time pass, with the timers that expire meanwhile.
  void Pass(Duration duration);
  // Saves the flow, and goes on with what loads from that.
  void SaveAndLoad();

  // What was sent since the last call. Flushes first.
  std::string Sent();
  // The frames of the last Sent().
  const std::vector<Frame>& frames() const { return taken_; }

  // Output.
  void Emit(unsigned port, Side to, Frame frame) override;
  FrameOptions OptionsFor(unsigned, Side) const override {
    return {.gso = setup_.gso};
  }
  bool HasRoom(unsigned, Side) const override { return room; }

  static constexpr unsigned kPort = 3;

  BufferBudget budget;
  ResendPool resend;
  Time now{std::chrono::seconds(1000)};
  // For many frames.
  bool room = true;

 private:
  std::string Describe(Side to, const Frame& frame) const;
  Frame BuildFor(Side from, Side reader, const Said& said) const;
  // Whether the flow, which was following before, has passed the frame on
  // translated; what it sent for that is forgotten then.
  bool PassedOn(Side from, const Said& said);

  TraceSetup setup_;

 public:
  std::unique_ptr<TcpFlow> flow;

 private:
  std::string sent_;
  std::vector<Frame> frames_;
  std::vector<Frame> taken_;
};

// After a request of seven bytes and with `reply` kept for the guest, which is
// still stopped.
class KeptTrace : public FlowTrace {
 public:
  explicit KeptTrace(const std::string& reply, const TraceSetup& setup = {});
};

// The stub has left the path, and holds nothing.
void ExpectLeft(FlowTrace& trace);

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_FLOW_TRACE_H_
