// Each call that stubrun stands in for: it waits, and does what it always does.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <iterator>
#include <ostream>
#include <string>
#include <vector>

#include "stubrun/network_for_test.h"

extern "C" {
ssize_t __read_chk(int, void*, size_t, size_t);
ssize_t __recv_chk(int, void*, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void*, size_t, size_t, int, sockaddr*, socklen_t*);
int __poll_chk(pollfd*, nfds_t, int, size_t);
int __ppoll_chk(pollfd*, nfds_t, const timespec*, const sigset_t*, size_t);
}

namespace stubdomain {
namespace {

constexpr int kLong = 60'000;  // ms; a test does not last so long
constexpr timespec kLongTime = {.tv_sec = 60, .tv_nsec = 0};

// -- calls that take --

struct Receiving {
  const char* name;
  // Takes up to `size` bytes, as recv() does.
  ssize_t (*receive)(int fd, char* buffer, size_t size);
};

void PrintTo(const Receiving& call, std::ostream* out) { *out << call.name; }

const Receiving kReceiving[] = {
    {"read", [](int fd, char* b, size_t n) { return read(fd, b, n); }},
    {"read_chk",
     [](int fd, char* b, size_t n) { return __read_chk(fd, b, n, n); }},
    {"readv",
     [](int fd, char* b, size_t n) {
       const iovec parts[] = {{b, 1}, {b + 1, n - 1}};
       return readv(fd, parts, 2);
     }},
    {"recv", [](int fd, char* b, size_t n) { return recv(fd, b, n, 0); }},
    {"recv_chk",
     [](int fd, char* b, size_t n) { return __recv_chk(fd, b, n, n, 0); }},
    {"recv_waitall",
     [](int fd, char* b, size_t) { return recv(fd, b, 5, MSG_WAITALL); }},
    {"recvfrom",
     [](int fd, char* b, size_t n) {
       return recvfrom(fd, b, n, 0, nullptr, nullptr);
     }},
    {"recvfrom_chk",
     [](int fd, char* b, size_t n) {
       return __recvfrom_chk(fd, b, n, n, 0, nullptr, nullptr);
     }},
    {"recvmsg",
     [](int fd, char* b, size_t n) {
       iovec part{b, n};
       msghdr message{};
       message.msg_iov = &part;
       message.msg_iovlen = 1;
       return recvmsg(fd, &message, 0);
     }},
    {"recvmmsg",
     [](int fd, char* b, size_t n) {
       iovec part{b, n};
       mmsghdr message{};
       message.msg_hdr.msg_iov = &part;
       message.msg_hdr.msg_iovlen = 1;
       return recvmmsg(fd, &message, 1, 0, nullptr) == 1
                  ? static_cast<ssize_t>(message.msg_len)
                  : -1;
     }},
};

class ReceivingTest : public StubrunTest,
                      public testing::WithParamInterface<Receiving> {
 protected:
  std::string Receive() {
    std::string data(10, '\0');
    const ssize_t size =
        GetParam().receive(connection_.guest.get(), data.data(), data.size());
    data.resize(size < 0 ? 0 : size);
    return data;
  }

  Connection connection_;
};

TEST_P(ReceivingTest, WaitsWhenItBlocks) {
  auto received = std::async(std::launch::async, [&] { return Receive(); });
  AwaitWaits(1);
  connection_.Reply("hello");
  EXPECT_EQ(received.get(), "hello");
  AwaitWaits(0);
}

TEST_P(ReceivingTest, WhatIsThereIsTakenWithoutAWait) {
  connection_.Reply("hello");
  EXPECT_EQ(Receive(), "hello");
  connection_.peer.Reset();
  EXPECT_EQ(Receive(), "");
  EXPECT_TRUE(Waits().empty());
}

TEST_P(ReceivingTest, OneThatMustNotBlockDoesNot) {
  fcntl(connection_.guest.get(), F_SETFL, O_NONBLOCK);
  errno = 0;
  EXPECT_EQ(Receive(), "");
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_TRUE(Waits().empty());
}

TEST_P(ReceivingTest, TimeoutOfTheSocketIsKeptOnTheHostsClock) {
  const timeval timeout{.tv_sec = 60, .tv_usec = 0};
  setsockopt(connection_.guest.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout,
             sizeof(timeout));
  int error = 0;
  auto received = std::async(std::launch::async, [&] {
    auto data = Receive();
    error = errno;
    return data;
  });
  EndWait("timeout", 0);
  EXPECT_EQ(received.get(), "");
  EXPECT_EQ(error, EAGAIN);
  EXPECT_LE(Waits().front().at("timeout"), 60'000);
  EXPECT_GT(Waits().front().at("timeout"), 59'000);
}

INSTANTIATE_TEST_SUITE_P(Calls, ReceivingTest, testing::ValuesIn(kReceiving),
                         [](const auto& info) { return info.param.name; });

// -- calls that look --

struct Looking {
  const char* name;
  // Returns as poll() of `fd` for reading does.
  int (*look)(int fd);
  bool has_timeout;
};

void PrintTo(const Looking& call, std::ostream* out) { *out << call.name; }

template <typename Call>
int OfPoll(int fd, const Call& call) {
  pollfd entry{fd, POLLIN, 0};
  const int ready = call(&entry);
  EXPECT_EQ(entry.revents, ready > 0 ? POLLIN : 0);
  return ready;
}

template <typename Call>
int OfSelect(int fd, const Call& call) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  const int ready = call(fd + 1, &set);
  EXPECT_EQ(FD_ISSET(fd, &set), ready > 0);
  return ready;
}

template <typename Call>
int OfEpoll(int fd, const Call& call) {
  const UniqueFd epoll(epoll_create1(0));
  epoll_event event{.events = EPOLLIN, .data = {.u32 = 77}};
  epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event);
  event = {};
  const int ready = call(epoll.get(), &event);
  EXPECT_EQ(event.data.u32, ready > 0 ? 77u : 0u);
  return ready;
}

const Looking kLooking[] = {
    {"poll",
     [](int fd) { return OfPoll(fd, [](auto* e) { return poll(e, 1, -1); }); },
     false},
    {"poll_chk",
     [](int fd) {
       return OfPoll(
           fd, [](auto* e) { return __poll_chk(e, 1, kLong, sizeof(*e)); });
     },
     true},
    {"poll_timed",
     [](int fd) {
       return OfPoll(fd, [](auto* e) { return poll(e, 1, kLong); });
     },
     true},
    {"ppoll",
     [](int fd) {
       return OfPoll(fd, [](auto* e) { return ppoll(e, 1, nullptr, nullptr); });
     },
     false},
    {"ppoll_timed",
     [](int fd) {
       return OfPoll(fd,
                     [](auto* e) { return ppoll(e, 1, &kLongTime, nullptr); });
     },
     true},
    {"ppoll_chk",
     [](int fd) {
       return OfPoll(fd, [](auto* e) {
         return __ppoll_chk(e, 1, &kLongTime, nullptr, sizeof(*e));
       });
     },
     true},
    {"select",
     [](int fd) {
       return OfSelect(fd, [](int n, auto* set) {
         return select(n, set, nullptr, nullptr, nullptr);
       });
     },
     false},
    {"select_timed",
     [](int fd) {
       return OfSelect(fd, [](int n, auto* set) {
         timeval timeout{.tv_sec = 60, .tv_usec = 0};
         const int ready = select(n, set, nullptr, nullptr, &timeout);
         // What is left of it, as Linux tells.
         EXPECT_EQ(timeout.tv_sec > 0, ready > 0);
         EXPECT_LT(timeout.tv_sec, 60);
         return ready;
       });
     },
     true},
    {"pselect",
     [](int fd) {
       return OfSelect(fd, [](int n, auto* set) {
         return pselect(n, set, nullptr, nullptr, nullptr, nullptr);
       });
     },
     false},
    {"pselect_timed",
     [](int fd) {
       return OfSelect(fd, [](int n, auto* set) {
         return pselect(n, set, nullptr, nullptr, &kLongTime, nullptr);
       });
     },
     true},
    {"epoll_wait",
     [](int fd) {
       return OfEpoll(
           fd, [](int e, auto* event) { return epoll_wait(e, event, 1, -1); });
     },
     false},
    {"epoll_wait_timed",
     [](int fd) {
       return OfEpoll(fd, [](int e, auto* event) {
         return epoll_wait(e, event, 1, kLong);
       });
     },
     true},
    {"epoll_pwait",
     [](int fd) {
       return OfEpoll(fd, [](int e, auto* event) {
         return epoll_pwait(e, event, 1, -1, nullptr);
       });
     },
     false},
    {"epoll_pwait_timed",
     [](int fd) {
       return OfEpoll(fd, [](int e, auto* event) {
         return epoll_pwait(e, event, 1, kLong, nullptr);
       });
     },
     true},
    {"epoll_pwait2",
     [](int fd) {
       return OfEpoll(fd, [](int e, auto* event) {
         return epoll_pwait2(e, event, 1, nullptr, nullptr);
       });
     },
     false},
    {"epoll_pwait2_timed",
     [](int fd) {
       return OfEpoll(fd, [](int e, auto* event) {
         return epoll_pwait2(e, event, 1, &kLongTime, nullptr);
       });
     },
     true},
};

class LookingTest : public StubrunTest,
                    public testing::WithParamInterface<Looking> {
 protected:
  int Look() { return GetParam().look(connection_.guest.get()); }
  std::future<int> LookInAThread() {
    return std::async(std::launch::async, [this] { return Look(); });
  }

  Connection connection_;
};

TEST_P(LookingTest, WaitsWhenItBlocks) {
  auto ready = LookInAThread();
  AwaitWaits(1);
  connection_.Reply("hello");
  EXPECT_EQ(ready.get(), 1);
  AwaitWaits(0);
}

TEST_P(LookingTest, WhatIsThereIsSeenWithoutAWait) {
  connection_.Reply("hello");
  EXPECT_EQ(Look(), 1);
  EXPECT_TRUE(Waits().empty());
}

class TimedTest : public LookingTest {};

TEST_P(TimedTest, EndsWithItsTimeoutOnTheHostsClock) {
  auto ready = LookInAThread();
  EndWait("timeout", 0);
  EXPECT_EQ(ready.get(), 0);
  EXPECT_LE(Waits().front().at("timeout"), kLong);
  EXPECT_GT(Waits().front().at("timeout"), kLong - 1000);
}

TEST_P(LookingTest, GoesOnWhenTheHostTakesTheWaitBack) {
  auto ready = LookInAThread();
  EndWait("cancelled", 0);
  connection_.Reply("hello");
  EXPECT_EQ(ready.get(), 1);
  EXPECT_EQ(Waits().size(), 1u);
}

TEST_P(LookingTest, GoesOnWithoutItsAgent) {
  auto ready = LookInAThread();
  AwaitWaits(1);
  StopAgent();
  connection_.Reply("hello");
  EXPECT_EQ(ready.get(), 1);
}

std::vector<Looking> Timed() {
  std::vector<Looking> timed;
  std::copy_if(std::begin(kLooking), std::end(kLooking),
               std::back_inserter(timed),
               [](const Looking& call) { return call.has_timeout; });
  return timed;
}

INSTANTIATE_TEST_SUITE_P(Calls, LookingTest, testing::ValuesIn(kLooking),
                         [](const auto& info) { return info.param.name; });
INSTANTIATE_TEST_SUITE_P(Calls, TimedTest, testing::ValuesIn(Timed()),
                         [](const auto& info) { return info.param.name; });

// -- fortified calls --

TEST(FortifiedCalls, BufferThatIsTooSmallEndsTheProgram) {
  char buffer[4];
  pollfd entry{};
  EXPECT_DEATH(__read_chk(0, buffer, 5, 4), "buffer overflow");
  EXPECT_DEATH(__recv_chk(0, buffer, 5, 4, 0), "buffer overflow");
  EXPECT_DEATH(__recvfrom_chk(0, buffer, 5, 4, 0, nullptr, nullptr),
               "buffer overflow");
  EXPECT_DEATH(__poll_chk(&entry, 2, 0, sizeof(entry)), "buffer overflow");
  EXPECT_DEATH(__ppoll_chk(&entry, 2, nullptr, nullptr, sizeof(entry)),
               "buffer overflow");
}

}  // namespace
}  // namespace stubdomain
