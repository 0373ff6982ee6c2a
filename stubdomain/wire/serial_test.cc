// The pieces of the serial form.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/serial.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>

#include "stubdomain/stubdomain.h"

namespace stubdomain {
namespace {

const FlowId kFlow{{Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, 15}), 1},
                   {Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, 2}), 2}};

TEST(Serial, WhatIsWrittenIsRead) {
  Writer writer;
  writer.U8(0xab);
  writer.U16(0xabcd);
  writer.U32(0xabcdef01);
  writer.U64(0xabcdef0123456789);
  writer.Bool(true);
  writer.Put(Seq(7));
  writer.Put(MacAddress{{1, 2, 3, 4, 5, 6}});
  writer.Put(kFlow);
  writer.Bytes(std::array<uint8_t, 3>{7, 8, 9});
  Reader reader(writer.data());
  EXPECT_EQ(reader.U8(), 0xab);
  EXPECT_EQ(reader.U16(), 0xabcd);
  EXPECT_EQ(reader.U32(), 0xabcdef01);
  EXPECT_EQ(reader.U64(), 0xabcdef0123456789);
  EXPECT_TRUE(reader.Bool());
  EXPECT_EQ(reader.GetSeq(), Seq(7));
  EXPECT_EQ(reader.GetMac(), (MacAddress{{1, 2, 3, 4, 5, 6}}));
  EXPECT_EQ(reader.GetFlowId(), kFlow);
  const auto bytes = reader.Bytes();
  EXPECT_EQ(std::vector(bytes.begin(), bytes.end()),
            (std::vector<uint8_t>{7, 8, 9}));
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.left(), 0u);
}

TEST(Serial, NumbersAreLittleEndian) {
  Writer writer;
  writer.U32(0x01020304);
  EXPECT_EQ(writer.data(), (std::vector<uint8_t>{4, 3, 2, 1}));
}

TEST(Serial, WhatEndsTooEarlyStaysWrong) {
  const std::array<uint8_t, 3> bytes{1, 2, 3};
  Reader reader(bytes);
  EXPECT_EQ(reader.U32(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.U8(), 0u);
  EXPECT_TRUE(reader.Raw(0).empty());
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.left(), 0u);
}

TEST(Serial, ALengthBeyondTheEndFails) {
  Writer writer;
  writer.U32(0xffffffff);
  writer.U8(1);
  Reader reader(writer.data());
  EXPECT_TRUE(reader.Bytes().empty());
  EXPECT_FALSE(reader.ok());
}

TEST(Serial, ABoolIsZeroOrOne) {
  const std::array<uint8_t, 1> bytes{2};
  Reader reader(bytes);
  reader.Bool();
  EXPECT_FALSE(reader.ok());
}

TEST(Serial, AnAddressHasAFamily) {
  for (const int family : {0, 1, 5, 7, 255}) {
    std::array<uint8_t, 17> bytes{};
    bytes[0] = static_cast<uint8_t>(family);
    Reader reader(bytes);
    reader.GetAddress();
    EXPECT_FALSE(reader.ok()) << family;
  }
}

TEST(Serial, ANicIsOneThatThereCanBe) {
  const auto nic_of = [](uint32_t number) -> std::optional<unsigned> {
    Writer writer;
    writer.U32(number);
    const auto data = writer.Take();
    Reader reader(data);
    const unsigned nic = reader.GetNic();
    return reader.ok() ? std::optional(nic) : std::nullopt;
  };
  EXPECT_EQ(nic_of(SD_MAX_NICS - 1), SD_MAX_NICS - 1);
  EXPECT_FALSE(nic_of(SD_MAX_NICS));
}

TEST(Serial, BothEndsOfAFlowAreOfOneFamily) {
  Writer writer;
  writer.Put(kFlow.guest);
  writer.Put(Endpoint{Address::Ipv6(std::array<uint8_t, 16>{1}), 2});
  Reader reader(writer.data());
  reader.GetFlowId();
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace stubdomain
