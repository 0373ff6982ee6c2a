// Registers the threads of programs that do not do so themselves.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_PROGRAM_THREADS_H_
#define STUBDOMAIN_GUEST_AGENT_PROGRAM_THREADS_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/process_threads.h"

namespace stubdomain {

// How often threads are looked at, while any of them counts.
inline constexpr std::chrono::milliseconds kLook{50};
// A thread that had a processor for a smaller part of the time is not busy:
// 1/20, as with idle vCPUs.
inline constexpr int kBusyPart = 20;
// So many looks in a row at which it is not, and it does not count any more.
inline constexpr int kQuietLooks = 2;

// The machine is to be suspended while such a program waits, and not while it
// has something to do. So a thread of it counts (it is registered with the
// device) as long as it waits for the network or is busy. One that is blocked
// in another way (by a lock, a pipe, a sleep) does not: it holds no suspend up,
// and what it is blocked by sleeps as well.
//
// A program is looked at from its first wait on, until none of its threads
// counts.
class ProgramThreads {
 public:
  using Clock = std::chrono::steady_clock;

  struct Environment {
    std::function<std::vector<ProcessThread>(pid_t)> list;
    // Registers a thread with the device; 0: refused.
    std::function<uint32_t(const std::string& name)> enlist;
    std::function<void(uint32_t number)> leave;
    std::function<Clock::time_point()> now;
  };

  // A thread that waits.
  struct Place {
    pid_t process;
    pid_t thread;
  };

  // One that is registered.
  struct Entry {
    uint32_t number;
    std::string name;
  };

  explicit ProgramThreads(Environment environment)
      : environment_(std::move(environment)) {}

  // The thread, by its own number for itself, is about to wait. Returns its
  // number for the device; 0: it has none. EndWait() follows.
  uint32_t BeginWait(pid_t process, pid_t own_id, Place* place);
  void EndWait(const Place& place);

  // Look() is to be called every kLook.
  bool watching() const { return !processes_.empty(); }
  void Look();
  std::vector<Entry> Registered() const;

 private:
  struct Thread {
    pid_t own_id;
    std::string name;
    uint32_t number = 0;  // for the device; 0: it does not count
    int waits = 0;        // a signal handler may wait within a wait
    int quiet = 0;        // looks in a row
    std::chrono::nanoseconds ran{};
  };
  using Threads = std::map<pid_t, Thread>;
  struct Process {
    Threads threads;
    Clock::time_point looked{};
  };

  void LookAt(pid_t id, Process& process);
  void Judge(const ProcessThread& now, Clock::duration passed, Thread& thread);
  void Enlist(Thread& thread);
  void Leave(Thread& thread);

  const Environment environment_;
  std::map<pid_t, Process> processes_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_PROGRAM_THREADS_H_
