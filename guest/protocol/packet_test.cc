// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "protocol/packet.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace stubdomain {
namespace {

class PacketTest : public testing::Test {
 protected:
  PacketTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    ours_ = UniqueFd(ends[0]);
    theirs_ = UniqueFd(ends[1]);
  }

  // SendPacket() sends kMaxDescriptors at most.
  void SendDescriptors(size_t count) {
    char byte = 'x';
    iovec part{&byte, 1};
    alignas(cmsghdr) char
        control[CMSG_SPACE(sizeof(int) * 2 * kMaxDescriptors)] = {};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    cmsghdr* item = CMSG_FIRSTHDR(&header);
    item->cmsg_level = SOL_SOCKET;
    item->cmsg_type = SCM_RIGHTS;
    item->cmsg_len = CMSG_LEN(sizeof(int) * count);
    for (size_t i = 0; i < count; i++) {
      const int fd = ours_.get();
      std::memcpy(CMSG_DATA(item) + i * sizeof(int), &fd, sizeof(fd));
    }
    ASSERT_EQ(sendmsg(ours_.get(), &header, 0), 1);
  }

  static size_t OpenDescriptors() {
    size_t count = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/self/fd")) {
      count += entry.path().filename() != "";
    }
    return count;
  }

  UniqueFd ours_;
  UniqueFd theirs_;
  Packet packet_;
};

TEST_F(PacketTest, DescriptorArrivesCloseOnExec) {
  const UniqueFd null(open("/dev/null", O_RDWR));
  ASSERT_EQ(SendPacket(ours_.get(), "hello", std::array{null.get()}), 0);
  ASSERT_EQ(ReceivePacket(theirs_.get(), 100, packet_), Received::kPacket);
  EXPECT_EQ(packet_.data, "hello");
  ASSERT_EQ(packet_.fds.size(), 1u);
  EXPECT_TRUE(fcntl(packet_.fds[0].get(), F_GETFD) & FD_CLOEXEC);
  struct stat sent, received;
  fstat(null.get(), &sent);
  fstat(packet_.fds[0].get(), &received);
  EXPECT_EQ(sent.st_rdev, received.st_rdev);
}

TEST_F(PacketTest, MessageAtTheLimitIsWholeAndBeyondMarked) {
  SendPacket(ours_.get(), "12345");
  ASSERT_EQ(ReceivePacket(theirs_.get(), 5, packet_), Received::kPacket);
  EXPECT_EQ(packet_.data, "12345");
  EXPECT_FALSE(packet_.truncated);
  SendPacket(ours_.get(), "123456");
  ASSERT_EQ(ReceivePacket(theirs_.get(), 5, packet_), Received::kPacket);
  EXPECT_TRUE(packet_.truncated);
}

TEST_F(PacketTest, DescriptorsAtTheBoundAllArrive) {
  const UniqueFd null(open("/dev/null", O_RDWR));
  const std::vector<int> fds(kMaxDescriptors, null.get());
  ASSERT_EQ(SendPacket(ours_.get(), "hello", fds), 0);
  ASSERT_EQ(ReceivePacket(theirs_.get(), 100, packet_), Received::kPacket);
  EXPECT_FALSE(packet_.surplus);
  EXPECT_EQ(packet_.fds.size(), kMaxDescriptors);
}

TEST_F(PacketTest, SurplusDescriptorsAreAllClosed) {
  for (const size_t count :
       {kMaxDescriptors + 1, kMaxDescriptors + 2, 2 * kMaxDescriptors}) {
    SendDescriptors(count);
    const size_t before = OpenDescriptors();
    ASSERT_EQ(ReceivePacket(theirs_.get(), 100, packet_), Received::kPacket);
    EXPECT_TRUE(packet_.surplus);
    EXPECT_TRUE(packet_.fds.empty());
    EXPECT_EQ(OpenDescriptors(), before) << count;
  }
}

TEST_F(PacketTest, NothingThereAndEndAreToldApart) {
  EXPECT_EQ(ReceivePacket(theirs_.get(), 100, packet_), Received::kNothing);
  ours_.Reset();
  EXPECT_EQ(ReceivePacket(theirs_.get(), 100, packet_), Received::kEnd);
}

TEST_F(PacketTest, LastMessageOfOneThatDidNotReadIsStillRead) {
  SendPacket(theirs_.get(), "never read");
  SendPacket(ours_.get(), "last words");
  ours_.Reset();
  ASSERT_EQ(ReceivePacket(theirs_.get(), 100, packet_), Received::kPacket);
  EXPECT_EQ(packet_.data, "last words");
  EXPECT_EQ(ReceivePacket(theirs_.get(), 100, packet_), Received::kEnd);
}

TEST_F(PacketTest, SendingToNobodyIsAnErrorAndNoSignal) {
  theirs_.Reset();
  EXPECT_EQ(SendPacket(ours_.get(), "x"), EPIPE);
}

}  // namespace
}  // namespace stubdomain
