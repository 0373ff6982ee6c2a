// Requests to the device through its mailbox: JSON in, JSON out.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_MAILBOX_H_
#define STUBDOMAIN_GUEST_AGENT_MAILBOX_H_

#include <nlohmann/json.hpp>

#include "agent/device.h"

namespace stubdomain {

class Mailbox {
 public:
  // `device` must outlive the mailbox.
  explicit Mailbox(Device& device) : device_(device) {}

  // Takes a StubdomainGuestRequest and returns the StubdomainGuestResponse.
  // Throws RequestError: kInvalid and kRefused with the device's text, kDevice
  // if the device made no sense.
  nlohmann::json Call(const nlohmann::json& request);

 private:
  Device& device_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_MAILBOX_H_
