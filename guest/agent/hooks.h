// Programs of the administrator that run when the machine was restored.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_HOOKS_H_
#define STUBDOMAIN_GUEST_AGENT_HOOKS_H_

#include <chrono>
#include <string>

namespace stubdomain {

inline constexpr char kPostRestoreHooks[] = "/etc/stubdomain/post.d";
// For all hooks together. The host waits for ready-timeout, 1 s, before it
// hands the replies over in any case.
inline constexpr std::chrono::milliseconds kHooksTime{800};

// Runs the executable files in `directory` one after the other, in the order of
// their names; a name is of letters, digits, '-' and '_', as for run-parts(8).
// Each gets `event` as its only argument, and no input. One that is not done
// when `time` is over is ended, and no other is begun. What goes wrong is
// logged.
void RunHooks(const std::string& directory, const std::string& event,
              std::chrono::milliseconds time = kHooksTime);

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_HOOKS_H_
