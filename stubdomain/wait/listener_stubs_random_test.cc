// What is known of all open waits is what a walk over them finds.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <list>
#include <random>
#include <set>

#include "trace/talk.h"
#include "wait/listener_stubs.h"

namespace stubdomain {
namespace {

constexpr int kEvents = 3000;
constexpr size_t kStubs = 40;
constexpr uint16_t kPorts = 6;
constexpr uint32_t kThreads = 5;

constexpr std::array kKinds = {ListenerStub::Kind::kHold,
                               ListenerStub::Kind::kAnswer,
                               ListenerStub::Kind::kPair};

class Chance {
 public:
  explicit Chance(uint32_t seed) : random_(seed) {
    policy_.depth = SD_DEPTH_AUTO;
    policy_.evict_delay_ms = 5;
    for (uint16_t port = 1; port <= kPorts; ++port) {
      flows_.emplace_back(0, Talk(port).id(), &config_, &budget_, &resend_);
    }
  }

  void Run() {
    for (int i = 0; i < kEvents && !testing::Test::HasFailure(); ++i) {
      now_ += std::chrono::milliseconds(Below(3));
      Event();
      stubs_.StopExpecting(now_);
      CheckTimes();
      CheckWaiters();
      CheckFlows();
      CheckDepth();
    }
  }

 private:
  uint32_t Below(uint32_t bound) { return random_() % bound; }
  Time At(uint32_t ms) { return now_ + std::chrono::milliseconds(ms); }

  void Event() {
    if (stubs_.empty() || (stubs_.size() < kStubs && Below(3) != 0))
      return Add();
    auto at = stubs_.all().begin();
    std::advance(at, Below(static_cast<uint32_t>(stubs_.size())));
    const uint32_t number = at->first;
    const uint32_t later = Below(20);
    switch (Below(8)) {
      case 0:
        return stubs_.Remove(number);
      case 1:
        answered_.emplace_back(at->second.waiter(), at->second.importance());
        return stubs_.Answer(number);
      case 2:
        if (Below(20) != 0) return;
        answered_.clear();
        return stubs_.ForgetAnswered();
      case 3:
        return stubs_.Change(number, [this, later](ListenerStub& stub) {
          stub.Propose(At(later));
        });
      case 4:
        return stubs_.Change(number,
                             [](ListenerStub& stub) { stub.Propose(kNever); });
      case 5:
        return SaveAndLoad();
      default:
        return stubs_.Change(number, [later](ListenerStub& stub) {
          stub.Expect(std::chrono::milliseconds(later));
        });
    }
  }

  void Add() {
    sd_wait wait{};
    wait.owner = Below(4) == 0 ? SD_OWNER_HOST : SD_OWNER_GUEST;
    wait.thread = Below(kThreads);
    wait.importance = static_cast<uint8_t>(Below(SD_MAX_IMPORTANCE + 1));
    wait.bytes = 1;
    wait.timeout_ms = Below(3) * 10;
    wait.expected_ms = Below(3) * 10;
    wait.elapsed_ms = Below(30);
    wait.has_depth = Below(2) == 0;
    wait.depth = static_cast<sd_depth>(Below(3));
    wait.has_evict_delay = Below(2) == 0;
    wait.evict_delay_ms = Below(10);
    auto flow = flows_.begin();
    std::advance(flow, Below(kPorts));
    wait.flow.guest.port = flow->id().guest.port;
    switch (Below(4)) {
      case 0:
        wait.protocol = SD_UDP;
        break;
      case 1:
        wait.accept = SD_ACCEPT_HOLD;
        break;
      case 2:
        wait.accept = SD_ACCEPT_ANSWER;
        break;
      default:
        stubs_.Add(wait, *flow, now_);
        return;
    }
    if (Below(2) == 0) wait.flow.peer.port = static_cast<uint16_t>(Below(3));
    stubs_.Add(wait, now_);
  }

  void SaveAndLoad() {
    Writer writer;
    stubs_.Save(writer, now_);
    stubs_ = {};
    Reader reader(writer.data());
    EXPECT_TRUE(stubs_.Load(reader, now_));
    EXPECT_EQ(reader.left(), 0u);
  }

  void CheckTimes() const {
    const auto times =
        [this](const std::function<Time(const ListenerStub&)>& of) {
          std::set<std::pair<Time, uint64_t>> all;
          for (const auto& [number, stub] : stubs_.all()) {
            all.emplace(of(stub), number);
          }
          std::vector<uint64_t> order;
          for (const auto& [time, number] : all) order.push_back(number);
          return order;
        };
    EXPECT_EQ(stubs_.timeouts().Until(kNever), times(&ListenerStub::timeout));
    EXPECT_EQ(stubs_.proposals().Until(kNever), times(&ListenerStub::proposal));
    EXPECT_EQ(stubs_.overdue().Until(kNever), times(&ListenerStub::overdue));
    Time first = kNever;
    for (const auto& [number, stub] : stubs_.all()) {
      if (stub.owner() == SD_OWNER_HOST)
        first = std::min(first, stub.proposal());
      if (stub.expected() && stub.began() + 2 * *stub.expected() <= now_) {
        EXPECT_EQ(stub.terms().reply, kNever);
      }
    }
    EXPECT_EQ(stubs_.host_proposals().First(), first);
  }

  void CheckWaiters() const {
    std::map<Waiters::Id, Time> replies;
    std::set<Waiters::Id> awaited;
    std::set<Waiters::Id> answered;
    Time important = kNever;
    uint8_t importance = 0;
    for (const auto& [number, stub] : stubs_.all()) {
      Time& reply = replies.try_emplace(stub.waiter(), kNever).first->second;
      reply = std::min(reply, stub.terms().reply);
      if (stub.importance() >= 3) {
        important = std::min(important, stub.terms().reply);
      }
      awaited.insert(stub.waiter());
    }
    for (const auto& [waiter, of] : answered_) {
      awaited.insert(waiter);
      answered.insert(waiter);
      importance = std::max(importance, of);
    }
    const Waiters& waiters = stubs_.waiters();
    EXPECT_EQ(waiters.open(), replies.size());
    EXPECT_EQ(waiters.awaited(), awaited.size());
    EXPECT_EQ(waiters.answered(), answered.size());
    EXPECT_EQ(waiters.importance(), importance);
    std::vector<Time> order;
    for (const auto& [waiter, reply] : replies) order.push_back(reply);
    std::ranges::sort(order);
    for (uint32_t n = 1; n <= order.size(); ++n) {
      EXPECT_EQ(waiters.ExpectedWake(n, 3), std::min(order[n - 1], important));
    }
  }

  void CheckFlows() const {
    for (const TcpFlow& flow : flows_) {
      std::vector<const ListenerStub*> on;
      for (const auto& [number, stub] : stubs_.all()) {
        if (stub.IsOn(flow)) on.push_back(&stub);
      }
      EXPECT_EQ(stubs_.by_flow().On(flow), on);
      for (const auto kind : kKinds) {
        const ListenerStub* first = nullptr;
        for (const auto& [number, stub] : stubs_.all()) {
          if (first == nullptr && stub.IsFor(kind, 0, flow.id())) first = &stub;
        }
        EXPECT_EQ(stubs_.by_flow().FindFor(kind, 0, flow.id()), first);
      }
    }
    if (answered_.empty()) {
      EXPECT_EQ(stubs_.answered(), 0u);
      for (const TcpFlow& flow : flows_) {
        EXPECT_TRUE(stubs_.answered_by_flow().On(flow).empty());
      }
    }
  }

  void CheckDepth() const {
    // The least deep of two, as long as one of them is wanted.
    constexpr std::array kLeastDeepLast = {SD_DEPTH_EVICT, SD_DEPTH_AUTO,
                                           SD_DEPTH_IDLE};
    size_t depth = 0;
    uint32_t delay = 0;
    for (const auto& [number, stub] : stubs_.all()) {
      const DepthWish& wish = stub.depth_wish();
      const auto at =
          std::ranges::find(kLeastDeepLast, wish.depth.value_or(policy_.depth));
      depth = std::max<size_t>(depth, at - kLeastDeepLast.begin());
      delay = std::max(delay, wish.delay_ms.value_or(policy_.evict_delay_ms));
    }
    const DepthRule rule = stubs_.depth_wishes().Combine(policy_);
    if (stubs_.empty()) {
      EXPECT_EQ(rule.depth, policy_.depth);
      return;
    }
    EXPECT_EQ(rule.depth, kLeastDeepLast[depth]);
    EXPECT_EQ(rule.delay, std::chrono::milliseconds(delay));
  }

  std::mt19937 random_;
  sd_policy policy_{};
  FlowConfig config_;
  BufferBudget budget_{0};
  ResendPool resend_;
  std::list<TcpFlow> flows_;
  ListenerStubs stubs_;
  std::vector<std::pair<Waiters::Id, uint8_t>> answered_;
  Time now_{std::chrono::hours(1)};
};

TEST(ListenerStubsRandomTest, WhatIsKnownOfAllIsWhatAWalkFinds) {
  for (uint32_t seed = 1; seed <= 5 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Chance(seed).Run();
  }
}

}  // namespace
}  // namespace stubdomain
