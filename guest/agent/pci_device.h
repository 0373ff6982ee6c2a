// The stubdomain-pci device of this machine, through sysfs and UIO.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_PCI_DEVICE_H_
#define STUBDOMAIN_GUEST_AGENT_PCI_DEVICE_H_

#include <filesystem>
#include <stdexcept>
#include <string>

#include "agent/device.h"
#include "protocol/unique_fd.h"

namespace stubdomain {

class DeviceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Memory of a BAR, mapped.
class Mapping {
 public:
  // Throws DeviceError.
  Mapping(const std::filesystem::path& file, size_t size);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  volatile void* get() const { return memory_; }

 private:
  void* memory_;
  const size_t size_;
};

class PciDevice final : public Device {
 public:
  // Where the kernel shows its devices; tests have their own.
  struct Roots {
    std::filesystem::path sys = "/sys";
    std::filesystem::path dev = "/dev";
  };

  // Finds the device, locks it against a second agent, binds uio_pci_generic
  // to it if there is such a driver, and maps it. Throws DeviceError, which
  // names what is missing.
  explicit PciDevice(const Roots& roots);

  uint32_t Read(uint32_t reg) override;
  void Write(uint32_t reg, uint32_t value) override;
  void WriteRequest(std::string_view request) override;
  std::string ReadResponse(size_t length) override;

  // Readable after an interrupt; -1 if there is no UIO: then poll.
  int interrupt_fd() const { return uio_.get(); }
  // To be called when interrupt_fd() is readable, before the device is asked.
  void TakeInterrupt();
  // Lets the device interrupt (again); UIO switches that off each time.
  void EnableInterrupt();

  const std::string& address() const { return address_; }

 private:
  const std::filesystem::path directory_;
  const std::string address_;  // "0000:00:04.0"
  const UniqueFd config_;      // PCI configuration space; holds the lock
  const UniqueFd uio_;
  const Mapping regs_;
  const Mapping mailbox_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_PCI_DEVICE_H_
