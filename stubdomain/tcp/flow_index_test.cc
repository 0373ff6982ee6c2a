// The index of flows: against std::map, also where all hashes collide.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/flow_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace stubdomain {
namespace {

struct Thing {
  int name;
};

class Index {
 public:
  // `hashes`: how many different ones there are.
  explicit Index(uint64_t hashes) : hashes_(hashes) {}

  void Add(int name) {
    const auto [at, added] = things_.emplace(name, Thing{name});
    ASSERT_TRUE(added);
    index_.Add(HashOf(name), &at->second);
  }
  void Remove(int name) {
    index_.Remove(HashOf(name), &things_.at(name));
    things_.erase(name);
  }
  void Clear() {
    index_.Clear();
    things_.clear();
  }
  bool Has(int name) const { return things_.contains(name); }
  void ExpectSame(int names) const {
    EXPECT_EQ(index_.size(), things_.size());
    for (int name = 0; name < names; ++name) {
      const Thing* found = index_.Find(
          HashOf(name),
          [name](const Thing& thing) { return thing.name == name; });
      const auto wanted = things_.find(name);
      EXPECT_EQ(found, wanted == things_.end() ? nullptr : &wanted->second);
    }
  }

 private:
  uint64_t HashOf(int name) const {
    return static_cast<uint64_t>(name) * 0x9e3779b97f4a7c15 % hashes_;
  }

  uint64_t hashes_;
  std::map<int, Thing> things_;
  FlowIndex<Thing> index_;
};

TEST(FlowIndex, AnEmptyOneFindsNothing) { Index(1).ExpectSame(3); }

TEST(FlowIndex, AClearedOneFindsNothing) {
  Index index(100);
  for (int name = 0; name < 40; ++name) index.Add(name);
  index.Clear();
  index.ExpectSame(40);
  index.Add(7);
  index.ExpectSame(40);
}

class FlowIndexTest : public testing::TestWithParam<uint64_t> {};

TEST_P(FlowIndexTest, FindsWhatIsThere) {
  constexpr int kNames = 200;
  Index index(GetParam());
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    const auto name = static_cast<int>(random() % kNames);
    if (index.Has(name)) {
      index.Remove(name);
    } else {
      index.Add(name);
    }
    if (i % 50 == 0) index.ExpectSame(kNames);
  }
}

// All the same, few, those that meet at the end of the array, and many.
INSTANTIATE_TEST_SUITE_P(Hashes, FlowIndexTest,
                         testing::Values(1, 3, 17, 300, UINT64_MAX));

}  // namespace
}  // namespace stubdomain
