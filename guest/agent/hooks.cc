// Programs of the administrator that run before a suspend and after a restore.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/hooks.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

#include "agent/log.h"
#include "protocol/unique_fd.h"

namespace stubdomain {
namespace {

using Clock = std::chrono::steady_clock;

// Left out are backups and what a package manager puts beside a file.
bool IsHookName(const std::string& name) {
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '_';
  });
}

std::vector<std::string> FindHooks(const std::string& directory) {
  std::vector<std::string> hooks;
  std::error_code error;  // no directory: no hooks
  for (const auto& entry :
       std::filesystem::directory_iterator(directory, error)) {
    const std::string path = entry.path();
    if (entry.is_regular_file(error) && IsHookName(entry.path().filename()) &&
        access(path.c_str(), X_OK) == 0) {
      hooks.push_back(path);
    }
  }
  std::sort(hooks.begin(), hooks.end());
  return hooks;
}

// In a group of its own, so that what it starts ends with it. -1: it failed.
pid_t Spawn(const std::string& path, const std::string& event) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // The agent has its stop signals blocked.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  char* const arguments[] = {const_cast<char*>(path.c_str()),
                             const_cast<char*>(event.c_str()), nullptr};
  pid_t child = -1;
  const int error = posix_spawn(&child, path.c_str(), &actions, &attributes,
                                arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    Log(path + ": " + std::strerror(error));
    return -1;
  }
  return child;
}

// False: it took longer than until `end`, and was ended.
bool RunHook(const std::string& path, const std::string& event,
             Clock::time_point end) {
  const pid_t child = Spawn(path, event);
  if (child < 0) return true;
  const UniqueFd done(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
  pollfd entry{done.get(), POLLIN, 0};
  const bool in_time =
      poll(&entry, 1, static_cast<int>(std::max<int64_t>(left.count(), 0))) > 0;
  if (!in_time) {
    Log(path + ": took too long, and was ended");
    kill(-child, SIGKILL);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (in_time && status != 0) {
    Log(path + ": ended with " +
        (WIFEXITED(status) ? "status " + std::to_string(WEXITSTATUS(status))
                           : "signal " + std::to_string(WTERMSIG(status))));
  }
  return in_time;
}

}  // namespace

bool HasHooks(const std::string& directory) {
  return !FindHooks(directory).empty();
}

void RunHooks(const std::string& directory, const std::string& event,
              std::chrono::milliseconds time) {
  const Clock::time_point end = Clock::now() + time;
  for (const std::string& path : FindHooks(directory)) {
    if (!RunHook(path, event, end)) return;
  }
}

}  // namespace stubdomain
