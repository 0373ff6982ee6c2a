// One wait with the agent, for the time of one call.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_STUBRUN_AGENT_WAIT_H_
#define STUBDOMAIN_GUEST_STUBRUN_AGENT_WAIT_H_

#include <cstdint>

#include "stubrun/awaited.h"

namespace stubdomain {

// Its descriptor has a number from here on, if the process may have such: a
// program must find the small ones as it left them.
inline constexpr int kFirstDescriptor = 400;

// Never blocks, and sets no errno.
class AgentWait {
 public:
  enum class State {
    kGoesOn,
    kTimedOut,  // the longest wait is over, on the host's clock
    kOver,      // in another way: whatever it was, the socket tells
  };

  AgentWait() = default;
  AgentWait(const AgentWait&) = delete;
  AgentWait& operator=(const AgentWait&) = delete;
  ~AgentWait() { End(); }

  // Asks for a wait on all of `awaited`, for `longest_ms` (0: no limit). False:
  // no agent is there, or it is too busy.
  bool Start(const Awaited& awaited, uint32_t longest_ms);
  // Takes the wait back, if it goes on.
  void End();

  // To poll for reading; then ask Check().
  int fd() const { return fd_; }
  State Check();

 private:
  int fd_ = -1;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_STUBRUN_AGENT_WAIT_H_
