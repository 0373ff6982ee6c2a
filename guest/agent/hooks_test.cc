// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/hooks.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace stubdomain {
namespace {

constexpr std::chrono::milliseconds kLong{60'000};
constexpr std::chrono::milliseconds kShort{50};

class HooksTest : public testing::Test {
 protected:
  HooksTest() {
    std::string name = testing::TempDir() + "hooks-XXXXXX";
    directory_ = mkdtemp(name.data());
    std::filesystem::create_directory(directory_ + "/d");
  }
  ~HooksTest() override { std::filesystem::remove_all(directory_); }

  void Add(const std::string& name, const std::string& script,
           mode_t mode = 0755) {
    const std::string path = directory_ + "/d/" + name;
    std::ofstream(path) << "#!/bin/sh\n" << script << "\n";
    chmod(path.c_str(), mode);
  }
  // Adds a line to what Said() returns.
  std::string Say(const std::string& text) {
    return "echo \"" + text + "\" >>" + directory_ + "/said";
  }
  void Run(std::chrono::milliseconds time = kLong) {
    RunHooks(directory_ + "/d", "restored", time);
  }
  std::string Said() {
    std::stringstream text;
    text << std::ifstream(directory_ + "/said").rdbuf();
    return text.str();
  }

  std::string directory_;
};

TEST_F(HooksTest, RunInTheOrderOfTheirNames) {
  Add("20-second", Say("second $1"));
  Add("10-first", "sleep 0.05; " + Say("first $1"));
  Run();
  EXPECT_EQ(Said(), "first restored\nsecond restored\n");
}

TEST_F(HooksTest, WhatCannotBeRunOrIsNoHookIsLeftOut) {
  Add("data", Say("data"), 0644);
  Add("old~", Say("backup"));
  Add("new.dpkg-dist", Say("a package's"));
  std::filesystem::create_directory(directory_ + "/d/folder");
  Run();
  EXPECT_EQ(Said(), "");
}

TEST_F(HooksTest, OneThatFailsDoesNotKeepTheOthersBack) {
  Add("10-fails", "exit 3");
  Add("20-dies", "kill -9 $$");
  Add("30-other", Say("other"));
  Run();
  EXPECT_EQ(Said(), "other\n");
}

TEST_F(HooksTest, OneThatHangsIsEndedWithAllThatItStarted) {
  Add("10-hangs", "sleep 1000 & sleep 1000");
  Add("20-other", Say("other"));
  testing::internal::CaptureStderr();
  Run(kShort);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("took too long"),
            std::string::npos);
  EXPECT_EQ(Said(), "");
}

TEST_F(HooksTest, WithoutADirectoryThereAreNone) {
  RunHooks(directory_ + "/nowhere", "restored", kLong);
}

}  // namespace
}  // namespace stubdomain
