// The library against a serving agent with a fake device.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <future>
#include <thread>

#include "agent/loopback.h"
#include "agent/loopback_parameters.h"
#include "agent/serving_agent.h"
#include "lib/client.h"
#include "stubdomain-guest.hpp"

namespace stubdomain {
namespace {

using nlohmann::json;

class LibraryTest : public testing::Test, public ServingAgent {
 protected:
  LibraryTest() : LibraryTest(MakeDirectory()) {}
  ~LibraryTest() override {
    StopAgent();
    unsetenv("STUBDOMAIN_AGENT_SOCKET");
    std::filesystem::remove_all(directory_);
  }

  static std::filesystem::path MakeDirectory() {
    std::string name = testing::TempDir() + "agent-XXXXXX";
    const std::filesystem::path directory = mkdtemp(name.data());
    chmod(directory.c_str(), 0755);
    return directory;
  }

  static void AwaitReadable(int fd) {
    pollfd entry{fd, POLLIN, 0};
    poll(&entry, 1, -1);
  }

  // Polls and finishes until the wait is over.
  static int Finish(int wait, sdg_result* result) {
    int error;
    do {
      AwaitReadable(wait);
      error = sdg_wait_finish(wait, result);
    } while (error == SDG_PENDING);
    return error;
  }

  const std::filesystem::path directory_;
  Loopback loopback_;

 private:
  explicit LibraryTest(const std::filesystem::path& directory)
      : ServingAgent(directory / "run/agent.sock"), directory_(directory) {
    setenv("STUBDOMAIN_AGENT_SOCKET", path_.c_str(), 1);
  }
};

TEST_F(LibraryTest, WaitEndsWithItsOutcome) {
  StartAgent();
  const std::pair<const char*, sdg_outcome> outcomes[] = {
      {"replied", SDG_REPLIED},     {"closed", SDG_CLOSED},
      {"reset", SDG_RESET},         {"timeout", SDG_TIMEOUT},
      {"cancelled", SDG_CANCELLED},
  };
  for (const auto& [name, outcome] : outcomes) {
    sdg_result result{};
    auto waiting = std::async(std::launch::async, [&] {
      return sdg_wait(loopback_.guest(), nullptr, 0, &result);
    });
    EndWait(name, 42);
    EXPECT_EQ(waiting.get(), SDG_OK) << sdg_error_text();
    EXPECT_EQ(result.outcome, outcome);
    EXPECT_EQ(result.bytes, 42u);
  }
}

TEST_F(LibraryTest, ReplyThatIsThereEndsTheWaitAtOnce) {
  StartAgent();
  loopback_.Reply("hello");
  sdg_result result{};
  EXPECT_EQ(sdg_wait(loopback_.guest(), nullptr, 0, &result), SDG_OK);
  EXPECT_EQ(result.outcome, SDG_REPLIED);
  EXPECT_EQ(result.bytes, 5u);
  EXPECT_EQ(loopback_.Read(10), "hello");
}

TEST_F(LibraryTest, ConnectionGoesOnInAnotherSocket) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, for TCP_REPAIR";
  device_.SetParameters(LoopbackParameters(loopback_.guest()));
  StartAgent();
  int fd = dup(loopback_.guest());
  sdg_result result{};
  auto waiting = std::async(std::launch::async, [&] {
    return sdg_wait_detached(&fd, nullptr, 0, &result);
  });
  EndWait("replied", 42);
  EXPECT_EQ(waiting.get(), SDG_OK) << sdg_error_text();
  EXPECT_EQ(result.bytes, 42u);
  EXPECT_EQ(send(fd, "x", 1, MSG_NOSIGNAL), 1);
  char byte = 0;
  EXPECT_EQ(recv(loopback_.peer(), &byte, 1, 0), 1);
  close(fd);
}

TEST_F(LibraryTest, RefusedTheSocketIsKept) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, for TCP_REPAIR";
  StartAgent();
  sdg_status(nullptr, 0);  // the agent has started
  device_.AnswerNext(STUBDOMAIN_RESULT_REFUSED, "flow: not followed");
  int fd = loopback_.guest();
  EXPECT_EQ(sdg_wait_detached(&fd, nullptr, 0, nullptr), SDG_REFUSED);
  EXPECT_EQ(fd, loopback_.guest());
  loopback_.Reply("hello");
  EXPECT_EQ(sdg_wait_detached(&fd, nullptr, 0, nullptr), SDG_OK);
  EXPECT_EQ(fd, loopback_.guest());
}

TEST_F(LibraryTest, WithoutAnotherSocketThereIsNone) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, for TCP_REPAIR";
  StartAgent();
  int fd = dup(loopback_.guest());
  auto waiting = std::async(std::launch::async, [&] {
    return sdg_wait_detached(&fd, nullptr, 0, nullptr);
  });
  AwaitWaits(1);
  device_.FailOp("reattach", STUBDOMAIN_RESULT_REFUSED, "flow: gone");
  device_.SetParameters(LoopbackParameters(loopback_.peer()));
  EndWait("replied", 42);
  EXPECT_LT(waiting.get(), 0);
  EXPECT_EQ(fd, -1);
}

TEST_F(LibraryTest, PollableWaitIsPendingUntilItEnds) {
  StartAgent();
  const int wait = sdg_wait_start(loopback_.guest(), "{\"bytes\": 10}", 60000);
  ASSERT_GE(wait, 0) << sdg_error_text();
  sdg_result result{};
  AwaitReadable(wait);  // the wait is accepted
  EXPECT_EQ(sdg_wait_finish(wait, &result), SDG_PENDING);
  EndWait("replied", 10);
  EXPECT_EQ(Finish(wait, &result), SDG_OK);
  EXPECT_EQ(result.bytes, 10u);
}

TEST_F(LibraryTest, ClosingThePollableDescriptorCancels) {
  StartAgent();
  const int wait = sdg_wait_start(loopback_.guest(), nullptr, 0);
  AwaitWaits(1);
  close(wait);
  AwaitWaits(0);
}

// -- sets, and waits that are taken back --

TEST_F(LibraryTest, FirstOfSomeSocketsEndsTheWait) {
  StartAgent();
  Loopback other;
  const int fds[] = {loopback_.guest(), other.guest()};
  const sdg_options options{
      sizeof(options), "{\"bytes\": 7}", 5000, SDG_NO_SUSPEND, 0, 0, 0};
  sdg_end end{sizeof(end), SDG_RESET, 0, 9};
  auto waiting = std::async(
      std::launch::async, [&] { return sdg_wait_any(fds, 2, &options, &end); });
  AwaitWaits(2);
  EXPECT_EQ(device_.LastRequest().at("plan"), (json{{"bytes", 7}}));
  EXPECT_EQ(device_.LastRequest().at("timeout"), 5000);
  EXPECT_EQ(device_.LastRequest().at("suspend"), false);
  EndWait("replied", 42, 2);
  EXPECT_EQ(waiting.get(), SDG_OK) << sdg_error_text();
  EXPECT_EQ(end.outcome, SDG_REPLIED);
  EXPECT_EQ(end.bytes, 42u);
  EXPECT_EQ(end.socket, 0u);
}

TEST_F(LibraryTest, SocketThatHasItsReplyIsNamed) {
  StartAgent();
  Loopback other;
  other.Reply("hello");
  const int fds[] = {loopback_.guest(), other.guest()};
  sdg_end end{sizeof(end), SDG_RESET, 0, 0};
  EXPECT_EQ(sdg_wait_any(fds, 2, nullptr, &end), SDG_OK);
  EXPECT_EQ(end.socket, 1u);
  EXPECT_EQ(end.bytes, 5u);
}

TEST_F(LibraryTest, AnotherThreadTakesTheWaitBack) {
  StartAgent();
  const int fd = loopback_.guest();
  const int wait = sdg_wait_begin(&fd, 1, nullptr);
  ASSERT_GE(wait, 0);
  EXPECT_EQ(sdg_wait_poll(wait, nullptr), SDG_PENDING);
  sdg_end end{sizeof(end), SDG_RESET, 0, 0};
  auto waiting =
      std::async(std::launch::async, [&] { return sdg_wait_end(wait, &end); });
  AwaitWaits(1);
  EXPECT_EQ(sdg_wait_cancel(wait), SDG_OK);
  EXPECT_EQ(waiting.get(), SDG_OK) << sdg_error_text();
  EXPECT_EQ(end.outcome, SDG_CANCELLED);
  EXPECT_EQ(device_.OpenWaits().size(), 0u);
}

TEST_F(LibraryTest, MembersThatACallerDoesNotHaveAreLeftAlone) {
  StartAgent();
  loopback_.Reply("hello");
  const int fd = loopback_.guest();
  sdg_options options{
      offsetof(sdg_options, timeout_ms), nullptr, 77, 77, 77, 77, 77};
  sdg_end end{offsetof(sdg_end, bytes), SDG_RESET, 77, 77};
  EXPECT_EQ(sdg_wait_any(&fd, 1, &options, &end), SDG_OK) << sdg_error_text();
  EXPECT_EQ(end.outcome, SDG_REPLIED);
  EXPECT_EQ(end.bytes, 77u);
  options.size = sizeof(options);
  EXPECT_EQ(sdg_wait_any(&fd, 1, &options, &end), SDG_INVALID);
}

TEST_F(LibraryTest, NumberOfSocketsIsBounded) {
  StartAgent();
  loopback_.Reply("hello");
  const std::vector<int> fds(SDG_MAX_SOCKETS + 1, loopback_.guest());
  EXPECT_EQ(sdg_wait_any(fds.data(), SDG_MAX_SOCKETS, nullptr, nullptr),
            SDG_OK);
  EXPECT_EQ(sdg_wait_any(fds.data(), fds.size(), nullptr, nullptr),
            SDG_INVALID);
  EXPECT_EQ(sdg_wait_any(fds.data(), 0, nullptr, nullptr), SDG_INVALID);
}

TEST_F(LibraryTest, CppWaitTellsItsEnd) {
  StartAgent();
  sdg::Wait wait(loopback_.guest(), {.plan = "{\"bytes\": 3}"});
  EXPECT_FALSE(wait.Poll());
  EndWait("replied", 3);
  AwaitReadable(wait.fd());
  EXPECT_EQ(wait.Get().bytes, 3u);
}

TEST_F(LibraryTest, CppWaitThatIsDroppedIsTakenBack) {
  StartAgent();
  {
    sdg::Wait wait(loopback_.guest());
    AwaitWaits(1);
  }
  AwaitWaits(0);
}

TEST_F(LibraryTest, CppWaitIsTakenBackFromAnotherThread) {
  StartAgent();
  sdg::Wait wait(loopback_.guest());
  auto waiting = std::async(std::launch::async, [&] { return wait.Get(); });
  AwaitWaits(1);
  wait.Cancel();
  EXPECT_EQ(waiting.get().outcome, SDG_CANCELLED);
}

TEST_F(LibraryTest, ThreadsAndInhibitsHoldUntilTheyAreDropped) {
  StartAgent();
  std::optional<sdg::Registration> thread("worker");
  EXPECT_EQ(device_.LastRequest().at("name"), "worker");
  {
    sdg::Wait wait(loopback_.guest(),
                   {.thread = thread->thread(),
                    .importance = 5,
                    .elapsed = std::chrono::milliseconds(30),
                    .depth = SDG_DEPTH_IDLE,
                    .evict_delay = std::chrono::milliseconds(70),
                    .expected = std::chrono::milliseconds(90),
                    .request_class = "search"});
    AwaitWaits(1);
    EXPECT_EQ(device_.LastRequest().at("thread"), thread->thread());
    EXPECT_EQ(device_.LastRequest().at("importance"), 5);
    EXPECT_EQ(device_.LastRequest().at("elapsed"), 30);
    EXPECT_EQ(device_.LastRequest().at("depth"), "idle");
    EXPECT_EQ(device_.LastRequest().at("evict-delay"), 70);
    EXPECT_EQ(device_.LastRequest().at("expected"), 90);
    EXPECT_EQ(device_.LastRequest().at("class"), "search");
  }
  AwaitWaits(0);
  {
    sdg::Inhibit inhibit;
    EXPECT_EQ(device_.LastRequest().at("op"), "inhibit");
  }
  while (device_.LastRequest().at("op") != "allow") std::this_thread::yield();
  thread.reset();
  while (device_.LastRequest().at("op") != "leave") std::this_thread::yield();
}

TEST_F(LibraryTest, CppErrorsAreExceptions) {
  try {
    sdg::WaitFor(loopback_.guest(), {.timeout = std::chrono::seconds(1)});
    FAIL();
  } catch (const sdg::Error& error) {
    EXPECT_EQ(error.code(), SDG_NO_AGENT);
    EXPECT_NE(std::string(error.what()).find(path_), std::string::npos);
  }
}

TEST_F(LibraryTest, RefusalsAreToldApartAndHaveTheirText) {
  StartAgent();
  sdg_status(nullptr, 0);  // the agent has started
  device_.AnswerNext(STUBDOMAIN_RESULT_REFUSED, "flow: not followed");
  EXPECT_EQ(sdg_wait(loopback_.guest(), nullptr, 0, nullptr), SDG_REFUSED);
  EXPECT_STREQ(sdg_error_text(), "flow: not followed");
  EXPECT_EQ(sdg_wait(loopback_.guest(), "{\"bytes\": }", 0, nullptr),
            SDG_INVALID);
  EXPECT_EQ(sdg_wait(loopback_.guest(), "[]", 0, nullptr), SDG_INVALID);
  EXPECT_STREQ(sdg_error_text(), "the plan: expected a JSON object");
  EXPECT_EQ(sdg_wait(0, nullptr, 0, nullptr), SDG_INVALID);
  EXPECT_EQ(sdg_wait(-1, nullptr, 0, nullptr), SDG_INVALID);
}

TEST_F(LibraryTest, DescriptorThatIsNotOpenIsAnError) {
  StartAgent();
  EXPECT_EQ(sdg_wait(1 << 20, nullptr, 0, nullptr), SDG_SYSTEM);
}

TEST_F(LibraryTest, WithoutAnAgentEverythingSaysSo) {
  char buffer[10];
  EXPECT_EQ(sdg_wait(loopback_.guest(), nullptr, 0, nullptr), SDG_NO_AGENT);
  EXPECT_EQ(sdg_wait_start(loopback_.guest(), nullptr, 0), SDG_NO_AGENT);
  EXPECT_EQ(sdg_status(buffer, sizeof(buffer)), SDG_NO_AGENT);
  EXPECT_EQ(sdg_error_text(),
            "no agent at " + path_ + ": No such file or directory");
}

TEST_F(LibraryTest, AgentThatStopsEndsTheWaits) {
  StartAgent();
  auto waiting = std::async(std::launch::async, [&] {
    return sdg_wait(loopback_.guest(), nullptr, 0, nullptr);
  });
  AwaitWaits(1);
  StopAgent();
  EXPECT_EQ(waiting.get(), SDG_NO_AGENT);
  EXPECT_EQ(device_.OpenWaits().size(), 0u);
}

TEST_F(LibraryTest, StatusIsCutToTheBuffer) {
  StartAgent();
  char whole[4096];
  const int length = sdg_status(whole, sizeof(whole));
  ASSERT_GT(length, 0) << sdg_error_text();
  EXPECT_EQ(json::parse(whole).at("interrupts"), "fake");
  char cut[5] = "####";
  EXPECT_EQ(sdg_status(cut, sizeof(cut)), length);
  EXPECT_EQ(std::string(cut), std::string(whole, 4));
}

TEST_F(LibraryTest, SocketThatAKilledAgentLeftIsReplaced) {
  std::filesystem::create_directories(directory_ / "run");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const UniqueFd left(socket(AF_UNIX, SOCK_SEQPACKET, 0));
  ASSERT_EQ(
      bind(left.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)),
      0);
  StartAgent();
  EXPECT_GT(sdg_status(nullptr, 0), 0) << sdg_error_text();
}

// -- bounds of the server --

// Connects until refused, at most `limit` times; returns how many were taken.
size_t CountConnections(const std::string& path, size_t limit,
                        std::string& refusal) {
  std::vector<Client> clients;
  for (size_t i = 0; i < limit; i++) {
    Client client(path);
    client.Send(StatusRequest());
    try {
      client.Receive();
    } catch (const RequestError& error) {
      refusal = std::string(ReasonName(error.reason())) + ": " + error.what();
      return i;
    }
    clients.push_back(std::move(client));
  }
  return limit;
}

TEST_F(LibraryTest, ConnectionsBeyondTheBoundAreAnsweredBusy) {
  StartAgent();
  const size_t bound = geteuid() == 0 ? kMaxClients : kMaxClientsPerUser;
  std::string refusal;
  EXPECT_EQ(CountConnections(path_, bound + 1, refusal), bound);
  EXPECT_EQ(refusal, "busy: too many programs wait already");
  // All are closed by now.
  while (sdg_status(nullptr, 0) < 0) std::this_thread::yield();
}

TEST_F(LibraryTest, OneUserCannotTakeAllConnections) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to be another user";
  StartAgent();
  size_t taken = 0;
  std::string refusal;
  std::thread([&] {
    // The call itself changes the user of this thread alone.
    ASSERT_EQ(syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    taken = CountConnections(path_, kMaxClientsPerUser + 1, refusal);
  }).join();
  EXPECT_EQ(taken, kMaxClientsPerUser);
  EXPECT_EQ(refusal, "busy: too many programs wait already");
}

TEST_F(LibraryTest, OtherUsersConnectionsAreDeniedByAddress) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to be another user";
  StartAgent();
  WaitRequest request;
  request.flow = loopback_.flow();
  std::optional<Reason> reason;
  std::thread([&] {
    ASSERT_EQ(syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    Client client(path_);
    client.Send(request);
    try {
      client.Receive();
    } catch (const RequestError& error) {
      reason = error.reason();
    }
  }).join();
  EXPECT_EQ(reason, Reason::kDenied);
  Client client(path_);
  client.Send(request);
  EXPECT_TRUE(std::holds_alternative<Accepted>(client.Receive()));
}

TEST_F(LibraryTest, MessageAtTheBoundIsReadAndBeyondRefused) {
  StartAgent();
  const auto answer_to = [&](size_t size) {
    Client client(path_);
    std::string text = R"({"op":"status"})";
    text.resize(size, ' ');
    EXPECT_EQ(send(client.fd(), text.data(), text.size(), 0),
              static_cast<ssize_t>(size));
    return client.Receive();
  };
  EXPECT_TRUE(std::holds_alternative<Status>(answer_to(kMaxRequest)));
  try {
    answer_to(kMaxRequest + 1);
    FAIL();
  } catch (const RequestError& error) {
    EXPECT_STREQ(error.what(), "the message is longer than 16384 bytes");
  }
}

// What the device does to memory of this process: the fake agent has told the
// addresses that it has here.
void Fill(const json& wait, const std::string& reply) {
  const json& pages = wait.at("buffer").at("pages");
  const auto page = [&](size_t i) {
    return reinterpret_cast<uint8_t*>(pages.at(i).get<uintptr_t>());
  };
  std::memset(page(0), 0, 24);
  const auto count = static_cast<uint32_t>(reply.size());
  std::memcpy(page(0) + 24, &count, sizeof(count));
  for (size_t i = 0; i < reply.size(); ++i) {
    page((i + 32) / 4096)[(i + 32) % 4096] = static_cast<uint8_t>(reply[i]);
  }
}

TEST_F(LibraryTest, AReplyIsInTheBuffer) {
  StartAgent();
  const sdg::Buffer buffer(6000);
  const std::string reply(5000, 'x');
  for (int round = 0; round < 2; ++round) {
    auto waiting = std::async([&] {
      std::span<const std::byte> taken;
      const sdg::End end = sdg::WaitInto(loopback_.guest(), buffer, &taken,
                                         {.plan = R"({"bytes": 5000})"});
      EXPECT_EQ(end.outcome, SDG_REPLIED);
      EXPECT_EQ(end.bytes, 5000u);
      return std::string(reinterpret_cast<const char*>(taken.data()),
                         taken.size());
    });
    AwaitWaits(1);
    // The second time, all of it is in the socket.
    if (round == 0) Fill(device_.LastRequest(), reply);
    EndWait("replied", 5000);
    EXPECT_EQ(waiting.get(), round == 0 ? reply : "");
  }
}

TEST_F(LibraryTest, AReplyIsInTheBufferThoughTheAgentIsGone) {
  StartAgent();
  const sdg::Buffer buffer(100);
  auto waiting = std::async([&] {
    std::span<const std::byte> taken;
    const sdg::End end = sdg::WaitInto(loopback_.guest(), buffer, &taken);
    EXPECT_EQ(end.bytes, 5u);
    return taken.size();
  });
  AwaitWaits(1);
  Fill(device_.LastRequest(), "reply");
  StopAgent();
  EXPECT_EQ(waiting.get(), 5u);
}

TEST_F(LibraryTest, ABufferAndAPlaceForWhatIsInItAreNeeded) {
  sdg_end end{sizeof(end), SDG_REPLIED, 0, 0, 0};
  EXPECT_EQ(sdg_wait_into(loopback_.guest(), nullptr, nullptr, &end),
            SDG_INVALID);
  const sdg::Buffer buffer(100);
  EXPECT_EQ(sdg_wait_into(loopback_.guest(), &buffer.get(), nullptr, nullptr),
            SDG_INVALID);
  end.size = offsetof(sdg_end, buffered);
  EXPECT_EQ(sdg_wait_into(loopback_.guest(), &buffer.get(), nullptr, &end),
            SDG_INVALID);
}

}  // namespace
}  // namespace stubdomain
