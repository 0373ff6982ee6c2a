// The stubdomain-pci device as the agent uses it; tests have a fake one.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_DEVICE_H_
#define STUBDOMAIN_GUEST_AGENT_DEVICE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace stubdomain {

// Registers and mailbox are those of hw/stubdomain/regs.h.
class Device {
 public:
  virtual ~Device() = default;

  virtual uint32_t Read(uint32_t reg) = 0;
  virtual void Write(uint32_t reg, uint32_t value) = 0;
  // At most STUBDOMAIN_REQUEST_MAX bytes.
  virtual void WriteRequest(std::string_view request) = 0;
  // At most STUBDOMAIN_RESPONSE_MAX bytes.
  virtual std::string ReadResponse(size_t length) = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_DEVICE_H_
