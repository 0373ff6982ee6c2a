// What the stub domain would say of a connection over loopback, for tests.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_LOOPBACK_PARAMETERS_H_
#define STUBDOMAIN_GUEST_AGENT_LOOPBACK_PARAMETERS_H_

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <nlohmann/json.hpp>

namespace stubdomain {

// StubdomainFlowParameters of a socket; needs root.
inline nlohmann::json LoopbackParameters(int fd) {
  const auto set = [fd](int option, int value) {
    setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value));
  };
  const auto get = [fd](int option, auto value) {
    socklen_t length = sizeof(value);
    getsockopt(fd, IPPROTO_TCP, option, &value, &length);
    return value;
  };
  const auto info = get(TCP_INFO, tcp_info{});
  set(TCP_REPAIR, TCP_REPAIR_ON);
  const auto window = get(TCP_REPAIR_WINDOW, tcp_repair_window{});
  set(TCP_REPAIR_QUEUE, TCP_SEND_QUEUE);
  const auto send_next = get(TCP_QUEUE_SEQ, uint32_t{});
  nlohmann::json parameters = {
      {"send-next", send_next},
      {"receive-next", window.rcv_wup},
      {"send-window", window.snd_wnd},
      {"receive-window", window.rcv_wnd},
      {"mss", info.tcpi_snd_mss},
      {"sack", (info.tcpi_options & TCPI_OPT_SACK) != 0},
  };
  if (info.tcpi_options & TCPI_OPT_WSCALE) {
    parameters["send-shift"] = unsigned{info.tcpi_snd_wscale};
    parameters["receive-shift"] = unsigned{info.tcpi_rcv_wscale};
  }
  if (info.tcpi_options & TCPI_OPT_TIMESTAMPS) {
    parameters["timestamp"] = get(TCP_TIMESTAMP, uint32_t{});
  }
  set(TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
  return parameters;
}

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_LOOPBACK_PARAMETERS_H_
