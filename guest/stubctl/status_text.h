// The stub domain's status as text for a person.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_STUBCTL_STATUS_TEXT_H_
#define STUBDOMAIN_GUEST_STUBCTL_STATUS_TEXT_H_

#include <nlohmann/json.hpp>
#include <string>

namespace stubdomain {

// `status` is the agent's answer to a status request. Throws JsonError.
std::string StatusText(const nlohmann::json& status);

// The same of what it says of threads.
std::string ThreadsText(const nlohmann::json& threads);

// `decisions` is the agent's answer to a history request.
std::string HistoryText(const nlohmann::json& decisions);

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_STUBCTL_STATUS_TEXT_H_
