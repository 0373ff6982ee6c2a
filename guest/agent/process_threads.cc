// The threads of a process, and what they do.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/process_threads.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

namespace stubdomain {
namespace {

namespace fs = std::filesystem;

// Nothing: it is gone.
std::optional<ProcessThread> ReadThread(const fs::path& directory) {
  ProcessThread thread{};
  std::istringstream(directory.filename()) >> thread.id;
  thread.own_id = thread.id;
  std::ifstream status(directory / "status");
  std::string line;
  bool has_state = false;
  while (std::getline(status, line)) {
    std::istringstream fields(line);
    std::string key;
    fields >> key;
    if (key == "Name:") {
      fields >> std::ws;
      std::getline(fields, thread.name);
    } else if (key == "State:") {
      char state = 0;
      has_state = static_cast<bool>(fields >> state);
      thread.runs = state == 'R' || state == 'D';
    } else if (key == "NSpid:") {
      // The innermost is the last.
      while (fields >> thread.own_id) {
      }
    }
  }
  if (!has_state) return std::nullopt;
  int64_t ran = 0;
  std::ifstream(directory / "schedstat") >> ran;
  thread.ran = std::chrono::nanoseconds(ran);
  return thread;
}

}  // namespace

std::vector<ProcessThread> ListThreads(pid_t process,
                                       const std::string& directory) {
  std::vector<ProcessThread> threads;
  std::error_code error;
  const fs::path tasks = fs::path(directory) / std::to_string(process) / "task";
  for (fs::directory_iterator at(tasks, error), end; !error && at != end;
       at.increment(error)) {
    if (threads.size() == kMaxThreadsOfProcess) break;
    if (const auto thread = ReadThread(at->path())) threads.push_back(*thread);
  }
  return threads;
}

}  // namespace stubdomain
