// What stubrun adds to a call that does not block: each benchmark is run bare
// and with the library preloaded.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace {

// A TCP connection over the loopback, with a byte to be read that stays there
// for those that only look.
struct Connection {
  Connection() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(name);
    auto* generic = reinterpret_cast<sockaddr*>(&name);
    if (bind(listener, generic, length) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, generic, &length) != 0 ||
        connect(guest, generic, length) != 0) {
      std::abort();
    }
    peer = accept(listener, nullptr, nullptr);
    close(listener);
    Reply();
  }
  ~Connection() {
    close(guest);
    close(peer);
  }
  void Reply() {
    if (send(peer, "x", 1, 0) != 1) std::abort();
    pollfd entry{guest, POLLIN, 0};
    poll(&entry, 1, -1);
  }

  const int guest = socket(AF_INET, SOCK_STREAM, 0);
  int peer;
};

void ReadFile(benchmark::State& state) {
  const int fd = open("/dev/zero", O_RDONLY);
  char byte;
  for (auto _ : state) benchmark::DoNotOptimize(read(fd, &byte, 1));
  close(fd);
}
BENCHMARK(ReadFile);

// Takes the same byte again and again.
void RecvPeek(benchmark::State& state) {
  Connection connection;
  char byte;
  for (auto _ : state) {
    benchmark::DoNotOptimize(recv(connection.guest, &byte, 1, MSG_PEEK));
  }
}
BENCHMARK(RecvPeek);

void ReadSocket(benchmark::State& state) {
  Connection connection;
  char byte;
  for (auto _ : state) {
    benchmark::DoNotOptimize(read(connection.guest, &byte, 1));
    benchmark::DoNotOptimize(send(connection.peer, "x", 1, 0));
  }
}
BENCHMARK(ReadSocket);

void RecvNothing(benchmark::State& state) {
  Connection connection;
  char byte;
  benchmark::DoNotOptimize(recv(connection.guest, &byte, 1, 0));
  fcntl(connection.guest, F_SETFL, O_NONBLOCK);
  for (auto _ : state) {
    benchmark::DoNotOptimize(recv(connection.guest, &byte, 1, 0));
  }
}
BENCHMARK(RecvNothing);

void Poll(benchmark::State& state) {
  Connection connection;
  pollfd entry{connection.guest, POLLIN, 0};
  for (auto _ : state) benchmark::DoNotOptimize(poll(&entry, 1, -1));
}
BENCHMARK(Poll);

void Select(benchmark::State& state) {
  Connection connection;
  for (auto _ : state) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(connection.guest, &set);
    timeval timeout{.tv_sec = 60, .tv_usec = 0};
    benchmark::DoNotOptimize(
        select(connection.guest + 1, &set, nullptr, nullptr, &timeout));
  }
}
BENCHMARK(Select);

void EpollWait(benchmark::State& state) {
  Connection connection;
  const int epoll = epoll_create1(0);
  epoll_event event{.events = EPOLLIN, .data = {}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, connection.guest, &event);
  for (auto _ : state) {
    benchmark::DoNotOptimize(epoll_wait(epoll, &event, 1, -1));
  }
  close(epoll);
}
BENCHMARK(EpollWait);

}  // namespace

BENCHMARK_MAIN();
