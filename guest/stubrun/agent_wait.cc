// One wait with the agent, for the time of one call.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stubrun/agent_wait.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <charconv>
#include <cstring>
#include <string_view>

#include "stubrun/raw_calls.h"

namespace stubdomain {
namespace {

constexpr char kDefaultSocket[] = "/run/stubdomain/agent.sock";

constinit sockaddr_un agent{};

// Read once: a program may change its environment while another thread waits.
__attribute__((constructor)) void FindAgent() {
  const char* path = secure_getenv("STUBDOMAIN_AGENT_SOCKET");
  if (path == nullptr) path = kDefaultSocket;
  if (std::strlen(path) >= sizeof(agent.sun_path)) return;
  std::strcpy(agent.sun_path, path);
  agent.sun_family = AF_UNIX;
}

int ConnectToAgent() {
  if (agent.sun_family != AF_UNIX) return -1;
  // An agent that hangs must not hang the program.
  const int low = static_cast<int>(syscall(
      SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (low < 0) return -1;
  int fd = RawFcntl(low, F_DUPFD_CLOEXEC, kFirstDescriptor);
  if (fd < 0) {
    fd = low;
  } else {
    RawClose(low);
  }
  if (syscall(SYS_connect, fd, &agent, sizeof(agent)) == 0) return fd;
  RawClose(fd);
  return -1;
}

// {"op":"wait","plan":{"bytes":1},"tid":77,"timeout":1000,"received":[12,null]}
//
// Any byte may be what the program wants, such as HTTP's "100 Continue":
// nothing is left to the rules for those who ask for a reply.
class Request {
 public:
  Request(const Awaited& awaited, uint32_t longest_ms) {
    Add(R"({"op":"wait","plan":{"bytes":1},"tid":)");
    Add(static_cast<uint64_t>(syscall(SYS_gettid)));
    Add(R"(,"timeout":)");
    Add(longest_ms);
    Add(R"(,"received":[)");
    for (size_t i = 0; i < awaited.size(); i++) {
      if (i > 0) Add(",");
      if (awaited.received(i) < 0) {
        Add("null");
      } else {
        Add(static_cast<uint64_t>(awaited.received(i)));
      }
    }
    Add("]}");
  }
  char* data() { return text_.data(); }
  size_t size() const { return size_; }

 private:
  static constexpr size_t kNumber = 20;  // digits of the largest

  void Add(std::string_view text) {
    std::memcpy(text_.data() + size_, text.data(), text.size());
    size_ += text.size();
  }
  void Add(uint64_t number) {
    char* begin = text_.data() + size_;
    size_ += static_cast<size_t>(
        std::to_chars(begin, begin + kNumber, number).ptr - begin);
  }

  std::array<char, 128 + kMaxAwaited*(kNumber + 1)> text_;
  size_t size_ = 0;
};

bool Send(int fd, Request& request, const Awaited& awaited) {
  iovec part{request.data(), request.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxAwaited * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = CMSG_SPACE(awaited.fds().size_bytes());
  cmsghdr* item = CMSG_FIRSTHDR(&header);
  item->cmsg_level = SOL_SOCKET;
  item->cmsg_type = SCM_RIGHTS;
  item->cmsg_len = CMSG_LEN(awaited.fds().size_bytes());
  std::memcpy(CMSG_DATA(item), awaited.fds().data(),
              awaited.fds().size_bytes());
  return RawSendMessage(fd, &header, MSG_NOSIGNAL) >= 0;
}

}  // namespace

bool AgentWait::Start(const Awaited& awaited, uint32_t longest_ms) {
  const KeepErrno keep;
  fd_ = ConnectToAgent();
  if (fd_ < 0) return false;
  Request request(awaited, longest_ms);
  if (Send(fd_, request, awaited)) return true;
  End();
  return false;
}

void AgentWait::End() {
  if (fd_ < 0) return;
  const KeepErrno keep;
  // A child that another thread forked meanwhile has a copy, so that close()
  // alone would not be noticed.
  syscall(SYS_shutdown, fd_, SHUT_RDWR);
  RawClose(fd_);
  fd_ = -1;
}

AgentWait::State AgentWait::Check() {
  const KeepErrno keep;
  while (true) {
    // What is cut off of a long error text says nothing to this library.
    char buffer[256];
    const ssize_t length =
        RawReceive(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && errno == EAGAIN) return State::kGoesOn;
    if (length <= 0) return State::kOver;
    // As the agent writes it, without spaces; within a string its quotes would
    // be escaped.
    const std::string_view answer(buffer, static_cast<size_t>(length));
    if (answer.find(R"("outcome":"timeout")") != answer.npos) {
      return State::kTimedOut;
    }
    if (answer.find(R"("outcome":)") != answer.npos ||
        answer.find(R"("error":)") != answer.npos) {
      return State::kOver;
    }
  }
}

}  // namespace stubdomain
