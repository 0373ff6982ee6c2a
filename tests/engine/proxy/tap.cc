// A tap device: the wire's end at a kernel's TCP.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tap.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace stubdomain {
namespace {

// virtio 1.2, 5.1.6. The header of the same name in the kernel's headers
// cannot be included by C++ with -Wpedantic.
struct VirtioHeader {
  uint8_t flags = 0;
  uint8_t gso_type = 0;
  uint16_t header_length = 0;
  uint16_t gso_size = 0;
  uint16_t csum_start = 0;
  uint16_t csum_offset = 0;
};
static_assert(sizeof(VirtioHeader) == 10);
constexpr int kHeaderSize = sizeof(VirtioHeader);

constexpr uint8_t kNeedsCsum = 1;
constexpr uint8_t kDataValid = 2;
constexpr uint8_t kGsoEcn = 0x80;
// By sd_gso.
constexpr std::array<uint8_t, 5> kGsoTypes = {0, 1, 3, 4, 5};

int Check(int result, const std::string& what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

UniqueFd OpenFile(const std::string& path, int flags) {
  return UniqueFd(Check(open(path.c_str(), flags | O_CLOEXEC), path));
}

sd_gso GsoOf(uint8_t type) {
  for (size_t i = 0; i < kGsoTypes.size(); ++i) {
    if (kGsoTypes[i] == (type & ~kGsoEcn)) return static_cast<sd_gso>(i);
  }
  throw std::runtime_error("a GSO type that was not asked for");
}

sd_offload FromVirtio(const VirtioHeader& header) {
  return {
      .needs_csum = (header.flags & kNeedsCsum) != 0,
      .data_valid = (header.flags & kDataValid) != 0,
      .ecn = (header.gso_type & kGsoEcn) != 0,
      .gso = GsoOf(header.gso_type),
      .gso_size = header.gso_size,
      .header_len = header.header_length,
      .csum_start = header.csum_start,
      .csum_offset = header.csum_offset,
  };
}

VirtioHeader ToVirtio(const sd_offload& offload) {
  VirtioHeader header;
  // What the receiver is told: "verified" is the receiving kernel's business.
  header.flags = offload.needs_csum ? kNeedsCsum : 0;
  header.gso_type = kGsoTypes[offload.gso];
  if (offload.ecn) header.gso_type |= kGsoEcn;
  header.header_length = offload.header_len;
  header.gso_size = offload.gso_size;
  header.csum_start = offload.csum_start;
  header.csum_offset = offload.csum_offset;
  return header;
}

}  // namespace

Tap::Tap(const std::string& netns, const std::string& name, bool offload) {
  const UniqueFd ours = OpenFile("/proc/self/ns/net", O_RDONLY);
  const UniqueFd theirs = OpenFile("/run/netns/" + netns, O_RDONLY);
  Check(setns(theirs.get(), CLONE_NEWNET), "setns");
  fd_ = OpenFile("/dev/net/tun", O_RDWR | O_NONBLOCK);
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  Check(ioctl(fd_.get(), TUNSETIFF, &request), name);
  int header_size = kHeaderSize;
  Check(ioctl(fd_.get(), TUNSETVNETHDRSZ, &header_size), "TUNSETVNETHDRSZ");
  const unsigned long features =
      offload ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN : 0;
  Check(ioctl(fd_.get(), TUNSETOFFLOAD, features), "TUNSETOFFLOAD");
  Check(setns(ours.get(), CLONE_NEWNET), "setns");
}

std::optional<OwnedFrame> Tap::Read() {
  VirtioHeader header;
  OwnedFrame frame;
  frame.bytes.resize(SD_FRAME_MAX);
  const std::array<iovec, 2> parts = {
      {{&header, kHeaderSize}, {frame.bytes.data(), frame.bytes.size()}}};
  const ssize_t length = readv(fd_.get(), parts.data(), parts.size());
  if (length < 0 && errno == EAGAIN) return {};
  Check(static_cast<int>(length), "read from the tap");
  frame.bytes.resize(static_cast<size_t>(length) - kHeaderSize);
  frame.offload = FromVirtio(header);
  return frame;
}

void Tap::Write(const OwnedFrame& frame) {
  VirtioHeader header = ToVirtio(frame.offload);
  const std::array<iovec, 2> parts = {
      {{&header, kHeaderSize},
       {const_cast<uint8_t*>(frame.bytes.data()), frame.bytes.size()}}};
  const ssize_t length = writev(fd_.get(), parts.data(), parts.size());
  // Anything but a full queue means that the frame itself is wrong.
  if (length < 0 && errno != EAGAIN && errno != ENOBUFS) {
    Check(-1, "write to the tap");
  }
}

}  // namespace stubdomain
