// A guest, its peers and its VM, all of which do what the fuzzer says.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_FUZZ_EVENTS_H_
#define STUBDOMAIN_FUZZ_EVENTS_H_

#include <array>
#include <cstdint>

#include "glue.h"
#include "input.h"
#include "wire/tcp_frame.h"

namespace stubdomain {

class Events {
 public:
  explicit Events(Glue* glue) : glue_(glue) {}

  // Plays events until the input ends.
  void Play(Input& input);
  // A connection, its handshake done. There are kTalks, of IPv4 and IPv6.
  void Connect(unsigned talk);

  static constexpr uint8_t kTalks = 8;

 private:
  // What each end has sent: the fuzzer's numbers are relative to it.
  struct Talk {
    Seq next[2] = {Seq(0xffffff00), Seq(5000)};
    uint32_t clock[2] = {1000, 2000};
  };

  void PlayOne(Input& input);
  void PlayRequest(Input& input);
  void PlayPolicy(Input& input);
  void PlaySegment(Input& input);
  void Send(unsigned talk, Side from, TcpFields fields, size_t length,
            uint16_t gso_size);
  static FlowId IdOf(unsigned talk);
  static Seq Near(Seq seq, Input& input);

  Glue* glue_;
  std::array<Talk, kTalks> talks_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_FUZZ_EVENTS_H_
