// Taking a TCP connection from its socket, and giving it to a new one, by
// Linux's TCP_REPAIR. Nothing is sent while a socket is in that mode, not even
// when it is closed.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_DETACHED_SOCKET_H_
#define STUBDOMAIN_GUEST_AGENT_DETACHED_SOCKET_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "protocol/unique_fd.h"

namespace stubdomain {

// Bytes that came, and that the program has not read, are kept for the new
// socket. More of them are for the program to read first: they have to fit into
// the buffer of any new socket.
inline constexpr size_t kMaxUnread = 64 * 1024;

// What the new socket needs and the stub domain cannot know.
struct DetachedSocket {
  sockaddr_storage guest{};
  sockaddr_storage peer{};
  socklen_t length = 0;       // of both
  uint32_t receive_next = 0;  // sequence number of the next byte that comes
  uint64_t received = 0;      // tcpi_bytes_received
  std::string unread;         // the last bytes before `receive_next`
};

// A socket while it is in repair mode. The caller keeps `fd`.
class SocketInRepair {
 public:
  // Throws RequestError: kBusy if the peer has not acknowledged all that was
  // written, which passes by itself.
  explicit SocketInRepair(int fd);
  // Leaves the mode: the socket is as it was.
  ~SocketInRepair();
  SocketInRepair(const SocketInRepair&) = delete;
  SocketInRepair& operator=(const SocketInRepair&) = delete;

  // Throws RequestError. For the result to last, what comes from the network
  // must not reach the socket any more.
  DetachedSocket Look() const;
  // Takes the connection from the socket, whoever else holds it. (If that
  // failed, the new socket could not be made, which says so.)
  void Disconnect() noexcept;

 private:
  const int fd_;
  int reuse_address_ = 0;  // the mode overwrites it
};

// StubdomainFlowParameters of qapi/stubdomain.json, without the flow.
struct SocketParameters {
  uint32_t send_next;
  uint32_t receive_next;
  uint32_t send_window;
  uint32_t receive_window;
  std::optional<uint8_t> send_shift;  // both or neither
  std::optional<uint8_t> receive_shift;
  uint16_t mss;
  bool sack;
  std::optional<uint32_t> timestamp;
};

// Throws JsonError.
SocketParameters ParametersFromJson(const nlohmann::json& json);

// A new socket of user `owner` for the connection, in repair mode. Throws
// RequestError.
UniqueFd RecreateSocket(const DetachedSocket& detached,
                        const SocketParameters& parameters, uid_t owner);
// From here on it sends. Throws RequestError.
void LeaveRepair(int fd);

// A new socket's tcpi_bytes_received begins anew; this remembers by how much it
// is behind. Of more than kMaxRemembered sockets the oldest is forgotten: a
// wait for it then ends at once.
class ForgottenBytes {
 public:
  static constexpr size_t kMaxRemembered = 1024;

  uint64_t Of(int fd) const;
  void Remember(int fd, uint64_t bytes);

 private:
  std::deque<std::pair<uint64_t, uint64_t>> entries_;  // cookie, bytes
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_DETACHED_SOCKET_H_
