// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/detached_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "agent/loopback.h"
#include "agent/loopback_parameters.h"
#include "agent/program_socket.h"
#include "protocol/messages.h"

namespace stubdomain {
namespace {

constexpr uid_t kUser = 1000;

std::string Receive(int fd, size_t length) {
  std::string data(length, '\0');
  const ssize_t count = recv(fd, data.data(), length, MSG_WAITALL);
  data.resize(std::max<ssize_t>(count, 0));
  return data;
}

void Send(int fd, const std::string& data) {
  ASSERT_EQ(send(fd, data.data(), data.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(data.size()));
}

std::string NameOf(const testing::TestParamInfo<Loopback::Kind>& info) {
  constexpr const char* kNames[] = {"Ipv4", "Ipv6", "Ipv4WithinIpv6"};
  return kNames[static_cast<int>(info.param)];
}

class DetachedSocketTest : public testing::TestWithParam<Loopback::Kind> {
 protected:
  DetachedSocketTest() : loopback_(GetParam()) {}
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root, for TCP_REPAIR";
  }

  // Another socket for the connection of loopback_.guest(), still in repair.
  UniqueFd Move() {
    const auto parameters =
        ParametersFromJson(LoopbackParameters(loopback_.guest()));
    SocketInRepair repair(loopback_.guest());
    const DetachedSocket detached = repair.Look();
    repair.Disconnect();
    return RecreateSocket(detached, parameters, kUser);
  }

  Loopback loopback_;
};

TEST_P(DetachedSocketTest, TheConnectionGoesOnInAnotherSocket) {
  const Flow flow = loopback_.flow();
  UniqueFd socket = Move();
  LeaveRepair(socket.get());
  const auto wait = std::get<SocketWait>(ProbeSocket(socket.get(), 1));
  EXPECT_EQ(wait.flow, flow);
  Send(socket.get(), "question");
  EXPECT_EQ(Receive(loopback_.peer(), 8), "question");
  const std::string answer(1 << 20, 'x');
  std::thread sender([&] { Send(loopback_.peer(), answer); });
  EXPECT_EQ(Receive(socket.get(), answer.size()), answer);
  sender.join();
  socket.Reset();
  EXPECT_EQ(Receive(loopback_.peer(), 1), "");
}

TEST_P(DetachedSocketTest, WhatWasNotReadIsThereAgain) {
  loopback_.Reply("head body");
  EXPECT_EQ(loopback_.Read(5), "head ");
  const UniqueFd socket = Move();
  LeaveRepair(socket.get());
  Send(loopback_.peer(), " tail");
  EXPECT_EQ(Receive(socket.get(), 9), "body tail");
}

TEST_P(DetachedSocketTest, AsMuchAsMayBeUnreadFits) {
  const std::string unread(kMaxUnread, 'u');
  std::thread sender([&] { Send(loopback_.peer(), unread); });
  sender.join();
  while (KernelTcpSocket(loopback_.guest()).Readable() != kMaxUnread) {
    std::this_thread::yield();
  }
  const UniqueFd socket = Move();
  LeaveRepair(socket.get());
  EXPECT_EQ(Receive(socket.get(), kMaxUnread), unread);
}

TEST_P(DetachedSocketTest, MoreThanThatIsForTheProgramToRead) {
  Send(loopback_.peer(), std::string(kMaxUnread + 1, 'u'));
  while (KernelTcpSocket(loopback_.guest()).Readable() != kMaxUnread + 1) {
    std::this_thread::yield();
  }
  EXPECT_THROW(SocketInRepair{loopback_.guest()}, RequestError);
}

TEST_P(DetachedSocketTest, ThePeerHearsNothingOfTheOldOne) {
  const UniqueFd other(dup(loopback_.guest()));
  const UniqueFd socket = Move();
  char byte;
  EXPECT_EQ(recv(loopback_.peer(), &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(send(other.get(), "x", 1, MSG_NOSIGNAL), -1);
}

TEST_P(DetachedSocketTest, LeftAloneTheSocketIsAsItWas) {
  const int reuse = 1;
  setsockopt(loopback_.guest(), SOL_SOCKET, SO_REUSEADDR, &reuse,
             sizeof(reuse));
  { SocketInRepair repair(loopback_.guest()); }
  int now = 0;
  socklen_t length = sizeof(now);
  getsockopt(loopback_.guest(), SOL_SOCKET, SO_REUSEADDR, &now, &length);
  EXPECT_EQ(now, 1);
  Send(loopback_.guest(), "question");
  EXPECT_EQ(Receive(loopback_.peer(), 8), "question");
}

TEST_P(DetachedSocketTest, TheNewOneIsTheUsers) {
  const UniqueFd socket = Move();
  struct stat info;
  ASSERT_EQ(fstat(socket.get(), &info), 0);
  EXPECT_EQ(info.st_uid, kUser);
}

INSTANTIATE_TEST_SUITE_P(Families, DetachedSocketTest,
                         testing::Values(Loopback::Kind::kIpv4,
                                         Loopback::Kind::kIpv6,
                                         Loopback::Kind::kIpv4WithinIpv6),
                         NameOf);

// Its name may be that of a connection of somebody else's here.
TEST(SocketInRepair, OneOfAnotherNetworkIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  UniqueFd socket_there;
  std::thread([&] {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    socket_there = UniqueFd(socket(AF_INET, SOCK_STREAM, 0));
  }).join();
  try {
    SocketInRepair repair(socket_there.get());
    FAIL();
  } catch (const RequestError& error) {
    EXPECT_EQ(error.reason(), Reason::kDenied);
  }
}

TEST(ParametersFromJson, WhatIsMissingIsNamed) {
  nlohmann::json object = {{"send-next", 1},
                           {"receive-next", 2},
                           {"send-window", 3},
                           {"receive-window", 4},
                           {"mss", 5}};
  EXPECT_FALSE(ParametersFromJson(object).timestamp);
  object.erase("mss");
  EXPECT_THROW(ParametersFromJson(object), JsonError);
}

TEST(ForgottenBytes, BelongToOneSocketAndAreBounded) {
  Loopback loopback;
  ForgottenBytes bytes;
  bytes.Remember(loopback.guest(), 7);
  EXPECT_EQ(bytes.Of(loopback.guest()), 7u);
  EXPECT_EQ(bytes.Of(loopback.peer()), 0u);
  for (size_t i = 1; i < ForgottenBytes::kMaxRemembered; i++) {
    bytes.Remember(loopback.peer(), 8);
  }
  EXPECT_EQ(bytes.Of(loopback.guest()), 7u);
  bytes.Remember(loopback.peer(), 8);
  EXPECT_EQ(bytes.Of(loopback.guest()), 0u);
}

}  // namespace
}  // namespace stubdomain
