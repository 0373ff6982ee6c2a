// For tests: a TCP that is simple enough to be obviously right.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_MODEL_TCP_H_
#define STUBDOMAIN_TCP_MODEL_TCP_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "wire/packet.h"
#include "wire/tcp_frame.h"
#include "wire/time.h"

namespace stubdomain {

// One end of one connection: sends `send` bytes of a known pattern and a FIN,
// and checks that what it receives is the other side's pattern. Its program
// reads `read_rate` bytes in a millisecond. It has no congestion control.
class ModelTcp {
 public:
  struct Options {
    Route route;
    bool client = false;
    Seq isn;
    uint16_t mss = 1460;
    uint8_t shift = 0;
    bool timestamps = false;
    uint32_t receive_buffer = 65535;
    uint32_t read_rate = 1 << 20;
    uint64_t send = 0;
    Time begin{};  // nothing is sent before that
    // Nothing is sent before so many bytes have come, and nothing is closed.
    uint64_t begin_after = 0;
    uint64_t close_after = 0;
    // Its program writes so much at a time; zero: all at once.
    uint32_t write = 0;
    Duration write_every{};
    Time read_from{};  // its program reads nothing before that
    bool ends_by_reset = false;
    Duration keepalive{};  // asks an idle peer whether it is there; zero: never
    uint32_t burst = 1;    // segments in one GSO frame
    // False: never sends anything twice on its own.
    bool retransmits = true;
    uint8_t pattern = 0;        // of what it sends
    uint8_t other_pattern = 0;  // of what it receives
    // What it receives, if that is no pattern; outlives this.
    const std::vector<uint8_t>* expected = nullptr;
  };
  using Transmit = std::function<void(Frame)>;

  static uint8_t PatternAt(uint8_t pattern, uint64_t position) {
    return static_cast<uint8_t>(position * 7 + (position >> 8) * 13 + pattern);
  }

  ModelTcp(const Options& options, Transmit transmit)
      : options_(options), transmit_(std::move(transmit)) {}

  // Begins to connect, if it is the client. `now` is this machine's time.
  void Start(Time now);
  void OnSegment(const TcpSegment& segment, Time now);
  Time Deadline() const;
  void OnTimer(Time now);

  // Both directions are closed, and everything was as it should be.
  bool done() const { return closed_by_other() && fin_acked_; }
  // The other side has reset the connection, or is gone.
  bool was_reset() const { return reset_; }
  // It has reset the connection.
  bool has_reset() const { return dead_; }
  uint64_t received() const { return received_; }
  uint64_t read() const { return read_; }

 private:
  uint8_t ExpectedAt(uint64_t position) const;
  // Positions count payload bytes; a stream's FIN has the position `send`.
  Seq SendSeq(uint64_t position) const {
    return options_.isn + 1 + static_cast<uint32_t>(position);
  }
  Seq ReceiveNext() const;
  bool closed_by_other() const { return fin_ && received_ == *fin_; }
  uint32_t Window() const;
  bool MaySend() const {
    return syn_acked_ && other_isn_ && clock_ >= options_.begin &&
           received_ >= options_.begin_after && !dead_ && !reset_;
  }
  // How much its program has written.
  uint64_t Written() const;
  bool MayClose() const {
    return Written() == options_.send && received_ >= options_.close_after;
  }
  void Reset(Seq seq);

  void OnSyn(const TcpSegment& segment);
  void OnAck(const TcpSegment& segment, Time now);
  void OnPayload(const TcpSegment& segment);
  void Send(Time now);
  void SendSegment(uint64_t position, uint32_t size, uint8_t flags);
  void SendAck();

  Options options_;
  Transmit transmit_;
  std::optional<Seq> other_isn_;
  uint16_t other_mss_ = 536;
  uint8_t other_shift_ = 0;
  bool other_scales_ = false;
  bool syn_sent_ = false;
  bool syn_acked_ = false;
  bool reset_ = false;
  bool dead_ = false;
  std::optional<Time> first_write_;
  Time next_write_ = kNever;
  Time next_keepalive_ = kNever;
  int unanswered_ = 0;

  uint64_t acked_ = 0;
  uint64_t next_ = 0;
  uint64_t highest_ = 0;
  uint64_t edge_ = 0;
  uint64_t allowance_ = 1 << 20;  // in flight, small after a timeout
  bool fin_acked_ = false;
  int duplicates_ = 0;
  Duration timeout_ = std::chrono::milliseconds(300);
  Time timer_ = kNever;

  uint64_t received_ = 0;
  uint64_t read_ = 0;
  std::optional<uint64_t> fin_;
  std::map<uint64_t, uint64_t> early_;  // begin and end of ranges
  uint64_t announced_ = 0;              // right edge of the window
  bool ack_due_ = false;
  Time next_read_ = kNever;

  Time clock_{};
  uint32_t recent_timestamp_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_MODEL_TCP_H_
