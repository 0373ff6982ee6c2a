// The threads of a process, and what they do, from /proc.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_PROCESS_THREADS_H_
#define STUBDOMAIN_GUEST_AGENT_PROCESS_THREADS_H_

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace stubdomain {

// Of a process that has more, the others are not looked at.
inline constexpr size_t kMaxThreadsOfProcess = 256;

struct ProcessThread {
  pid_t id;
  pid_t own_id;  // as it knows itself, in a container
  std::string name;
  // It has a processor or waits for one, or it waits for a disk.
  bool runs;
  // How long it had a processor so far; 0 where the kernel does not count that.
  std::chrono::nanoseconds ran;
};

// Empty if there is no such process.
std::vector<ProcessThread> ListThreads(pid_t process,
                                       const std::string& directory = "/proc");

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_PROCESS_THREADS_H_
