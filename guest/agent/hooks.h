// Programs of the administrator that run before a suspend and after a restore.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_HOOKS_H_
#define STUBDOMAIN_GUEST_AGENT_HOOKS_H_

#include <chrono>
#include <string>

namespace stubdomain {

enum class Hook {
  kSuspending,  // the machine is about to be suspended
  kRestored,    // it was, or it is not after all
};

inline constexpr char kPreSuspendHooks[] = "/etc/stubdomain/pre.d";
inline constexpr char kPostRestoreHooks[] = "/etc/stubdomain/post.d";
// For all hooks together. The host waits for prepare-timeout and for
// ready-timeout, 1 s each, before it goes on in any case.
inline constexpr std::chrono::milliseconds kHooksTime{800};

// Whether there is anything for RunHooks() to run.
bool HasHooks(const std::string& directory);

// Runs the executable files in `directory` one after the other, in the order of
// their names; a name is of letters, digits, '-' and '_', as for run-parts(8).
// Each gets `event` as its only argument, and no input. One that is not done
// when `time` is over is ended, and no other is begun. What goes wrong is
// logged.
void RunHooks(const std::string& directory, const std::string& event,
              std::chrono::milliseconds time = kHooksTime);

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_HOOKS_H_
