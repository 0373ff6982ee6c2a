// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/program_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>

#include "agent/loopback.h"

namespace stubdomain {
namespace {

using State = TcpSocket::State;

std::variant<SocketWait, Ended> Probe(const Loopback& loopback,
                                      uint64_t wanted = 1) {
  return ProbeSocket(loopback.guest(), wanted);
}

std::string RefusalOf(int fd) {
  try {
    ProbeSocket(fd, 1);
  } catch (const RequestError& error) {
    return error.what();
  }
  return "none";
}

TEST(ProbeSocket, ConnectionIsNamedInBothFamilies) {
  for (const auto kind : {Loopback::Kind::kIpv4, Loopback::Kind::kIpv6}) {
    Loopback loopback(kind);
    const auto wait = std::get<SocketWait>(Probe(loopback));
    EXPECT_EQ(wait.flow, loopback.flow());
    EXPECT_EQ(wait.flow.peer.host,
              kind == Loopback::Kind::kIpv4 ? "127.0.0.1" : "::1");
    EXPECT_NE(wait.flow.guest->port, wait.flow.peer.port);
    EXPECT_EQ(wait.received, 0u);
  }
}

TEST(ProbeSocket, Ipv4WithinIpv6IsNamedAsIpv4) {
  Loopback loopback(Loopback::Kind::kIpv4WithinIpv6);
  const auto wait = std::get<SocketWait>(Probe(loopback));
  EXPECT_EQ(wait.flow.guest->host, "127.0.0.1");
  EXPECT_EQ(wait.flow.peer.host, "127.0.0.1");
}

TEST(ProbeSocket, WhatWasReadIsReceivedAndNotReply) {
  Loopback loopback;
  loopback.Reply("hello");
  ASSERT_EQ(loopback.Read(5), "hello");
  EXPECT_EQ(std::get<SocketWait>(Probe(loopback)).received, 5u);
}

TEST(ProbeSocket, ReplyThatCanBeReadEndsTheWait) {
  Loopback loopback;
  loopback.Reply("hello");
  const auto ended = std::get<Ended>(Probe(loopback));
  EXPECT_EQ(ended.outcome, Outcome::kReplied);
  EXPECT_EQ(ended.bytes, 5u);
  EXPECT_EQ(ended.stub, std::nullopt);
  EXPECT_EQ(loopback.Read(10), "hello");
}

TEST(ProbeSocket, TooLittleOfTheReplyIsItsBeginning) {
  Loopback loopback;
  loopback.Reply("0123456789");
  ASSERT_EQ(loopback.Read(6), "012345");
  EXPECT_EQ(std::get<SocketWait>(Probe(loopback, 5)).received, 6u);
  EXPECT_EQ(std::get<Ended>(Probe(loopback, 4)).bytes, 4u);
}

TEST(ProbeSocket, PeerThatClosedEndsTheWait) {
  Loopback loopback;
  loopback.Reply("abc");
  loopback.ClosePeer();
  const auto enough = std::get<Ended>(Probe(loopback, 3));
  EXPECT_EQ(enough.outcome, Outcome::kReplied);
  const auto short_of = std::get<Ended>(Probe(loopback, 4));
  EXPECT_EQ(short_of.outcome, Outcome::kClosed);
  EXPECT_EQ(short_of.bytes, 3u);
}

TEST(ProbeSocket, OwnHalfCloseDoesNotEndTheWait) {
  Loopback loopback;
  shutdown(loopback.guest(), SHUT_WR);
  EXPECT_TRUE(std::holds_alternative<SocketWait>(Probe(loopback)));
}

TEST(ProbeSocket, ResetEndsTheWaitAndIsLeftToTheProgram) {
  Loopback loopback;
  loopback.ResetByPeer();
  EXPECT_EQ(std::get<Ended>(Probe(loopback)).outcome, Outcome::kReset);
  EXPECT_EQ(std::get<Ended>(Probe(loopback)).outcome, Outcome::kReset);
  char byte;
  EXPECT_EQ(recv(loopback.guest(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
  EXPECT_EQ(RefusalOf(loopback.guest()), "the socket is not connected");
}

TEST(ProbeSocket, OtherDescriptorsAreRefused) {
  const std::string refusal =
      "the descriptor is not a TCP or UDP socket over IPv4 or IPv6";
  const UniqueFd null(open("/dev/null", O_RDWR));
  EXPECT_EQ(RefusalOf(null.get()), refusal);
  const UniqueFd local(socket(AF_UNIX, SOCK_STREAM, 0));
  EXPECT_EQ(RefusalOf(local.get()), refusal);
}

TEST(ProbeSocket, SocketsWithoutAPeerAreRefused) {
  const UniqueFd fresh(socket(AF_INET, SOCK_STREAM, 0));
  EXPECT_EQ(RefusalOf(fresh.get()), "the socket is not connected");
}

TEST(ProbeSocket, ListenerWaitsUntilSomebodyConnects) {
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* name = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(listener.get(), name, length), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  getsockname(listener.get(), name, &length);
  const auto wait = std::get<SocketWait>(ProbeSocket(listener.get(), 1));
  EXPECT_TRUE(wait.listening);
  EXPECT_EQ(wait.flow.guest->host, "127.0.0.1");
  EXPECT_EQ(wait.flow.guest->port, ntohs(address.sin_port));
  const UniqueFd client(socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(connect(client.get(), name, length), 0);
  const auto ended = std::get<Ended>(ProbeSocket(listener.get(), 1));
  EXPECT_EQ(ended.outcome, Outcome::kReplied);
}

// Two UDP sockets, the first connected to the second.
struct Datagrams {
  Datagrams() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* name = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(peer.get(), name, length), 0);
    EXPECT_EQ(getsockname(peer.get(), name, &length), 0);
    port = ntohs(address.sin_port);
    EXPECT_EQ(connect(guest.get(), name, length), 0);
    EXPECT_EQ(getsockname(guest.get(), name, &length), 0);
    EXPECT_EQ(connect(peer.get(), name, length), 0);
  }

  UniqueFd guest{socket(AF_INET, SOCK_DGRAM, 0)};
  UniqueFd peer{socket(AF_INET, SOCK_DGRAM, 0)};
  uint16_t port = 0;
};

TEST(ProbeSocket, ConnectedUdpSocketIsNamed) {
  const Datagrams datagrams;
  const auto probe = ProbeSocket(datagrams.guest.get(), 1);
  const auto& wait = std::get<SocketWait>(probe);
  EXPECT_TRUE(wait.flow.udp);
  EXPECT_EQ(wait.flow.peer, (Endpoint{"127.0.0.1", datagrams.port}));
  EXPECT_FALSE(wait.received);
}

TEST(ProbeSocket, AnyDatagramIsAReply) {
  const Datagrams datagrams;
  ASSERT_EQ(send(datagrams.peer.get(), "", 0, 0), 0);
  const auto probe = ProbeSocket(datagrams.guest.get(), 1000);
  EXPECT_EQ(std::get<Ended>(probe).outcome, Outcome::kReplied);
}

TEST(ProbeSocket, UdpSocketWithoutAPeerIsRefused) {
  const UniqueFd udp(socket(AF_INET, SOCK_DGRAM, 0));
  EXPECT_EQ(RefusalOf(udp.get()), "the socket is not connected");
}

// A socket on which `between` bytes come after GetInfo(), before Readable().
class RacingSocket : public TcpSocket {
 public:
  RacingSocket(uint64_t received, uint64_t readable, uint64_t between)
      : received_(received), readable_(readable), between_(between) {}

  Info GetInfo() override {
    const Info info{State::kOpen, received_};
    received_ += between_;
    readable_ += between_;
    between_ = 0;
    return info;
  }
  uint64_t Readable() override { return readable_; }
  std::optional<Flow> GetFlow() override {
    return Flow{.guest = Endpoint{"10.0.2.15", 4000}, .peer = {"10.0.2.2", 80}};
  }

 private:
  uint64_t received_;
  uint64_t readable_;
  uint64_t between_;
};

TEST(ProbeSocket, ReplyThatComesWhileLookingIsNotMissed) {
  RacingSocket enough(100, 0, 10);
  EXPECT_EQ(std::get<Ended>(ProbeSocket(enough, 10)).bytes, 10u);
  // Read so far: 100. A base beyond that would miss bytes, one below it only
  // wakes early.
  RacingSocket too_little(100, 0, 10);
  EXPECT_LE(std::get<SocketWait>(ProbeSocket(too_little, 11)).received, 100u);
}

TEST(ProbeSocket, BaseNeverGoesBelowZero) {
  RacingSocket socket(0, 0, 10);
  EXPECT_EQ(std::get<SocketWait>(ProbeSocket(socket, 11)).received, 0u);
}

// Of a kernel before 4.1.
class OldKernelSocket : public RacingSocket {
 public:
  OldKernelSocket() : RacingSocket(0, 0, 0) {}
  Info GetInfo() override { return {State::kOpen, std::nullopt}; }
};

TEST(ProbeSocket, KernelThatDoesNotCountLeavesReceivedOut) {
  OldKernelSocket socket;
  EXPECT_EQ(std::get<SocketWait>(ProbeSocket(socket, 1)).received,
            std::nullopt);
}

}  // namespace
}  // namespace stubdomain
