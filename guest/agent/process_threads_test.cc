// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/process_threads.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

namespace stubdomain {
namespace {

namespace fs = std::filesystem;

class ProcessThreadsTest : public testing::Test {
 protected:
  ~ProcessThreadsTest() override { fs::remove_all(proc_); }

  void Add(pid_t process, pid_t thread, const std::string& status,
           const std::string& schedstat) {
    const fs::path task =
        proc_ / std::to_string(process) / "task" / std::to_string(thread);
    fs::create_directories(task);
    std::ofstream(task / "status") << status;
    if (!schedstat.empty()) std::ofstream(task / "schedstat") << schedstat;
  }

  const fs::path proc_ =
      fs::path(testing::TempDir()) / ("proc." + std::to_string(getpid()));
};

TEST_F(ProcessThreadsTest, TellsWhoRunsAndForHowLong) {
  Add(70, 71, "Name:\ta name (x)\nState:\tS (sleeping)\nNSpid:\t71\t5\n",
      "1500000 20 3\n");
  Add(70, 72, "Name:\tworker\nState:\tR (running)\nNSpid:\t72\n", "");
  Add(70, 73, "Name:\tdisk\nState:\tD (disk sleep)\n", "9 0 1\n");
  auto threads = ListThreads(70, proc_);
  std::ranges::sort(threads, {}, &ProcessThread::id);
  ASSERT_EQ(threads.size(), 3u);
  EXPECT_EQ(threads[0].id, 71);
  EXPECT_EQ(threads[0].own_id, 5);
  EXPECT_EQ(threads[0].name, "a name (x)");
  EXPECT_FALSE(threads[0].runs);
  EXPECT_EQ(threads[0].ran, std::chrono::microseconds(1500));
  EXPECT_EQ(threads[1].own_id, 72);
  EXPECT_TRUE(threads[1].runs);
  EXPECT_EQ(threads[1].ran.count(), 0);
  EXPECT_EQ(threads[2].own_id, 73);
  EXPECT_TRUE(threads[2].runs);
}

TEST_F(ProcessThreadsTest, OneThatIsGoneHasNone) {
  EXPECT_TRUE(ListThreads(70, proc_).empty());
  fs::create_directories(proc_ / "70" / "task" / "71");
  EXPECT_TRUE(ListThreads(70, proc_).empty());
}

TEST_F(ProcessThreadsTest, TheirNumberIsBounded) {
  for (pid_t id = 1; id <= static_cast<pid_t>(kMaxThreadsOfProcess) + 1; ++id) {
    Add(70, id, "State:\tS\n", "");
  }
  EXPECT_EQ(ListThreads(70, proc_).size(), kMaxThreadsOfProcess);
}

TEST(ListThreadsTest, OfThisProcessOneRunsAndOneWaits) {
  std::atomic<bool> done = false;
  std::atomic<pid_t> other = 0;
  std::thread sleeper([&] {
    other = static_cast<pid_t>(syscall(SYS_gettid));
    done.wait(false);
  });
  const auto self = static_cast<pid_t>(syscall(SYS_gettid));
  const auto find = [](const std::vector<ProcessThread>& threads, pid_t id) {
    return std::ranges::find(threads, id, &ProcessThread::own_id);
  };
  bool sleeps = false;
  while (!sleeps) {
    const auto threads = ListThreads(getpid());
    const auto at = find(threads, self);
    ASSERT_NE(at, threads.end());
    EXPECT_TRUE(at->runs);
    const auto second = find(threads, other);
    sleeps = second != threads.end() && !second->runs;
  }
  done = true;
  done.notify_one();
  sleeper.join();
}

}  // namespace
}  // namespace stubdomain
