// Bytes put in order: against a model that is obviously right, and at bounds.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/reassembler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace stubdomain {
namespace {

using Result = Reassembler::Result;

constexpr Seq kFar{1 << 20};

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string Ready(const Reassembler& reassembler) {
  std::string text(reassembler.ready(), '?');
  reassembler.Read(reassembler.begin(),
                   {reinterpret_cast<uint8_t*>(text.data()), text.size()});
  return text;
}

std::vector<uint8_t> Saved(const Reassembler& reassembler) {
  Writer writer;
  reassembler.Save(writer);
  return writer.Take();
}

TEST(Reassembler, TakesNoMemoryWhileEmpty) {
  Reassembler r(Seq(100));
  EXPECT_TRUE(r.empty());
  EXPECT_EQ(r.memory(), 0u);
  r.Insert(Seq(100), Bytes("hello"), kFar);
  EXPECT_EQ(r.memory(), Reassembler::kChunk);
  r.Release(Seq(105));
  EXPECT_TRUE(r.empty());
  EXPECT_EQ(r.memory(), 0u);
}

TEST(Reassembler, KeepsOrder) {
  Reassembler r(Seq(100));
  EXPECT_EQ(r.Insert(Seq(105), Bytes("world"), kFar), Result::kEarly);
  EXPECT_EQ(r.ready(), 0u);
  EXPECT_EQ(r.early(), 5u);
  EXPECT_EQ(r.last(), Seq(110));
  EXPECT_EQ(r.Insert(Seq(100), Bytes("hello"), kFar), Result::kInOrder);
  EXPECT_EQ(Ready(r), "helloworld");
  EXPECT_EQ(r.early(), 0u);
}

TEST(Reassembler, BytesThatAreReadyStayAsTheyWere) {
  Reassembler r(Seq(100));
  r.Insert(Seq(100), Bytes("hello"), kFar);
  EXPECT_EQ(r.Insert(Seq(98), Bytes("XXXXXXX"), kFar), Result::kNothingNew);
  EXPECT_EQ(r.Insert(Seq(98), Bytes("XXXXXXX!"), kFar), Result::kInOrder);
  EXPECT_EQ(Ready(r), "hello!");
}

TEST(Reassembler, NothingIsKeptFromTheLimitOn) {
  Reassembler r(Seq(100));
  EXPECT_EQ(r.Insert(Seq(103), Bytes("x"), Seq(103)), Result::kNothingNew);
  EXPECT_EQ(r.Insert(Seq(100), Bytes("hello"), Seq(103)), Result::kInOrder);
  EXPECT_EQ(Ready(r), "hel");
  EXPECT_EQ(r.Insert(Seq(103), Bytes("lo"), Seq(103)), Result::kNothingNew);
}

TEST(Reassembler, AGapTooManyChangesNothing) {
  constexpr size_t kBound = 5;
  Reassembler r(Seq(0));
  for (uint32_t i = 0; i < kBound; ++i) {
    ASSERT_EQ(r.Insert(Seq(10 + 10 * i), Bytes("x"), kFar, kBound),
              Result::kEarly);
  }
  const auto before = Saved(r);
  const size_t memory = r.memory();
  EXPECT_EQ(r.Insert(Seq(100000), Bytes("x"), kFar, kBound),
            Result::kTooManyRanges);
  EXPECT_EQ(r.Insert(Seq(15), Bytes("x"), kFar, kBound),
            Result::kTooManyRanges);
  EXPECT_EQ(Saved(r), before);
  EXPECT_EQ(r.memory(), memory);
  // What makes no new gap still fits.
  EXPECT_EQ(r.Insert(Seq(11), Bytes("y"), kFar, kBound), Result::kEarly);
  EXPECT_EQ(r.Insert(Seq(0), Bytes("0123456789"), kFar, kBound),
            Result::kInOrder);
  EXPECT_EQ(r.ready(), 12u);
}

TEST(Reassembler, ThereIsABoundThatNobodyCanRaise) {
  constexpr size_t kMore = 2 * Reassembler::kMaxRanges;
  Reassembler r(Seq(0));
  for (uint32_t i = 0; i < Reassembler::kMaxRanges; ++i) {
    ASSERT_EQ(r.Insert(Seq(10 + 10 * i), Bytes("x"), kFar, kMore),
              Result::kEarly);
  }
  EXPECT_EQ(r.Insert(Seq(100000), Bytes("x"), kFar, kMore),
            Result::kTooManyRanges);
}

TEST(Reassembler, RangesThatTouchBecomeOne) {
  Reassembler r(Seq(0));
  r.Insert(Seq(10), Bytes("a"), kFar);
  r.Insert(Seq(12), Bytes("c"), kFar);
  r.Insert(Seq(11), Bytes("b"), kFar);
  ASSERT_EQ(r.Sack().count, 1);
  EXPECT_EQ(r.Sack().blocks[0], (SeqRange{Seq(10), Seq(13)}));
  EXPECT_EQ(r.Insert(Seq(10), Bytes("ABC"), kFar), Result::kNothingNew);
}

TEST(Reassembler, SackNamesTheLatestRangeFirst) {
  Reassembler r(Seq(0));
  for (const uint32_t at : {10, 20, 30, 40, 50}) {
    r.Insert(Seq(at), Bytes("x"), kFar);
  }
  r.Insert(Seq(31), Bytes("y"), kFar);
  const SackBlocks sack = r.Sack();
  ASSERT_EQ(sack.count, kMaxSackBlocks);
  EXPECT_EQ(sack.blocks[0], (SeqRange{Seq(30), Seq(32)}));
  EXPECT_EQ(sack.blocks[1], (SeqRange{Seq(10), Seq(11)}));
}

TEST(Reassembler, ReleasingBeyondTheEndSkipsAGap) {
  Reassembler r(Seq(0));
  r.Insert(Seq(0), Bytes("abc"), kFar);
  r.Insert(Seq(10), Bytes("klm"), kFar);
  r.Insert(Seq(20), Bytes("uvw"), kFar);
  r.Release(Seq(11));
  EXPECT_EQ(r.begin(), Seq(11));
  EXPECT_EQ(Ready(r), "lm");
  EXPECT_EQ(r.early(), 3u);
  r.Release(Seq(1000));
  EXPECT_TRUE(r.empty());
  EXPECT_EQ(r.end(), Seq(1000));
  r.Insert(Seq(1000), Bytes("on"), kFar);
  EXPECT_EQ(Ready(r), "on");
}

TEST(Reassembler, ReleasingWhatIsGoneDoesNothing) {
  Reassembler r(Seq(100));
  r.Insert(Seq(100), Bytes("hello"), kFar);
  r.Release(Seq(90));
  r.Release(Seq(100));
  EXPECT_EQ(Ready(r), "hello");
}

TEST(Reassembler, ChunksAreGivenBackAsTheyAreReleased) {
  Reassembler r(Seq(0xffff0000));
  const std::string data(10 * Reassembler::kChunk, 'x');
  r.Insert(Seq(0xffff0000), Bytes(data), Seq(0xffff0000) + (1 << 20));
  EXPECT_EQ(r.memory(), data.size());
  for (uint32_t i = 1; i < 10; ++i) {
    r.Release(Seq(0xffff0000) + i * Reassembler::kChunk + 1);
    EXPECT_EQ(r.memory(), data.size() - i * Reassembler::kChunk);
  }
}

TEST(Reassembler, AgreesWithAnArrayOfBytes) {
  std::mt19937 random(1);
  const auto below = [&](uint32_t n) {
    return static_cast<uint32_t>(random() % n);
  };
  constexpr uint32_t kSpan = 3 * Reassembler::kChunk;
  constexpr int kAbsent = -1;
  for (int run = 0; run < 40; ++run) {
    const Seq begin(0xffffffff - below(100000));
    Reassembler r(begin);
    std::vector<int> model(1 << 20, kAbsent);
    uint32_t released = 0;
    uint32_t ready = 0;
    for (int step = 0; step < 100; ++step) {
      const uint32_t at = ready + below(200) - std::min(100u, ready);
      const uint32_t size = below(10) == 0 ? below(20000) : below(150);
      std::vector<uint8_t> data(size);
      for (uint32_t i = 0; i < size; ++i) {
        data[i] = static_cast<uint8_t>((at + i) * 31 >> 3);
      }
      const uint32_t limit = released + kSpan;
      const bool saves = below(10) == 0;
      const auto before = saves ? Saved(r) : std::vector<uint8_t>();
      const auto result = r.Insert(begin + at, data, begin + limit);
      if (result == Result::kInOrder || result == Result::kEarly) {
        for (uint32_t i = 0; i < size && at + i < limit; ++i) {
          if (at + i >= ready) model[at + i] = data[i];
        }
      } else if (saves) {
        ASSERT_EQ(Saved(r), before);
      }
      while (model[ready] != kAbsent) ++ready;
      ASSERT_EQ(r.end(), begin + ready);
      if (below(5) == 0) {
        released = std::min(ready, released + below(3000));
        r.Release(begin + released);
      }
      if (saves) {
        const auto saved = Saved(r);
        Reassembler loaded(begin + released);
        Reader reader(saved);
        ASSERT_TRUE(loaded.Load(reader, begin + limit));
        ASSERT_EQ(reader.left(), 0u);
        r = std::move(loaded);
      }
    }
    std::vector<uint8_t> out(r.ready());
    r.Read(r.begin(), out);
    ASSERT_TRUE(std::equal(out.begin(), out.end(), model.begin() + released));
    const auto early = std::count_if(model.begin() + ready, model.end(),
                                     [](int byte) { return byte != kAbsent; });
    ASSERT_EQ(r.early(), early);
  }
}

TEST(Reassembler, LoadRefusesWhatReachesBeyondTheLimit) {
  Reassembler r(Seq(0));
  r.Insert(Seq(0), Bytes("abc"), kFar);
  r.Insert(Seq(10), Bytes("klm"), kFar);
  const auto saved = Saved(r);
  for (uint32_t limit = 0; limit <= 13; ++limit) {
    Reassembler loaded(Seq(0));
    Reader reader(saved);
    EXPECT_EQ(loaded.Load(reader, Seq(limit)), limit == 13) << limit;
  }
}

TEST(Reassembler, WhatIsReplacedMovesAllBehindIt) {
  Reassembler r(Seq(100));
  r.Insert(Seq(100), Bytes("hello world"), kFar);
  r.Insert(Seq(120), Bytes("early"), kFar);
  r.Replace({Seq(105), Seq(111)}, Bytes(" everybody"));
  EXPECT_EQ(Ready(r), "hello everybody");
  EXPECT_EQ(r.last(), Seq(129));
  EXPECT_EQ(r.Sack().blocks[0], (SeqRange{Seq(124), Seq(129)}));
  r.Replace({Seq(100), Seq(106)}, {});
  EXPECT_EQ(Ready(r), "everybody");
  EXPECT_EQ(r.Insert(Seq(109), Bytes(" is "), kFar), Result::kInOrder);
  r.Insert(Seq(113), Bytes("so "), kFar);
  r.Insert(Seq(116), Bytes("ve"), kFar);
  EXPECT_EQ(Ready(r), "everybody is so veearly");
}

TEST(Reassembler, WithAllReplacedByNothingNoMemoryIsTaken) {
  Reassembler r(Seq(100));
  r.Insert(Seq(100), Bytes("hello"), kFar);
  r.Replace({Seq(100), Seq(105)}, {});
  EXPECT_TRUE(r.empty());
  EXPECT_EQ(r.memory(), 0u);
  EXPECT_EQ(r.begin(), Seq(100));
}

}  // namespace
}  // namespace stubdomain
