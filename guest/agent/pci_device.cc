// The stubdomain-pci device of this machine, through sysfs and UIO.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/pci_device.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "agent/log.h"
#include "hw/stubdomain/regs.h"

namespace stubdomain {
namespace {

namespace fs = std::filesystem;

constexpr char kDriver[] = "uio_pci_generic";

[[noreturn]] void Fail(const std::string& what) {
  throw DeviceError(what + ": " + std::strerror(errno));
}

std::string ReadLine(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// A sysfs attribute takes its value in one write. Returns 0 or an errno value.
int WriteAttribute(const fs::path& path, const std::string& value) {
  UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  return write(file.get(), value.data(), value.size()) < 0 ? errno : 0;
}

bool HasId(const fs::path& path, unsigned id) {
  return std::strtoul(ReadLine(path).c_str(), nullptr, 16) == id;
}

fs::path FindDevice(const fs::path& sys) {
  std::error_code error;
  for (const auto& entry :
       fs::directory_iterator(sys / "bus/pci/devices", error)) {
    if (HasId(entry.path() / "vendor", STUBDOMAIN_PCI_VENDOR_ID) &&
        HasId(entry.path() / "device", STUBDOMAIN_PCI_DEVICE_ID)) {
      return entry.path();
    }
  }
  throw DeviceError("this machine has no stubdomain-pci device (1af4:10f0)");
}

UniqueFd LockConfig(const fs::path& directory) {
  const fs::path path = directory / "config";
  UniqueFd config(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!config) Fail(path);
  if (flock(config.get(), LOCK_EX | LOCK_NB) != 0) {
    throw DeviceError("another agent has the device");
  }
  return config;
}

void LoadDriver(const fs::path& sys) {
  if (fs::exists(sys / "bus/pci/drivers" / kDriver)) return;
  char program[] = "/sbin/modprobe";
  char quiet[] = "-q";
  std::string name = kDriver;
  char* arguments[] = {program, quiet, name.data(), nullptr};
  char* environment[] = {nullptr};
  pid_t child;
  if (posix_spawn(&child, program, nullptr, nullptr, arguments, environment) ==
      0) {
    waitpid(child, nullptr, 0);
  }
}

// Where UIO is missing the device works without it, so failures only show in
// that no uioN appears.
UniqueFd OpenUio(const PciDevice::Roots& roots, const fs::path& directory) {
  const std::string address = directory.filename();
  LoadDriver(roots.sys);
  if (!fs::exists(directory / "driver")) {
    WriteAttribute(directory / "driver_override", kDriver);
    WriteAttribute(roots.sys / "bus/pci/drivers_probe", address);
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory / "uio", error)) {
    const fs::path path = roots.dev / entry.path().filename();
    UniqueFd uio(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (uio) return uio;
    Log(path.string() + ": " + std::strerror(errno));
  }
  // The driver would have done it.
  const int failure = WriteAttribute(directory / "enable", "1");
  if (failure != 0 && !fs::exists(directory / "driver")) {
    errno = failure;
    Fail((directory / "enable").string());
  }
  return UniqueFd();
}

}  // namespace

Mapping::Mapping(const fs::path& path, size_t size) : size_(size) {
  UniqueFd file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file) Fail(path);
  memory_ =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (memory_ == MAP_FAILED) Fail(path);
}

Mapping::~Mapping() { munmap(memory_, size_); }

PciDevice::PciDevice(const Roots& roots)
    : directory_(FindDevice(roots.sys)),
      address_(directory_.filename()),
      config_(LockConfig(directory_)),
      uio_(OpenUio(roots, directory_)),
      regs_(directory_ / ("resource" + std::to_string(STUBDOMAIN_BAR_REGS)),
            STUBDOMAIN_REGS_SIZE),
      mailbox_(
          directory_ / ("resource" + std::to_string(STUBDOMAIN_BAR_MAILBOX)),
          STUBDOMAIN_MAILBOX_SIZE) {
  if (Read(STUBDOMAIN_REG_MAGIC) != STUBDOMAIN_MAGIC) {
    throw DeviceError(address_ + " does not answer as a stubdomain-pci device");
  }
  const uint32_t revision = Read(STUBDOMAIN_REG_REVISION);
  if (revision != STUBDOMAIN_REVISION) {
    throw DeviceError(address_ + " has revision " + std::to_string(revision) +
                      ", this agent knows revision " +
                      std::to_string(STUBDOMAIN_REVISION));
  }
}

uint32_t PciDevice::Read(uint32_t reg) {
  const auto* regs = static_cast<const volatile uint32_t*>(regs_.get());
  return le32toh(regs[reg / sizeof(uint32_t)]);
}

void PciDevice::Write(uint32_t reg, uint32_t value) {
  auto* regs = static_cast<volatile uint32_t*>(regs_.get());
  regs[reg / sizeof(uint32_t)] = htole32(value);
}

void PciDevice::WriteRequest(std::string_view request) {
  auto* mailbox = static_cast<volatile char*>(mailbox_.get());
  // Volatile, so that all of it is there before the doorbell rings.
  for (size_t i = 0; i < request.size(); i++) mailbox[i] = request[i];
}

std::string PciDevice::ReadResponse(size_t length) {
  const auto* mailbox = static_cast<const volatile char*>(mailbox_.get()) +
                        STUBDOMAIN_RESPONSE_OFFSET;
  std::string response(length, '\0');
  for (size_t i = 0; i < length; i++) response[i] = mailbox[i];
  return response;
}

void PciDevice::TakeInterrupt() {
  // The number of interrupts so far. Causes are in the device's registers.
  uint32_t count;
  [[maybe_unused]] const ssize_t length =
      read(uio_.get(), &count, sizeof(count));
}

void PciDevice::EnableInterrupt() {
  uint16_t command;
  if (pread(config_.get(), &command, sizeof(command), PCI_COMMAND) !=
      sizeof(command)) {
    Fail((directory_ / "config").string());
  }
  command = le16toh(command) & static_cast<uint16_t>(~PCI_COMMAND_INTX_DISABLE);
  command = htole16(command);
  if (pwrite(config_.get(), &command, sizeof(command), PCI_COMMAND) !=
      sizeof(command)) {
    Fail((directory_ / "config").string());
  }
}

}  // namespace stubdomain
