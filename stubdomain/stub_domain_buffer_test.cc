// Replies that go into the guest's memory, as traces.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "trace/frames.h"
#include "trace/trace.h"

namespace stubdomain {
namespace {

sd_buffer BufferFor(uint32_t length) {
  return {.nonce = {1, 2, 3},
          .pages = 2,
          .page = {0x1000, 0x7000},
          .length = length};
}

class BufferTest : public testing::Test {
 protected:
  BufferTest() {
    trace_.Connect(&talk_);
    trace_.Request(talk_, 10);
  }
  sd_wait WaitInto(const sd_buffer& buffer) {
    sd_wait wait = Trace::WaitOn(talk_);
    wait.has_received = true;
    wait.received = talk_.received(Side::kGuest);
    wait.buffer = &buffer;
    return wait;
  }
  void Suspend(const sd_buffer& buffer, uint64_t bytes = 1) {
    sd_wait wait = WaitInto(buffer);
    wait.bytes = bytes;
    EXPECT_EQ(trace_.Wait(wait), SD_OK);
    trace_.SuspendNow();
    trace_.Take();
  }
  uint32_t Next(uint32_t after = 0) {
    return sd_next_buffer(trace_.stub(), after, &found_);
  }
  // What is taken, which are the peer's bytes from `position` on.
  size_t Take(uint32_t number, uint32_t position, size_t max = 8192) {
    std::vector<uint8_t> bytes(max);
    const size_t taken = sd_take_reply(trace_.stub(), number, bytes.data(),
                                       bytes.size(), trace_.now());
    for (size_t i = 0; i < taken; ++i) {
      EXPECT_EQ(bytes[i],
                talk_.Byte(Side::kPeer, position + static_cast<uint32_t>(i)));
    }
    return taken;
  }
  // The guest counts the peer's bytes without the first `taken` of them.
  Lines Wake(size_t taken) {
    std::string rest;
    for (uint32_t i = 0; i < 5000; ++i) {
      rest += static_cast<char>(
          talk_.Byte(Side::kPeer, static_cast<uint32_t>(taken) + i));
    }
    talk_.set_reply(rest);
    trace_.Running();
    return trace_.Take();
  }

  Trace trace_;
  Talk talk_;
  sd_buffer found_{};
};

TEST_F(BufferTest, AReplyIsTakenOutAndTheRestFollows) {
  Suspend(BufferFor(8000));
  EXPECT_EQ(Next(), 0u);  // it has not ended
  trace_.PeerSends(talk_, 100);
  trace_.Take();
  ASSERT_EQ(Next(), 1u);
  EXPECT_EQ(found_.pages, 2u);
  EXPECT_EQ(found_.page[1], 0x7000u);
  EXPECT_EQ(found_.nonce[2], 3u);
  EXPECT_EQ(found_.length, 8000u);
  EXPECT_EQ(Next(1), 0u);
  EXPECT_EQ(Take(1, 0), 100u);
  EXPECT_EQ(trace_.info().kept, 0u);
  trace_.Take();
  EXPECT_EQ(Wake(100), Lines({"peer: ack 100 (40000)"}));
  // The peer counts 100 more than the guest for the rest of the connection.
  talk_.set_reply(std::string(500, 'x'));
  trace_.PeerSends(talk_, 7);
  EXPECT_EQ(trace_.Take(), Lines({"guest: data 0+7 (40000)"}));
  trace_.GuestAcks(talk_);
  EXPECT_EQ(trace_.Take(), Lines({"peer: ack 107 (40000)"}));
  trace_.Send(talk_, Side::kPeer, talk_.Fin(Side::kPeer));
  EXPECT_EQ(trace_.Take(), Lines({"guest: fin (40000)"}));
}

TEST_F(BufferTest, AReplyThatIsTooLongGoesOnInTheSocket) {
  Suspend(BufferFor(60), 100);
  trace_.PeerSends(talk_, 100);
  ASSERT_EQ(Next(), 1u);
  EXPECT_EQ(Take(1, 0), 60u);
  trace_.Take();
  EXPECT_EQ(Wake(60), Lines({"guest: data 0+40 (40000)"}));
  trace_.GuestAcks(talk_);
  EXPECT_EQ(trace_.Take(), Lines({"peer: ack 100 (40000)"}));
}

TEST_F(BufferTest, NoMoreIsTakenThanThereIsRoomFor) {
  Suspend(BufferFor(60), 100);
  trace_.PeerSends(talk_, 100);
  EXPECT_EQ(Take(1, 0, 25), 25u);
  EXPECT_EQ(Take(1, 25), 0u);  // once
  EXPECT_EQ(trace_.info().kept, 75u);
}

TEST_F(BufferTest, OnlyWhatCameInOrderIsTaken) {
  Suspend(BufferFor(8000));
  const Frame first = talk_.Data(Side::kPeer, 10);
  const Frame lost = talk_.Data(Side::kPeer, 10);
  const Frame last = talk_.Data(Side::kPeer, 10);
  trace_.Send(talk_, Side::kPeer, first);
  trace_.Send(talk_, Side::kPeer, last);
  EXPECT_EQ(Take(1, 0), 10u);
  trace_.Send(talk_, Side::kPeer, lost);
  trace_.Take();
  EXPECT_EQ(Wake(10), Lines({"guest: data 0+20 (40000)"}));
}

TEST_F(BufferTest, TheEndOfTheConnectionFollows) {
  Suspend(BufferFor(8000), 100);
  trace_.PeerSends(talk_, 10);
  trace_.Send(talk_, Side::kPeer, talk_.Fin(Side::kPeer));
  EXPECT_EQ(Take(1, 0), 10u);
  trace_.Take();
  EXPECT_EQ(Wake(10), Lines({"guest: fin (40000)"}));
}

TEST_F(BufferTest, AGuestThatRunsHasNone) {
  const sd_buffer buffer = BufferFor(8000);
  EXPECT_EQ(trace_.Wait(WaitInto(buffer)), SD_OK);
  trace_.PeerSends(talk_, 10);
  EXPECT_EQ(Next(), 0u);
  EXPECT_EQ(Take(1, 0), 0u);
}

TEST_F(BufferTest, OnceItRunsItIsOver) {
  Suspend(BufferFor(8000));
  trace_.PeerSends(talk_, 10);
  EXPECT_EQ(Next(), 1u);
  trace_.Running();
  EXPECT_EQ(Next(), 0u);
  EXPECT_EQ(Take(1, 0), 0u);
}

TEST_F(BufferTest, WhatTheSocketHasTheBeginningOfStaysThere) {
  sd_buffer buffer = BufferFor(8000);
  sd_wait wait = WaitInto(buffer);
  wait.bytes = 100;
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  trace_.PeerSends(talk_, 1);  // sent to the guest, whether it has it or not
  trace_.SuspendNow();
  trace_.PeerSends(talk_, 99);
  EXPECT_EQ(Next(), 0u);
  EXPECT_EQ(Take(1, 0), 0u);
}

TEST_F(BufferTest, WhatTheProgramHasNotReadComesFirst) {
  trace_.PeerSends(talk_, 5);
  trace_.GuestAcks(talk_);
  sd_buffer buffer = BufferFor(8000);
  sd_wait wait = WaitInto(buffer);
  wait.received = 0;
  wait.bytes = 100;
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  trace_.SuspendNow();
  trace_.PeerSends(talk_, 95);
  EXPECT_EQ(Next(), 0u);
}

TEST_F(BufferTest, OneOfSeveralWaitsGetsIt) {
  const sd_buffer buffer = BufferFor(60);
  EXPECT_EQ(trace_.Wait(WaitInto(buffer)), SD_OK);
  EXPECT_EQ(trace_.Wait(WaitInto(buffer)), SD_OK);
  Talk other(40001);
  trace_.Connect(&other);
  trace_.Request(other, 10);
  sd_wait wait = Trace::WaitOn(other);
  wait.has_received = true;
  wait.buffer = &buffer;
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  trace_.SuspendNow();
  trace_.PeerSends(talk_, 100);
  trace_.PeerSends(other, 10);
  EXPECT_EQ(Next(), 1u);
  EXPECT_EQ(Take(1, 0), 60u);
  EXPECT_EQ(Take(2, 60), 0u);
  EXPECT_EQ(Next(1), 3u);
  EXPECT_EQ(Take(3, 0), 10u);
}

TEST_F(BufferTest, AnOpenWaitOnTheConnectionCountsOn) {
  Suspend(BufferFor(60));
  sd_wait wait = Trace::WaitOn(talk_);
  wait.bytes = 150;
  EXPECT_EQ(trace_.Wait(wait), SD_OK);
  trace_.PeerSends(talk_, 100);
  EXPECT_EQ(Take(1, 0), 60u);
  trace_.Take();
  Wake(60);
  talk_.set_reply(std::string(500, 'x'));
  trace_.PeerSends(talk_, 49);
  EXPECT_EQ(trace_.TakeNotices(), Lines());
  trace_.PeerSends(talk_, 1);
  EXPECT_EQ(trace_.TakeNotices(), Lines({"ended 2 replied 150"}));
}

TEST_F(BufferTest, WhatAPlanStillDoesComesFirst) {
  const sd_buffer buffer = BufferFor(8000);
  EXPECT_EQ(trace_.WaitWithPlan(R"({"format": "http", "handlers": [
                {"name": "head", "when": {"status": "2xx"},
                 "do": ["restore", "buffer"]}]})",
                                WaitInto(buffer)),
            SD_OK);
  trace_.SuspendNow();
  talk_.set_reply("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123456789");
  trace_.PeerSends(talk_, 42);
  trace_.Take();
  EXPECT_EQ(Next(), 0u);
}

TEST_F(BufferTest, GoesOnElsewhere) {
  Suspend(BufferFor(60));
  trace_.HandOver();
  trace_.set_dispatches(false);
  trace_.PeerSends(talk_, 100);
  trace_.HandOver();
  ASSERT_EQ(Next(), 1u);
  EXPECT_EQ(found_.length, 60u);
  EXPECT_EQ(found_.page[1], 0x7000u);
  EXPECT_EQ(Take(1, 0), 60u);
}

TEST_F(BufferTest, IsRefusedWhereItCannotBe) {
  const auto refused = [&](const auto& change) {
    sd_buffer buffer = BufferFor(8192);
    sd_wait wait = WaitInto(buffer);
    change(wait, buffer);
    return trace_.Wait(wait) == SD_REFUSED_BUFFER;
  };
  EXPECT_FALSE(refused([](sd_wait&, sd_buffer&) {}));
  EXPECT_FALSE(refused([](sd_wait&, sd_buffer& buffer) {
    buffer.pages = SD_BUFFER_PAGES_MAX;
    buffer.length = SD_BUFFER_PAGES_MAX * SD_BUFFER_PAGE_SIZE;
  }));
  EXPECT_TRUE(refused([](sd_wait&, sd_buffer& buffer) {
    buffer.pages = SD_BUFFER_PAGES_MAX + 1;
  }));
  EXPECT_TRUE(refused([](sd_wait&, sd_buffer& buffer) { buffer.pages = 0; }));
  EXPECT_TRUE(
      refused([](sd_wait&, sd_buffer& buffer) { buffer.page[1] = 0x7001; }));
  EXPECT_TRUE(refused([](sd_wait&, sd_buffer& buffer) { buffer.length = 0; }));
  EXPECT_TRUE(
      refused([](sd_wait&, sd_buffer& buffer) { buffer.length = 8193; }));
  EXPECT_TRUE(
      refused([](sd_wait& wait, sd_buffer&) { wait.has_received = false; }));
  EXPECT_TRUE(
      refused([](sd_wait& wait, sd_buffer&) { wait.protocol = SD_UDP; }));
  EXPECT_TRUE(refused([](sd_wait& wait, sd_buffer&) {
    wait.has_received = false;
    wait.accept = SD_ACCEPT_HOLD;
  }));
}

}  // namespace
}  // namespace stubdomain
