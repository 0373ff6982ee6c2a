// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/proc_net.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/loopback.h"

namespace stubdomain {
namespace {

TEST(FindSocket, RealConnectionsAreFoundWithOwnerAndWhatCanBeRead) {
  for (const auto kind : {Loopback::Kind::kIpv4, Loopback::Kind::kIpv6,
                          Loopback::Kind::kIpv4WithinIpv6}) {
    Loopback loopback(kind);
    loopback.Reply("abc");
    const Flow flow = loopback.flow();
    const auto entry = FindSocket(*flow.guest, flow.peer);
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->owner, geteuid());
    EXPECT_EQ(entry->readable, 3u);
  }
}

TEST(FindSocket, OtherPortsAndOtherEndsAreNotFound) {
  Loopback loopback;
  Flow flow = loopback.flow();
  flow.peer.host = "127.0.0.2";
  EXPECT_FALSE(FindSocket(*flow.guest, flow.peer));
}

class ProcNetFile : public testing::Test {
 protected:
  ProcNetFile() {
    std::string name = testing::TempDir() + "proc-net-XXXXXX";
    directory_ = mkdtemp(name.data());
  }
  ~ProcNetFile() override { std::filesystem::remove_all(directory_); }

  void Write(const std::string& line) {
    std::ofstream(directory_ / "tcp") << "  sl  local_address ...\n" << line;
  }

  std::optional<SocketEntry> Find() {
    return FindSocket({"10.0.2.15", 443}, {"10.0.2.2", 80}, directory_);
  }

  std::filesystem::path directory_;
};

TEST_F(ProcNetFile, EstablishedConnectionIsFound) {
  Write(
      "   0: 0F02000A:01BB 0202000A:0050 01 00000000:0000000A 00:00000000 "
      "00000000  1000        0 12345 1 0 20 4 30 10 -1\n");
  ASSERT_TRUE(Find());
  EXPECT_EQ(Find()->owner, 1000u);
  EXPECT_EQ(Find()->readable, 10u);
}

TEST_F(ProcNetFile, ConnectionThatIsOverIsNotFound) {
  // TIME_WAIT, which the kernel shows as root's.
  Write(
      "   0: 0F02000A:01BB 0202000A:0050 06 00000000:00000000 03:00000000 "
      "00000000     0        0 0 3 0\n");
  EXPECT_FALSE(Find());
}

TEST_F(ProcNetFile, MalformedLinesAreSkipped) {
  Write(
      "garbage\n\n   0: 0F02000A 0202000A:0050 01\n"
      "   0: 0F02000A0F02000A:01BB 0202000A:0050 01 0:0 0:0 0 5 0 1\n"
      "   0: 0F02000A:01BB 0202000A:0050 01 0:0 00:0 0 7 0 1\n");
  ASSERT_TRUE(Find());
  EXPECT_EQ(Find()->owner, 7u);
}

TEST_F(ProcNetFile, MissingFilesHoldNothing) { EXPECT_FALSE(Find()); }

}  // namespace
}  // namespace stubdomain
