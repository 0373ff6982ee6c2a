// What stubrun waits for, what it leaves alone, and that the program does not
// notice.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <string>

#include "stubrun/agent_wait.h"
#include "stubrun/network_for_test.h"

namespace stubdomain {
namespace {

using nlohmann::json;

// Long enough for stubrun to ask, and short enough to wait for in vain.
constexpr int kShortMs = 100;
constexpr int kLongMs = 60'000;

class WaitsTest : public StubrunTest {
 protected:
  // poll() for reading, of all of them.
  static int Poll(const std::vector<int>& fds, int timeout_ms) {
    std::vector<pollfd> entries;
    for (const int fd : fds) entries.push_back({fd, POLLIN, 0});
    return poll(entries.data(), entries.size(), timeout_ms);
  }
  template <typename Function>
  static auto InAThread(const Function& function) {
    return std::async(std::launch::async, function);
  }
  // Whether a poll() of these in which nothing happens asks for a wait.
  bool AsksFor(const std::vector<int>& fds) {
    device_.TakeOps();
    EXPECT_EQ(Poll(fds, kShortMs), 0);
    AwaitAgent();
    return !Waits().empty();
  }
  // Until the agent has done what it was asked before.
  void AwaitAgent() {
    const UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path_.copy(name.sun_path, sizeof(name.sun_path) - 1);
    ASSERT_EQ(
        connect(fd.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
    constexpr char kStatus[] = R"({"op":"status"})";
    ASSERT_GT(send(fd.get(), kStatus, sizeof(kStatus) - 1, 0), 0);
    char byte;
    ASSERT_EQ(recv(fd.get(), &byte, 1, 0), 1);
  }

  // In place of the agent: somebody who listens and does nothing.
  UniqueFd HangingAgent() {
    StopAgent();
    UniqueFd listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path_.copy(name.sun_path, sizeof(name.sun_path) - 1);
    unlink(name.sun_path);
    EXPECT_EQ(
        bind(listener.get(), reinterpret_cast<sockaddr*>(&name), sizeof(name)),
        0);
    EXPECT_EQ(listen(listener.get(), 0), 0);
    return listener;
  }

  Connection connection_;
};

// -- sets --

TEST_F(WaitsTest, AnyOfSomeSocketsEndsTheCall) {
  Connection other;
  auto ready = InAThread([&] {
    return Poll({connection_.guest.get(), other.guest.get()}, -1);
  });
  AwaitWaits(2);
  other.Reply("x");
  EXPECT_EQ(ready.get(), 1);
  AwaitWaits(0);
}

TEST_F(WaitsTest, WhatTheGuestItselfBringsAboutIsLeftOut) {
  const UniqueFd event(eventfd(0, 0));
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const Connection within(INADDR_LOOPBACK, INADDR_LOOPBACK);
  const Connection to_itself(kPeerAddress, kPeerAddress);
  const std::vector<int> local = {event.get(), pipe_ends[0], pair[0],
                                  within.guest.get(), to_itself.guest.get()};
  EXPECT_FALSE(AsksFor(local));
  std::vector<int> all = local;
  all.push_back(connection_.guest.get());
  auto ready = InAThread([&] { return Poll(all, -1); });
  AwaitWaits(1);
  eventfd_write(event.get(), 1);
  EXPECT_EQ(ready.get(), 1);
  AwaitWaits(0);
  for (const int fd : {pipe_ends[0], pipe_ends[1], pair[0], pair[1]}) {
    close(fd);
  }
}

TEST_F(WaitsTest, NothingIsAskedWhereTheStubDomainCannotSee) {
  const UniqueFd terminal(open("/dev/ptmx", O_RDWR | O_NOCTTY));
  const UniqueFd without_peer = SocketAt(kGuestAddress, SOCK_DGRAM, false);
  const UniqueFd netlink(socket(AF_NETLINK, SOCK_RAW, 0));
  for (const int fd : {terminal.get(), without_peer.get(), netlink.get()}) {
    EXPECT_FALSE(AsksFor({connection_.guest.get(), fd})) << fd;
  }
  EXPECT_TRUE(AsksFor({connection_.guest.get()}));
}

TEST_F(WaitsTest, SocketsBeyondTheBoundAreNotAskedFor) {
  const std::vector<int> at_bound(kMaxAwaited, connection_.guest.get());
  auto ready = InAThread([&] { return Poll(at_bound, -1); });
  AwaitWaits(kMaxAwaited);
  connection_.Reply("x");
  EXPECT_EQ(ready.get(), static_cast<int>(kMaxAwaited));
  char byte;
  EXPECT_EQ(recv(connection_.guest.get(), &byte, 1, 0), 1);
  EXPECT_FALSE(
      AsksFor(std::vector<int>(kMaxAwaited + 1, connection_.guest.get())));
}

TEST_F(WaitsTest, WhoWaitsToSendIsLeftAlone) {
  const int fd = connection_.guest.get();
  fcntl(fd, F_SETFL, O_NONBLOCK);
  const std::string data(1 << 20, 'x');
  while (send(fd, data.data(), data.size(), 0) > 0) {
  }
  pollfd entry{fd, POLLIN | POLLOUT, 0};
  EXPECT_EQ(poll(&entry, 1, kShortMs), 0);
  // Nor may the machine sleep on bytes that the kernel still has to send.
  EXPECT_FALSE(AsksFor({fd}));
}

TEST_F(WaitsTest, ConnectedDatagramSocketWaits) {
  sockaddr_in name;
  const UniqueFd peer = SocketAt(kPeerAddress, SOCK_DGRAM, false, &name);
  sockaddr_in own;
  const UniqueFd guest = SocketAt(kGuestAddress, SOCK_DGRAM, false, &own);
  Connect(guest.get(), name);
  char buffer[10];
  auto received =
      InAThread([&] { return recv(guest.get(), buffer, sizeof(buffer), 0); });
  AwaitWaits(1);
  EXPECT_EQ(Waits().front().at("flow").at("protocol"), "udp");
  Connect(peer.get(), own);
  EXPECT_EQ(send(peer.get(), "hello", 5, 0), 5);
  EXPECT_EQ(received.get(), 5);
}

TEST_F(WaitsTest, ListenerWaitsForAConnection) {
  sockaddr_in name;
  const UniqueFd listener = SocketAt(kGuestAddress, SOCK_STREAM, true, &name);
  for (const bool four : {false, true}) {
    auto accepted = InAThread([&] {
      return UniqueFd(four ? accept4(listener.get(), nullptr, nullptr, 0)
                           : accept(listener.get(), nullptr, nullptr));
    });
    AwaitWaits(1);
    EXPECT_EQ(Waits().back().at("accept"), "hold");
    const UniqueFd peer = SocketAt(kPeerAddress, SOCK_STREAM, false);
    Connect(peer.get(), name);
    EXPECT_TRUE(accepted.get());
    AwaitWaits(0);
  }
}

TEST_F(WaitsTest, AnyByteMayBeWhatTheProgramWants) {
  EXPECT_TRUE(AsksFor({connection_.guest.get()}));
  EXPECT_EQ(Waits().front().at("plan"), (json{{"bytes", 1}}));
}

// -- epoll --

class EpollTest : public WaitsTest {
 protected:
  void Add(int fd, uint32_t events) {
    epoll_event event{.events = events, .data = {.fd = fd}};
    ASSERT_EQ(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), 0);
  }
  // The events, and how many there were.
  int Wait(int timeout_ms) {
    event_ = {};
    return epoll_wait(epoll_.get(), &event_, 1, timeout_ms);
  }

  const UniqueFd epoll_{epoll_create1(EPOLL_CLOEXEC)};
  epoll_event event_{};
};

TEST_F(EpollTest, EdgeComesOnceAndIsNotLost) {
  Add(connection_.guest.get(), EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP);
  EXPECT_EQ(Wait(kLongMs), 1);  // it can send
  connection_.Reply("hello");
  EXPECT_EQ(Wait(kLongMs), 1);
  // Nothing was read, and so nothing comes before the next byte.
  auto next = InAThread([&] { return Wait(kLongMs); });
  AwaitWaits(1);
  EXPECT_EQ(Waits().back().at("received"), 5);
  connection_.Reply("world");
  EXPECT_EQ(next.get(), 1);
  EXPECT_TRUE(event_.events & EPOLLIN);
  EXPECT_EQ(Wait(kShortMs), 0);
}

TEST_F(EpollTest, OneShotThatWasShotIsNotWaitedFor) {
  Add(connection_.guest.get(), EPOLLIN | EPOLLONESHOT);
  connection_.Reply("hello");
  EXPECT_EQ(Wait(kLongMs), 1);
  EXPECT_EQ(Wait(kShortMs), 0);
  EXPECT_TRUE(Waits().empty());
}

TEST_F(EpollTest, ThreadsOnOneSetEachGetTheirEvent) {
  Connection other;
  Add(connection_.guest.get(), EPOLLIN | EPOLLET);
  Add(other.guest.get(), EPOLLIN | EPOLLET);
  const auto wait = [&] {
    epoll_event event;
    return epoll_wait(epoll_.get(), &event, 1, kLongMs) == 1 ? event.data.fd
                                                             : -1;
  };
  auto first = InAThread(wait);
  auto second = InAThread(wait);
  AwaitWaits(4);
  connection_.Reply("x");
  other.Reply("x");
  std::vector<int> got = {first.get(), second.get()};
  std::sort(got.begin(), got.end());
  std::vector<int> expected = {connection_.guest.get(), other.guest.get()};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(got, expected);
}

TEST_F(EpollTest, SetWithinASetIsLookedInto) {
  Add(connection_.guest.get(), EPOLLIN);
  auto ready = InAThread([&] { return Poll({epoll_.get()}, -1); });
  AwaitWaits(1);
  connection_.Reply("x");
  EXPECT_EQ(ready.get(), 1);
}

TEST_F(EpollTest, NumberThatMeansAnotherFileByNowIsNotAskedFor) {
  const UniqueFd copy(dup(connection_.guest.get()));
  Add(connection_.guest.get(), EPOLLIN);
  const Connection other;
  ASSERT_GE(dup2(other.guest.get(), connection_.guest.get()), 0);
  EXPECT_EQ(Wait(kShortMs), 0);
  EXPECT_TRUE(Waits().empty());
}

TEST_F(EpollTest, ManyAreReadFromTheKernelsListWhole) {
  std::vector<UniqueFd> events;
  for (int i = 0; i < 100; i++) {
    Add(events.emplace_back(eventfd(0, 0)).get(), EPOLLIN);
  }
  Add(connection_.guest.get(), EPOLLIN);
  auto ready = InAThread([&] { return Wait(-1); });
  AwaitWaits(1);
  connection_.Reply("x");
  EXPECT_EQ(ready.get(), 1);
}

// -- time --

TEST_F(WaitsTest, TimerBoundsTheWait) {
  const UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, 0));
  const itimerspec in_20_s{.it_interval = {}, .it_value = {20, 0}};
  timerfd_settime(timer.get(), 0, &in_20_s, nullptr);
  auto ready = InAThread([&] {
    return Poll({connection_.guest.get(), timer.get()}, kLongMs);
  });
  AwaitWaits(1);
  EXPECT_LE(Waits().front().at("timeout"), 20'000);
  // It has not fired yet on the guest's clock, and the call goes on.
  EndWait("timeout", 0);
  connection_.Reply("x");
  EXPECT_EQ(ready.get(), 1);
}

TEST_F(WaitsTest, AlarmBoundsTheWait) {
  alarm(30);
  EXPECT_TRUE(AsksFor({connection_.guest.get()}));
  auto ready =
      InAThread([&] { return Poll({connection_.guest.get()}, kLongMs); });
  AwaitWaits(1);
  EXPECT_LE(Waits().back().at("timeout"), 30'000);
  alarm(0);
  connection_.Reply("x");
  EXPECT_EQ(ready.get(), 1);
}

TEST_F(WaitsTest, WhoLooksNowAndThenIsGivenLongerWaits) {
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(Poll({connection_.guest.get()}, 500), 0);
  }
  AwaitAgent();
  std::vector<double> timeouts;
  for (const auto& wait : Waits()) timeouts.push_back(wait.at("timeout"));
  ASSERT_EQ(timeouts.size(), 3u);
  for (size_t i = 1; i < timeouts.size(); i++) {
    EXPECT_GT(timeouts[i], 1.5 * timeouts[i - 1]);
  }
  // Something was sent: it begins anew.
  ASSERT_EQ(send(connection_.guest.get(), "x", 1, 0), 1);
  EXPECT_TRUE(AsksFor({connection_.guest.get()}));
  EXPECT_LE(Waits().front().at("timeout"), kShortMs);
}

TEST_F(WaitsTest, WhoTimedOutIsAwakeUntilItsOwnClockHasCaughtUp) {
  InAThread([&] {
    auto ended = InAThread([&] { EndWait("timeout", 0); });
    EXPECT_EQ(Poll({connection_.guest.get()}, kLongMs), 0);
    ended.get();
    EXPECT_FALSE(AsksFor({connection_.guest.get()}));
  }).get();
  // That is this thread's affair.
  InAThread([&] { EXPECT_TRUE(AsksFor({connection_.guest.get()})); }).get();
}

// -- signals, threads, processes --

std::atomic<int> signals = 0;

// Sends this thread SIGUSR1 whenever asked to, with a handler of these flags.
class Signalled {
 public:
  explicit Signalled(int flags) {
    signals = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { signals++; };
    action.sa_flags = flags;
    sigaction(SIGUSR1, &action, &before_);
  }
  ~Signalled() { sigaction(SIGUSR1, &before_, nullptr); }
  void Raise() {
    const int before = signals;
    pthread_kill(thread_, SIGUSR1);
    while (signals == before) std::this_thread::yield();
  }
  // One that comes right before the thread blocks does not end its call, here
  // as anywhere.
  void RaiseUntil(const std::atomic<bool>& done) {
    while (!done) {
      Raise();
      poll(nullptr, 0, 20);
    }
  }

 private:
  const pthread_t thread_ = pthread_self();
  struct sigaction before_ {};
};

TEST_F(WaitsTest, SignalEndsACallAsItDid) {
  Signalled signalled(0);
  char byte;
  const std::function<ssize_t()> calls[] = {
      [&] { return Poll({connection_.guest.get()}, -1); },
      [&] { return Poll({connection_.guest.get()}, kLongMs); },
      [&] { return recv(connection_.guest.get(), &byte, 1, 0); },
  };
  for (const auto& call : calls) {
    std::atomic<bool> done = false;
    auto raised = InAThread([&] {
      AwaitWaits(1);
      signalled.RaiseUntil(done);
    });
    EXPECT_EQ(call(), -1);
    EXPECT_EQ(errno, EINTR);
    done = true;
    raised.get();
    AwaitWaits(0);
  }
}

TEST_F(WaitsTest, CallGoesOnBehindAHandlerThatRestarts) {
  Signalled signalled(SA_RESTART);
  auto raised = InAThread([&] {
    AwaitWaits(1);
    signalled.Raise();
    connection_.Reply("x");
  });
  char byte;
  EXPECT_EQ(recv(connection_.guest.get(), &byte, 1, 0), 1);
  EXPECT_EQ(signals, 1);
}

// Signals come without an end, the first before the agent is asked.
TEST_F(WaitsTest, SignalsWithinTheGraceAreNoDifferent) {
  for (const int flags : {0, SA_RESTART}) {
    Signalled signalled(flags);
    std::atomic<bool> done = false;
    auto raised = InAThread([&] {
      for (int i = 0; i < 5; i++) signalled.Raise();
      connection_.Reply("x");
      while (!done) std::this_thread::yield();
    });
    char byte;
    ssize_t received;
    int interrupted = 0;
    while ((received = recv(connection_.guest.get(), &byte, 1, 0)) < 0 &&
           errno == EINTR) {
      interrupted++;
    }
    done = true;
    EXPECT_EQ(received, 1);
    EXPECT_EQ(flags == SA_RESTART ? interrupted : 0, 0);
  }
}

TEST_F(WaitsTest, CancelledThreadTakesItsWaitBack) {
  for (const int timeout : {-1, kLongMs}) {
    pollfd entry{connection_.guest.get(), POLLIN, 0};
    auto wait = [&] { poll(&entry, 1, timeout); };
    pthread_t thread;
    pthread_create(
        &thread, nullptr,
        [](void* argument) -> void* {
          (*static_cast<decltype(wait)*>(argument))();
          return nullptr;
        },
        &wait);
    AwaitWaits(1);
    pthread_cancel(thread);
    pthread_join(thread, nullptr);
    AwaitWaits(0);
  }
}

TEST_F(WaitsTest, ChildThatAnotherThreadForkedDoesNotKeepTheWait) {
  auto ready = InAThread([&] { return Poll({connection_.guest.get()}, -1); });
  AwaitWaits(1);
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  connection_.Reply("x");
  EXPECT_EQ(ready.get(), 1);
  AwaitWaits(0);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST_F(WaitsTest, ChildWaitsAsItsParentDoes) {
  const pid_t child = fork();
  if (child == 0) {
    char byte;
    _exit(recv(connection_.guest.get(), &byte, 1, 0) == 1 ? 42 : 1);
  }
  AwaitWaits(1);
  connection_.Reply("x");
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  AwaitWaits(0);
}

TEST_F(WaitsTest, SocketThatAnotherThreadShutsDownEndsTheCall) {
  auto ready = InAThread([&] { return Poll({connection_.guest.get()}, -1); });
  AwaitWaits(1);
  shutdown(connection_.guest.get(), SHUT_RDWR);
  EXPECT_EQ(ready.get(), 1);
  AwaitWaits(0);
}

TEST_F(WaitsTest, SmallDescriptorsAreTheProgramsOwn) {
  const auto next = [] {
    const int fd = dup(0);
    close(fd);
    return fd;
  };
  const UniqueFd agent = HangingAgent();
  const int before = next();
  auto ready = InAThread([&] { return Poll({connection_.guest.get()}, -1); });
  EXPECT_EQ(Poll({agent.get()}, -1), 1);  // it was asked
  EXPECT_EQ(next(), before);
  connection_.Reply("x");
  EXPECT_EQ(ready.get(), 1);
}

TEST_F(WaitsTest, ErrnoIsKeptByACallThatSucceeds) {
  errno = ERANGE;
  auto replied = InAThread([&] {
    AwaitWaits(1);
    connection_.Reply("x");
  });
  char byte;
  EXPECT_EQ(read(connection_.guest.get(), &byte, 1), 1);
  EXPECT_EQ(errno, ERANGE);
}

// -- no agent, or a bad one --

TEST_F(WaitsTest, RefusedItWaitsAsAlways) {
  device_.RefuseWaitAfter(0, "flow: not followed");
  auto ready =
      InAThread([&] { return Poll({connection_.guest.get()}, kLongMs); });
  while (Waits().empty()) std::this_thread::yield();
  connection_.Reply("x");
  EXPECT_EQ(ready.get(), 1);
}

TEST_F(WaitsTest, AgentThatHangsHoldsNobodyUp) {
  const UniqueFd agent = HangingAgent();
  // The first are queued, the others are not even that.
  for (int i = 0; i < 4; i++) {
    auto ready = InAThread([&] { return Poll({connection_.guest.get()}, -1); });
    Poll({}, 30);
    connection_.Reply("x");
    EXPECT_EQ(ready.get(), 1);
    char byte;
    EXPECT_EQ(recv(connection_.guest.get(), &byte, 1, 0), 1);
  }
}

}  // namespace
}  // namespace stubdomain
