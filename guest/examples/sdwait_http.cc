// sdwait-http: get one page over HTTP, and let the virtual machine be
// suspended until the reply comes. The smallest complete user of
// libstubdomain-guest.
//
//   sdwait-http [--bytes N] [--timeout MS] [--requests N] [--detach 1]
//               HOST PORT PATH
//
// Writes the replies' bodies to standard output, and what happened when to
// standard error. --requests: one after the other, on the same connection,
// which the server closes after the last. --detach: there is no socket during a
// wait.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "stubdomain-guest.h"

namespace {

// A header that is longer is not one.
constexpr size_t kMaxHeader = 64 * 1024;
constexpr size_t kReadSize = 256 * 1024;

struct Arguments {
  std::string plan;  // empty: none
  uint32_t timeout_ms = 0;
  unsigned long requests = 1;
  bool detach = false;
  const char* host;
  const char* port;
  const char* path;
};

[[noreturn]] void Fail(const std::string& text) {
  std::fprintf(stderr, "sdwait-http: %s\n", text.c_str());
  std::exit(1);
}

// A line with both clocks: over a suspend the wall clock goes on, and the
// monotonic one does not.
void Report(const std::string& text) {
  using std::chrono::duration;
  const duration<double> wall =
      std::chrono::system_clock::now().time_since_epoch();
  const duration<double> monotonic =
      std::chrono::steady_clock::now().time_since_epoch();
  std::fprintf(stderr, "wall=%.6f monotonic=%.6f %s\n", wall.count(),
               monotonic.count(), text.c_str());
}

Arguments ParseArguments(int argc, char** argv) {
  Arguments arguments{};
  int i = 1;
  for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--bytes") {
      arguments.plan = std::string("{\"bytes\": ") + argv[i + 1] + "}";
    } else if (option == "--timeout") {
      arguments.timeout_ms =
          static_cast<uint32_t>(std::strtoul(argv[i + 1], nullptr, 10));
    } else if (option == "--requests") {
      arguments.requests = std::strtoul(argv[i + 1], nullptr, 10);
    } else if (option == "--detach") {
      arguments.detach = argv[i + 1] == std::string_view("1");
    } else {
      break;
    }
  }
  if (argc - i != 3) {
    Fail(
        "usage: sdwait-http [--bytes N] [--timeout MS] [--requests N] "
        "[--detach 1] HOST PORT PATH");
  }
  arguments.host = argv[i];
  arguments.port = argv[i + 1];
  arguments.path = argv[i + 2];
  return arguments;
}

int Connect(const Arguments& arguments) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error =
          getaddrinfo(arguments.host, arguments.port, &hints, &found)) {
    Fail(std::string(arguments.host) + ": " + gai_strerror(error));
  }
  const int fd = socket(found->ai_family, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
    Fail(std::string("connect: ") + std::strerror(errno));
  }
  freeaddrinfo(found);
  return fd;
}

void SendRequest(int fd, const Arguments& arguments, bool last) {
  const std::string request =
      std::string("GET ") + arguments.path +
      " HTTP/1.1\r\nHost: " + arguments.host + ":" + arguments.port +
      (last ? "\r\nConnection: close" : "") + "\r\n\r\n";
  if (write(fd, request.data(), request.size()) !=
      static_cast<ssize_t>(request.size())) {
    Fail(std::string("write: ") + std::strerror(errno));
  }
}

void AwaitReply(int& fd, const Arguments& arguments) {
  const char* plan = arguments.plan.empty() ? nullptr : arguments.plan.c_str();
  sdg_result result;
  const int error =
      arguments.detach
          ? sdg_wait_detached(&fd, plan, arguments.timeout_ms, &result)
          : sdg_wait(fd, plan, arguments.timeout_ms, &result);
  if (error != SDG_OK) {
    if (fd < 0) Fail(std::string("no socket: ") + sdg_error_text());
    // A wait is advice: read all the same.
    Report(std::string("no wait: ") + sdg_error_text());
    return;
  }
  constexpr const char* kOutcomes[] = {"replied", "closed", "reset", "timeout",
                                       "cancelled"};
  Report(std::string("wait ended: ") + kOutcomes[result.outcome] + ", " +
         std::to_string(result.bytes) + " bytes");
}

void WriteBody(const char* data, size_t length) {
  if (std::fwrite(data, 1, length, stdout) != length) Fail("cannot write");
}

// The value of Content-Length; all that comes if there is none.
size_t LengthIn(const std::string& head) {
  constexpr std::string_view kName = "\r\nContent-Length: ";
  const size_t found = head.find(kName);
  return found == head.npos
             ? SIZE_MAX
             : std::strtoul(&head[found + kName.size()], nullptr, 10);
}

// Reads until the peer closes, or until all is there if it is not the last
// reply. Returns the number of bytes of the body, and the status line in
// `status`.
size_t ReadReply(int fd, bool last, std::string& status) {
  std::string head;
  size_t body = 0;
  size_t length_of_body = SIZE_MAX;
  std::string buffer(kReadSize, '\0');
  while (last || body < length_of_body) {
    const ssize_t length = read(fd, buffer.data(), buffer.size());
    if (length < 0) Fail(std::string("read: ") + std::strerror(errno));
    if (length == 0) break;
    const auto count = static_cast<size_t>(length);
    if (!status.empty()) {
      WriteBody(buffer.data(), count);
      body += count;
      continue;
    }
    if (head.empty()) Report("first bytes read");
    head.append(buffer, 0, count);
    const size_t end = head.find("\r\n\r\n");
    if (end == head.npos) {
      if (head.size() > kMaxHeader) Fail("the header does not end");
      continue;
    }
    status = head.substr(0, head.find("\r\n"));
    length_of_body = LengthIn(head);
    body = head.size() - (end + 4);
    WriteBody(head.data() + end + 4, body);
  }
  return body;
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments = ParseArguments(argc, argv);
  int fd = Connect(arguments);
  std::string status;
  for (unsigned long i = 1; i <= arguments.requests; i++) {
    const bool last = i == arguments.requests;
    SendRequest(fd, arguments, last);
    Report("request sent");
    AwaitReply(fd, arguments);
    status.clear();
    const size_t body = ReadReply(fd, last, status);
    if (std::fflush(stdout) != 0) Fail("cannot write");
    Report("reply read: " + status + ", " + std::to_string(body) +
           " bytes of body");
  }
  close(fd);
  return status.empty() ? 1 : 0;
}
