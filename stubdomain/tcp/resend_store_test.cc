// What is kept of the guest's bytes, and how much.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/resend_store.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace stubdomain {
namespace {

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

struct Pool : ResendPool {
  explicit Pool(uint64_t limit) { budget.set_limit(limit); }
};

std::string Text(const ResendStore& store, Seq from, size_t size) {
  std::string text(size, '\0');
  store.Read(from, {reinterpret_cast<uint8_t*>(text.data()), size});
  return text;
}

TEST(ResendStore, KeepsWhatIsNotAcknowledged) {
  Pool pool(100);
  ResendStore store(Seq(10), &pool);
  store.Keep(Seq(10), Bytes("hello"), Seq(15));
  store.Keep(Seq(13), Bytes("lo you"), Seq(19));
  EXPECT_EQ(store.end(), Seq(19));
  EXPECT_EQ(Text(store, Seq(10), 9), "hello you");
  EXPECT_EQ(pool.budget.reserved(), 9u);
  store.Release(Seq(16));
  EXPECT_EQ(Text(store, Seq(16), 3), "you");
  EXPECT_EQ(pool.budget.reserved(), 3u);
  store.Release(Seq(19));
  EXPECT_EQ(pool.budget.reserved(), 0u);
}

TEST(ResendStore, AGapEndsWhatCanBeSentAgain) {
  Pool pool(100);
  ResendStore store(Seq(10), &pool);
  store.Keep(Seq(15), Bytes("later"), Seq(20));
  EXPECT_EQ(store.end(), Seq(10));
  EXPECT_EQ(store.size(), 5u);
  // What was sent before is acknowledged.
  store.Release(Seq(15));
  EXPECT_EQ(store.end(), Seq(20));
}

TEST(ResendStore, NothingBehindTheLimitIsKept) {
  Pool pool(100);
  ResendStore store(Seq(10), &pool);
  store.Keep(Seq(10), Bytes("hello"), Seq(13));
  EXPECT_EQ(store.end(), Seq(13));
}

TEST(ResendStore, AtItsBoundNothingMoreIsKept) {
  Pool pool(100);
  pool.per_flow = 20;
  ResendStore store(Seq(0), &pool);
  store.Keep(Seq(0), std::vector<uint8_t>(19), Seq(1 << 30));
  store.Keep(Seq(19), Bytes("ab"), Seq(1 << 30));
  EXPECT_EQ(store.end(), Seq(19));
  store.Keep(Seq(19), Bytes("a"), Seq(1 << 30));
  EXPECT_EQ(store.end(), Seq(20));
  EXPECT_EQ(pool.budget.reserved(), 20u);
}

TEST(ResendStore, AtTheBoundOfAllNothingMoreIsKept) {
  Pool pool(8);
  ResendStore one(Seq(0), &pool);
  ResendStore two(Seq(0), &pool);
  one.Keep(Seq(0), Bytes("hello"), Seq(5));
  two.Keep(Seq(0), Bytes("hell"), Seq(4));
  EXPECT_EQ(two.size(), 0u);
  two.Keep(Seq(0), Bytes("hel"), Seq(3));
  EXPECT_EQ(two.end(), Seq(3));
  EXPECT_EQ(pool.budget.reserved(), 8u);
  one.Release(Seq(5));
  two.Keep(Seq(3), Bytes("lo"), Seq(5));
  EXPECT_EQ(two.end(), Seq(5));
}

TEST(ResendStore, IsSavedAndLoaded) {
  Pool pool(100);
  ResendStore store(Seq(10), &pool);
  store.Keep(Seq(10), Bytes("hello"), Seq(30));
  store.Keep(Seq(20), Bytes("later"), Seq(30));
  Writer writer;
  store.Save(writer);
  Reader reader(writer.data());
  ResendStore loaded(Seq(10), &pool);
  ASSERT_TRUE(loaded.Load(reader, Seq(25)));
  EXPECT_EQ(Text(loaded, Seq(10), 5), "hello");
  EXPECT_EQ(pool.budget.reserved(), 20u);
  Reader again(writer.data());
  ResendStore beyond(Seq(10), &pool);
  EXPECT_FALSE(beyond.Load(again, Seq(24)));
}

}  // namespace
}  // namespace stubdomain
