// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stubrun/program_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace stubdomain {
namespace {

class ProgramFileTest : public testing::Test {
 protected:
  ProgramFileTest() {
    std::string name = testing::TempDir() + "programs-XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~ProgramFileTest() override { std::filesystem::remove_all(directory_); }

  std::string Write(const std::string& name, const std::string& content,
                    mode_t mode = 0755) {
    const std::string path = directory_ + "/" + name;
    std::ofstream(path) << content;
    chmod(path.c_str(), mode);
    return path;
  }

  std::string directory_;
};

TEST_F(ProgramFileTest, IsFoundWhereItCanBeRun) {
  const std::string path = Write("program", "");
  Write("data", "", 0644);
  EXPECT_EQ(FindProgram("program", "/nowhere:" + directory_), path);
  EXPECT_EQ(FindProgram("data", directory_), "");
  EXPECT_EQ(FindProgram("program", "/nowhere"), "");
  EXPECT_EQ(FindProgram("./program", directory_), "./program");
}

TEST_F(ProgramFileTest, ThisProgramIsLinkedDynamically) {
  EXPECT_FALSE(IsStatic("/proc/self/exe"));
}

TEST_F(ProgramFileTest, ProgramWithoutALoaderIsStatic) {
  // The header of this program alone, with no segments.
  std::ifstream self("/proc/self/exe", std::ios::binary);
  std::string header(64, '\0');
  self.read(header.data(), 64);
  header[56] = header[57] = '\0';  // e_phnum
  EXPECT_TRUE(IsStatic(Write("static", header)));
}

TEST_F(ProgramFileTest, ScriptsAndBrokenFilesAreNot) {
  EXPECT_FALSE(IsStatic(Write("script", "#!/bin/sh\n")));
  EXPECT_FALSE(IsStatic(Write("cut", "\177ELF")));
  EXPECT_FALSE(IsStatic(directory_));
  EXPECT_FALSE(IsStatic("/nowhere"));
}

}  // namespace
}  // namespace stubdomain
