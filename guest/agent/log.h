// The agent's messages for the administrator, on standard error.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_LOG_H_
#define STUBDOMAIN_GUEST_AGENT_LOG_H_

#include <cstdio>
#include <string>

namespace stubdomain {

inline void Log(const std::string& text) {
  std::fprintf(stderr, "stubdomain-agent: %s\n", text.c_str());
}

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_LOG_H_
