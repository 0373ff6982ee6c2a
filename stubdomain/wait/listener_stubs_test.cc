// Numbers of listener stubs.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/listener_stubs.h"

#include <gtest/gtest.h>

#include "trace/talk.h"

namespace stubdomain {
namespace {

class ListenerStubsTest : public testing::Test {
 protected:
  uint32_t Add(ListenerStubs& stubs) {
    return stubs.Add(sd_wait{}, flow_, Time()).number();
  }

  FlowConfig config_;
  BufferBudget budget_{0};
  ResendPool resend_;
  TcpFlow flow_{0, Talk().id(), &config_, &budget_, &resend_};
};

TEST_F(ListenerStubsTest, NumbersAreNotUsedAgain) {
  ListenerStubs stubs;
  EXPECT_EQ(Add(stubs), 1u);
  stubs.Remove(1);
  EXPECT_EQ(Add(stubs), 2u);
}

TEST_F(ListenerStubsTest, AfterTheLastNumberFreeOnesAreFound) {
  ListenerStubs one;
  Add(one);
  Writer content;
  one.Save(content, Time());
  // The same, but UINT32_MAX was the last number.
  Writer writer;
  writer.U32(UINT32_MAX);
  writer.Raw(std::span(content.data()).subspan(4));
  ListenerStubs stubs;
  Reader reader(writer.data());
  ASSERT_TRUE(stubs.Load(reader, Time()));
  EXPECT_EQ(Add(stubs), 2u);
}

TEST_F(ListenerStubsTest, ANumberThatIsThereTwiceIsNotLoaded) {
  ListenerStubs one;
  Add(one);
  Writer content;
  one.Save(content, Time());
  const auto stub = std::span(content.data()).subspan(8);
  Writer writer;
  writer.U32(2);
  writer.U32(2);
  writer.Raw(stub);
  writer.Raw(stub);
  ListenerStubs stubs;
  Reader reader(writer.data());
  EXPECT_FALSE(stubs.Load(reader, Time()));
}

}  // namespace
}  // namespace stubdomain
