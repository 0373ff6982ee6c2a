// Taking a TCP connection from its socket, and giving it to a new one.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/detached_socket.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "protocol/json_reader.h"
#include "protocol/messages.h"

namespace stubdomain {

using nlohmann::json;

namespace {

// Kinds of TCP options, of which <linux/tcp.h> has no names.
enum TcpOption : uint32_t {
  kMaximumSegmentSize = 2,
  kWindowScale = 3,
  kSackPermitted = 4,
  kTimestamps = 8,
};

[[noreturn]] void Fail(const char* what) {
  throw RequestError(Reason::kDevice,
                     std::string(what) + ": " + std::strerror(errno));
}

template <typename Value>
void Set(int fd, int option, const Value& value, const char* name) {
  if (setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value)) != 0) {
    Fail(name);
  }
}

template <typename Value>
Value Get(int fd, int level, int option, const char* name) {
  Value value{};
  socklen_t length = sizeof(value);
  if (getsockopt(fd, level, option, &value, &length) != 0) Fail(name);
  return value;
}

void SetRepair(int fd, int mode) { Set(fd, TCP_REPAIR, mode, "TCP_REPAIR"); }

void SelectQueue(int fd, int queue) {
  Set(fd, TCP_REPAIR_QUEUE, queue, "TCP_REPAIR_QUEUE");
}

void SetSequence(int fd, int queue, uint32_t next) {
  SelectQueue(fd, queue);
  Set(fd, TCP_QUEUE_SEQ, next, "TCP_QUEUE_SEQ");
}

int CountOf(int fd, unsigned long request, const char* name) {
  int bytes = 0;
  if (ioctl(fd, request, &bytes) != 0) Fail(name);
  return bytes;
}

// The connection's name is looked up in the agent's network. A socket of
// another one (a container's) may have the name of a connection of somebody
// else's here.
void CheckNetwork(int fd) {
  const UniqueFd network(ioctl(fd, SIOCGSKNS));
  struct stat of_socket;
  struct stat own;
  if (!network || fstat(network.get(), &of_socket) != 0 ||
      stat("/proc/self/ns/net", &own) != 0) {
    Fail("the socket's network");
  }
  if (of_socket.st_dev != own.st_dev || of_socket.st_ino != own.st_ino) {
    throw RequestError(Reason::kDenied,
                       "the socket is of another network namespace");
  }
}

void CheckUnread(size_t bytes) {
  if (bytes <= kMaxUnread) return;
  throw RequestError(Reason::kInvalid,
                     "more than " + std::to_string(kMaxUnread) +
                         " bytes can be read; read them first");
}

uint64_t CookieOf(int fd) {
  return Get<uint64_t>(fd, SOL_SOCKET, SO_COOKIE, "SO_COOKIE");
}

void SetOptions(int fd, const SocketParameters& parameters) {
  const auto set = [fd](uint32_t kind, uint32_t value) {
    Set(fd, TCP_REPAIR_OPTIONS, tcp_repair_opt{kind, value},
        "TCP_REPAIR_OPTIONS");
  };
  set(kMaximumSegmentSize, parameters.mss);
  if (parameters.send_shift && parameters.receive_shift) {
    set(kWindowScale,
        *parameters.send_shift | uint32_t{*parameters.receive_shift} << 16);
  }
  if (parameters.sack) set(kSackPermitted, 0);
  if (parameters.timestamp) {
    set(kTimestamps, 0);
    // To kernels that count microseconds the lowest bit asks for that. A clock
    // must not go back, so it is rounded up.
    Set(fd, TCP_TIMESTAMP, (*parameters.timestamp + 1) & ~1u, "TCP_TIMESTAMP");
  }
}

void PutBack(int fd, std::string_view unread) {
  SelectQueue(fd, TCP_RECV_QUEUE);
  while (!unread.empty()) {
    const ssize_t length = send(fd, unread.data(), unread.size(), 0);
    if (length <= 0) Fail("putting back what was not read");
    unread.remove_prefix(length);
  }
}

}  // namespace

SocketInRepair::SocketInRepair(int fd)
    : fd_(fd),
      reuse_address_(Get<int>(fd, SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR")) {
  CheckNetwork(fd);
  CheckUnread(CountOf(fd, SIOCINQ, "SIOCINQ"));
  if (CountOf(fd, SIOCOUTQ, "SIOCOUTQ") != 0) {
    throw RequestError(Reason::kBusy,
                       "the peer has not acknowledged all that was written");
  }
  SetRepair(fd, TCP_REPAIR_ON);
}

SocketInRepair::~SocketInRepair() {
  const int mode = TCP_REPAIR_OFF_NO_WP;
  setsockopt(fd_, IPPROTO_TCP, TCP_REPAIR, &mode, sizeof(mode));
  setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &reuse_address_,
             sizeof(reuse_address_));
}

DetachedSocket SocketInRepair::Look() const {
  DetachedSocket detached;
  detached.length = sizeof(detached.guest);
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&detached.guest),
                  &detached.length) != 0 ||
      getpeername(fd_, reinterpret_cast<sockaddr*>(&detached.peer),
                  &detached.length) != 0) {
    Fail("the socket's addresses");
  }
  SelectQueue(fd_, TCP_RECV_QUEUE);
  const auto next = [this] {
    return Get<uint32_t>(fd_, IPPROTO_TCP, TCP_QUEUE_SEQ, "TCP_QUEUE_SEQ");
  };
  // What the network card had already may still come in between.
  do {
    detached.receive_next = next();
    detached.received = Get<tcp_info>(fd_, IPPROTO_TCP, TCP_INFO, "TCP_INFO")
                            .tcpi_bytes_received;
    const auto readable = static_cast<size_t>(CountOf(fd_, SIOCINQ, "SIOCINQ"));
    CheckUnread(readable);
    detached.unread.resize(readable);
    if (readable != 0 &&
        recv(fd_, detached.unread.data(), readable, MSG_PEEK | MSG_DONTWAIT) !=
            static_cast<ssize_t>(readable)) {
      Fail("what was not read");
    }
  } while (detached.receive_next != next());
  return detached;
}

void SocketInRepair::Disconnect() noexcept {
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  connect(fd_, &none, sizeof(none));
}

SocketParameters ParametersFromJson(const json& object) {
  JsonReader reader(object, "parameters");
  const auto number = [&](const char* key, uint64_t max) {
    const auto value = reader.Number(key, 0, max);
    if (!value) reader.Missing(key);
    return static_cast<uint32_t>(*value);
  };
  const auto shift = [&](const char* key) -> std::optional<uint8_t> {
    return reader.Number(key, 0, 14);
  };
  SocketParameters parameters{
      .send_next = number("send-next", UINT32_MAX),
      .receive_next = number("receive-next", UINT32_MAX),
      .send_window = number("send-window", UINT32_MAX),
      .receive_window = number("receive-window", UINT32_MAX),
      .send_shift = shift("send-shift"),
      .receive_shift = shift("receive-shift"),
      .mss = static_cast<uint16_t>(number("mss", UINT16_MAX)),
      .sack = reader.Boolean("sack").value_or(false),
      .timestamp = reader.Number("timestamp", 0, UINT32_MAX),
  };
  return parameters;
}

UniqueFd RecreateSocket(const DetachedSocket& detached,
                        const SocketParameters& parameters, uid_t owner) {
  UniqueFd fd(socket(detached.guest.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) Fail("socket");
  const int s = fd.get();
  // Else it would count as root's.
  if (fchown(s, owner, static_cast<gid_t>(-1)) != 0) Fail("fchown");
  SetRepair(s, TCP_REPAIR_ON);
  SetSequence(s, TCP_SEND_QUEUE, parameters.send_next);
  SetSequence(
      s, TCP_RECV_QUEUE,
      detached.receive_next - static_cast<uint32_t>(detached.unread.size()));
  if (bind(s, reinterpret_cast<const sockaddr*>(&detached.guest),
           detached.length) != 0) {
    Fail("bind");
  }
  if (connect(s, reinterpret_cast<const sockaddr*>(&detached.peer),
              detached.length) != 0) {
    Fail("connect");
  }
  SetOptions(s, parameters);
  PutBack(s, detached.unread);
  // The socket may have got more than it had acknowledged, which is of the
  // window already. What of that is sent again, the new one throws away.
  const uint32_t ahead = detached.receive_next - parameters.receive_next;
  const tcp_repair_window window = {
      .snd_wl1 = parameters.receive_next,
      .snd_wnd = parameters.send_window,
      .max_window = parameters.send_window,
      .rcv_wnd = parameters.receive_window -
                 std::min(ahead, parameters.receive_window),
      .rcv_wup = detached.receive_next,
  };
  Set(s, TCP_REPAIR_WINDOW, window, "TCP_REPAIR_WINDOW");
  SelectQueue(s, TCP_NO_QUEUE);
  return fd;
}

void LeaveRepair(int fd) { SetRepair(fd, TCP_REPAIR_OFF); }

uint64_t ForgottenBytes::Of(int fd) const {
  const uint64_t cookie = CookieOf(fd);
  const auto found =
      std::find_if(entries_.begin(), entries_.end(),
                   [&](const auto& entry) { return entry.first == cookie; });
  return found == entries_.end() ? 0 : found->second;
}

void ForgottenBytes::Remember(int fd, uint64_t bytes) {
  entries_.emplace_back(CookieOf(fd), bytes);
  if (entries_.size() > kMaxRemembered) entries_.pop_front();
}

}  // namespace stubdomain
