// Which threads of a program count.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/program_threads.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace stubdomain {
namespace {

using std::chrono::milliseconds;
using Numbers = std::vector<uint32_t>;

constexpr pid_t kProcess = 70;
// Between two looks.
constexpr auto kEnough = std::chrono::nanoseconds(kLook) / kBusyPart;

class ProgramThreadsTest : public testing::Test {
 protected:
  // A thread that is blocked, and whose own number is 100 less.
  ProcessThread& Add(pid_t id) {
    list_.push_back(
        {.id = id, .own_id = id - 100, .name = "t", .runs = false, .ran = {}});
    return list_.back();
  }
  ProcessThread& Of(pid_t id) {
    return *std::ranges::find(list_, id, &ProcessThread::id);
  }
  ProgramThreads::Place Begin(pid_t id, uint32_t number) {
    ProgramThreads::Place place;
    EXPECT_EQ(threads_.BeginWait(kProcess, id - 100, &place), number);
    return place;
  }
  // The numbers that are registered after so many looks.
  Numbers Look(int looks = 1) {
    while (looks-- > 0) {
      now_ += kLook;
      threads_.Look();
    }
    return registered_;
  }

  std::vector<ProcessThread> list_;
  Numbers registered_;
  uint32_t last_ = 0;
  bool refuse_ = false;
  int lists_ = 0;
  ProgramThreads::Clock::time_point now_{std::chrono::hours(1)};
  ProgramThreads threads_{{.list =
                               [this](pid_t process) {
                                 EXPECT_EQ(process, kProcess);
                                 ++lists_;
                                 return list_;
                               },
                           .enlist =
                               [this](const std::string&) {
                                 if (refuse_) return 0u;
                                 registered_.push_back(++last_);
                                 return last_;
                               },
                           .leave =
                               [this](uint32_t number) {
                                 EXPECT_EQ(std::erase(registered_, number), 1u);
                               },
                           .now = [this] { return now_; }}};
};

TEST_F(ProgramThreadsTest, OneThatWaitsCounts) {
  Add(171);
  EXPECT_FALSE(threads_.watching());
  const auto place = Begin(171, 1);
  EXPECT_TRUE(threads_.watching());
  EXPECT_EQ(Look(100), (Numbers{1}));
  // It has its reply, and goes on to block elsewhere.
  threads_.EndWait(place);
  EXPECT_EQ(Look(kQuietLooks - 1), (Numbers{1}));
  EXPECT_EQ(Look(), Numbers());
  EXPECT_FALSE(threads_.watching());
  // It waits again.
  Begin(171, 2);
}

TEST_F(ProgramThreadsTest, OneThatComputesCountsAsLongAsItDoes) {
  Add(171);
  Add(172).runs = true;
  Begin(171, 2);
  EXPECT_EQ(Look(100), (Numbers{1, 2}));
  Of(172).runs = false;
  EXPECT_EQ(Look(kQuietLooks), (Numbers{2}));
  Of(172).runs = true;
  EXPECT_EQ(Look(), (Numbers{2, 3}));
}

TEST_F(ProgramThreadsTest, OneThatRunsNowAndThenCountsIfItRunsForLong) {
  Add(171);
  Add(172);
  Begin(171, 1);
  Of(172).ran += kEnough - milliseconds(1);
  EXPECT_EQ(Look(), (Numbers{1}));
  Of(172).ran += kEnough;
  EXPECT_EQ(Look(), (Numbers{1, 2}));
}

TEST_F(ProgramThreadsTest, OneThatIsGoneDoesNotCount) {
  Add(171);
  Add(172).runs = true;
  Begin(171, 2);
  list_.pop_back();
  EXPECT_EQ(Look(), (Numbers{2}));
  list_.clear();
  EXPECT_EQ(Look(), Numbers());
  EXPECT_FALSE(threads_.watching());
}

TEST_F(ProgramThreadsTest, TwoWaitsAtOnceAreOneLook) {
  Add(171);
  Add(172);
  Begin(171, 1);
  EXPECT_EQ(lists_, 1);
  Begin(172, 2);
  EXPECT_EQ(lists_, 1);
  // One that was not there is looked for.
  Add(173);
  Begin(173, 3);
  EXPECT_EQ(lists_, 2);
}

TEST_F(ProgramThreadsTest, LooksThatFollowOneAnotherSayNothingOfHowBusyOneIs) {
  Add(171);
  const auto place = Begin(171, 1);
  threads_.EndWait(place);
  for (int i = 0; i < 2 * kQuietLooks; ++i) {
    Add(200 + i);
    Begin(200 + i, 2 + i);
  }
  EXPECT_EQ(registered_.front(), 1u);
}

TEST_F(ProgramThreadsTest, WithoutANumberItDoesNotCount) {
  refuse_ = true;
  Add(171);
  const auto place = Begin(171, 0);
  EXPECT_EQ(Look(), Numbers());
  threads_.EndWait(place);
  // A number that is none of its threads'.
  Begin(999, 0);
  EXPECT_EQ(Look(), Numbers());
  EXPECT_FALSE(threads_.watching());
}

}  // namespace
}  // namespace stubdomain
