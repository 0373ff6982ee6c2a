// Where a program's socket stands: which connection it is, and whether a wait
// for its reply is over before it begins.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_PROGRAM_SOCKET_H_
#define STUBDOMAIN_GUEST_AGENT_PROGRAM_SOCKET_H_

#include <cstdint>
#include <optional>
#include <variant>

#include "protocol/endpoint.h"
#include "protocol/messages.h"

namespace stubdomain {

// What the kernel tells about a socket. Each call asks anew.
class TcpSocket {
 public:
  enum class State {
    kUnconnected,  // not yet, or no longer
    kOpen,         // the peer may still send
    kPeerClosed,   // all that the peer sent has come
    kFailed,       // reset, or timed out
  };
  struct Info {
    State state;
    std::optional<uint64_t> received;  // absent: the kernel is too old
  };

  virtual ~TcpSocket() = default;
  virtual Info GetInfo() = 0;
  // Bytes that can be read now.
  virtual uint64_t Readable() = 0;
  // Nothing if there is no peer.
  virtual std::optional<Flow> GetFlow() = 0;
};

// A real one. Throws RequestError (kInvalid) if `fd` is not a TCP socket. The
// caller keeps `fd`; nothing about the socket is changed.
class KernelTcpSocket : public TcpSocket {
 public:
  explicit KernelTcpSocket(int fd);
  Info GetInfo() override;
  uint64_t Readable() override;
  std::optional<Flow> GetFlow() override;

 private:
  const int fd_;
};

struct SocketWait {
  Flow flow;
  // What the program has read of the connection, for StubdomainWait.received:
  // whatever comes behind it is the reply.
  std::optional<uint64_t> received;
  // It is a listening socket: whoever connects to flow.guest is awaited, and
  // there is no flow.peer.
  bool listening = false;
};

// Either what to wait for, or how the wait already ended: with `wanted` bytes
// there to be read, or because the peer can send no more. Throws RequestError.
// `received`: see WaitRequest.received.
std::variant<SocketWait, Ended> ProbeSocket(
    TcpSocket& socket, uint64_t wanted,
    std::optional<uint64_t> received = std::nullopt);

// The same of a descriptor: a TCP socket, or a UDP socket that is connected,
// where any datagram is a reply, or a listening TCP socket. What comes between
// this call and the wait message, the program has to see itself: the kernel
// counts neither datagrams nor new connections.
std::variant<SocketWait, Ended> ProbeSocket(
    int fd, uint64_t wanted, std::optional<uint64_t> received = std::nullopt);

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_PROGRAM_SOCKET_H_
