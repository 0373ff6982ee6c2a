// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/pci_device.h"

#include <endian.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "hw/stubdomain/regs.h"

namespace stubdomain {
namespace {

namespace fs = std::filesystem;

constexpr char kAddress[] = "0000:00:04.0";

// A directory that looks as sysfs does to the agent.
class PciDeviceTest : public testing::Test {
 protected:
  PciDeviceTest() {
    std::string name = testing::TempDir() + "pci-XXXXXX";
    root_ = mkdtemp(name.data());
    fs::create_directories(root_ / "sys/bus/pci/drivers/uio_pci_generic");
    fs::create_directories(root_ / "dev");
    Write("sys/bus/pci/drivers_probe", "");
    AddDevice("0000:00:03.0", "0x1af4", "0x1041");
    AddDevice(kAddress, "0x1af4", "0x10f0");
    SetRegister(STUBDOMAIN_REG_MAGIC, STUBDOMAIN_MAGIC);
    SetRegister(STUBDOMAIN_REG_REVISION, STUBDOMAIN_REVISION);
  }
  ~PciDeviceTest() override { fs::remove_all(root_); }

  fs::path device() const { return root_ / "sys/bus/pci/devices" / kAddress; }

  void Write(const fs::path& path, const std::string& content) {
    std::ofstream(root_ / path) << content;
  }

  std::string Content(const fs::path& path) {
    std::ostringstream content;
    content << std::ifstream(path).rdbuf();
    return content.str();
  }

  void AddDevice(const std::string& address, const std::string& vendor,
                 const std::string& id) {
    const fs::path directory = fs::path("sys/bus/pci/devices") / address;
    fs::create_directories(root_ / directory);
    Write(directory / "vendor", vendor + "\n");
    Write(directory / "device", id + "\n");
    Write(directory / "enable", "");
    Write(directory / "driver_override", "");
    // Interrupt Disable and two other bits of the command register are set.
    Write(directory / "config", std::string("\xf4\x1a\xf0\x10\x03\x04\0\0", 8));
    Write(directory / "resource0", std::string(STUBDOMAIN_REGS_SIZE, '\0'));
    Write(directory / "resource2", std::string(STUBDOMAIN_MAILBOX_SIZE, '\0'));
  }

  void AddUio() {
    fs::create_directories(device() / "uio/uio7");
    Write("dev/uio7", std::string("\1\0\0\0", 4));
  }

  void SetRegister(uint32_t reg, uint32_t value) {
    const uint32_t little = htole32(value);
    std::fstream file(device() / "resource0",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(reg);
    file.write(reinterpret_cast<const char*>(&little), sizeof(little));
  }

  PciDevice::Roots Roots() const { return {root_ / "sys", root_ / "dev"}; }

  std::string ErrorOf() {
    try {
      PciDevice device(Roots());
    } catch (const DeviceError& error) {
      return error.what();
    }
    return "none";
  }

  fs::path root_;
};

TEST_F(PciDeviceTest, DeviceIsFoundByItsIdAndBoundToUio) {
  AddUio();
  PciDevice found(Roots());
  EXPECT_EQ(found.address(), kAddress);
  EXPECT_GE(found.interrupt_fd(), 0);
  EXPECT_EQ(Content(device() / "driver_override"), "uio_pci_generic");
  EXPECT_EQ(Content(root_ / "sys/bus/pci/drivers_probe"), kAddress);
}

TEST_F(PciDeviceTest, WithoutUioTheDeviceIsEnabledAndPolled) {
  PciDevice found(Roots());
  EXPECT_EQ(found.interrupt_fd(), -1);
  EXPECT_EQ(Content(device() / "enable"), "1");
}

TEST_F(PciDeviceTest, RegistersAndMailboxAreTheBars) {
  PciDevice found(Roots());
  EXPECT_EQ(found.Read(STUBDOMAIN_REG_MAGIC), STUBDOMAIN_MAGIC);
  found.Write(STUBDOMAIN_REG_REQUEST_LENGTH, 0x12345678);
  EXPECT_EQ(found.Read(STUBDOMAIN_REG_REQUEST_LENGTH), 0x12345678u);
  found.WriteRequest("hello");
  EXPECT_EQ(Content(device() / "resource2").substr(0, 5), "hello");
  EXPECT_EQ(found.ReadResponse(3), std::string(3, '\0'));
}

TEST_F(PciDeviceTest, ResponseIsReadFromTheSecondHalf) {
  std::fstream(device() / "resource2",
               std::ios::in | std::ios::out | std::ios::binary)
          .seekp(STUBDOMAIN_RESPONSE_OFFSET)
      << "response";
  PciDevice found(Roots());
  EXPECT_EQ(found.ReadResponse(8), "response");
}

TEST_F(PciDeviceTest, EnablingTheInterruptClearsThatBitAlone) {
  AddUio();
  PciDevice found(Roots());
  found.EnableInterrupt();
  EXPECT_EQ(Content(device() / "config"),
            std::string("\xf4\x1a\xf0\x10\x03\x00\0\0", 8));
}

TEST_F(PciDeviceTest, SecondAgentIsKeptOut) {
  PciDevice first(Roots());
  EXPECT_EQ(ErrorOf(), "another agent has the device");
}

TEST_F(PciDeviceTest, MachineWithoutTheDeviceIsToldSo) {
  fs::remove_all(device());
  EXPECT_EQ(ErrorOf(), "this machine has no stubdomain-pci device (1af4:10f0)");
}

TEST_F(PciDeviceTest, OtherRevisionIsRefused) {
  SetRegister(STUBDOMAIN_REG_REVISION, 2);
  EXPECT_EQ(ErrorOf(),
            "0000:00:04.0 has revision 2, this agent knows revision 1");
}

TEST_F(PciDeviceTest, DeviceWithoutTheMagicIsRefused) {
  SetRegister(STUBDOMAIN_REG_MAGIC, UINT32_MAX);
  EXPECT_EQ(ErrorOf(),
            "0000:00:04.0 does not answer as a stubdomain-pci device");
}

}  // namespace
}  // namespace stubdomain
