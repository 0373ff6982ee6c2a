// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/agent.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "agent/fake_device.h"
#include "agent/fake_wall_clock.h"
#include "agent/loopback.h"
#include "agent/loopback_parameters.h"
#include "stubdomain-guest.h"

namespace stubdomain {
namespace {

using nlohmann::json;
using Ops = std::vector<std::string>;
using Stubs = std::vector<uint32_t>;

constexpr uid_t kRoot = 0;
constexpr uid_t kUser = 1000;
constexpr pid_t kProcess = 70;
constexpr char kByAddress[] =
    R"({"op":"wait","flow":{"guest":{"host":"10.0.2.15","port":4000},)"
    R"("peer":{"host":"10.0.2.2","port":80}}})";

class AgentTest : public testing::Test {
 protected:
  struct Sent {
    Agent::ClientId client;
    json answer;
    bool last;
    UniqueFd fd;
  };

  AgentTest() {
    agent_.Start();
    device_.TakeOps();
  }

  // A message of a client, with a duplicate of `fd` if that is not -1.
  void Request(Agent::ClientId client, const std::string& text, int fd = -1,
               uid_t uid = kUser) {
    if (fd >= 0) {
      RequestSet(client, text, {fd}, uid);
    } else {
      RequestSet(client, text, {}, uid);
    }
  }

  void RequestSet(Agent::ClientId client, const std::string& text,
                  const std::vector<int>& fds, uid_t uid = kUser) {
    Packet packet;
    packet.data = text;
    for (const int fd : fds) packet.fds.emplace_back(dup(fd));
    agent_.OnRequest(client, {uid, kProcess}, packet);
  }

  // The only answer since the last call.
  Sent TakeAnswer() {
    EXPECT_EQ(sent_.size(), 1u);
    Sent sent = sent_.empty() ? Sent{} : std::move(sent_.back());
    sent_.clear();
    return sent;
  }

  // Checks that the only answer is this error, and the last.
  void ExpectError(const std::string& reason, const std::string& text) {
    const Sent sent = TakeAnswer();
    EXPECT_EQ(sent.answer, (json{{"error", text}, {"reason", reason}}));
    EXPECT_TRUE(sent.last);
  }

  // A wait through a socket; returns its stub.
  uint32_t StartWait(Agent::ClientId client) {
    Request(client, R"({"op":"wait"})", loopback_.guest());
    const Sent sent = TakeAnswer();
    EXPECT_FALSE(sent.last);
    device_.TakeOps();
    return sent.answer.at("stub");
  }

  FakeDevice device_;
  FakeWallClock clock_;
  Loopback loopback_;
  std::optional<SocketEntry> found_socket_;
  std::vector<ProcessThread> threads_;
  std::vector<Hook> hooks_;
  Ops ops_before_hooks_;
  Agent::Clock::time_point now_;
  // Of the next page; nothing: it cannot be told.
  std::optional<uint64_t> address_ = 0;
  std::vector<Sent> sent_;
  Agent agent_{
      device_,
      clock_,
      {.answer =
           [this](Agent::ClientId client, const Answer& answer, bool last,
                  int fd) {
             sent_.push_back({client, json::parse(Encode(answer)), last,
                              UniqueFd(fd < 0 ? -1 : dup(fd))});
           },
       .find_socket = [this](const Endpoint&,
                             const Endpoint&) { return found_socket_; },
       .interrupts = "fake",
       .run_hooks =
           [this](Hook hook) {
             ops_before_hooks_ = device_.TakeOps();
             hooks_.push_back(hook);
           },
       .list_threads =
           [this](pid_t process) {
             EXPECT_EQ(process, kProcess);
             return threads_;
           },
       .now = [this] { return now_; },
       .translate =
           [this](const void*) {
             if (address_) *address_ += 4096;
             return address_;
           }}};
};

// -- threads of programs that do not register --

constexpr char kOfAThread[] = R"({"op":"wait","tid":71})";

TEST_F(AgentTest, ThreadThatWaitsIsRegistered) {
  threads_ = {
      {.id = 71, .own_id = 71, .name = "curl", .runs = true, .ran = {}}};
  Request(1, kOfAThread, loopback_.guest());
  EXPECT_EQ(device_.TakeOps(), (Ops{"register", "wait"}));
  TakeAnswer();
  Request(2, kOfAThread, loopback_.guest());
  EXPECT_EQ(device_.LastRequest().at("thread"), 1);
  EXPECT_EQ(device_.TakeOps(), (Ops{"wait"}));
  TakeAnswer();
  Request(3, R"({"op":"status"})");
  EXPECT_EQ(TakeAnswer().answer.at("status").at("threads"),
            (json{{{"thread", 1}, {"name", "curl"}}}));
}

TEST_F(AgentTest, ThreadIsRegisteredUntilItIsBlockedElsewhere) {
  threads_ = {
      {.id = 71, .own_id = 71, .name = "curl", .runs = false, .ran = {}}};
  Request(1, kOfAThread, loopback_.guest());
  device_.TakeOps();
  const auto look = [this] {
    for (int i = 0; i < kQuietLooks; i++) {
      now_ += kLook;
      agent_.Look();
    }
    return device_.TakeOps();
  };
  EXPECT_EQ(look(), Ops{});
  device_.EndWait(1, "replied", 5);
  agent_.OnInterrupt();
  device_.TakeOps();
  EXPECT_TRUE(agent_.watching());
  EXPECT_EQ(look(), Ops{"leave"});
  EXPECT_FALSE(agent_.watching());
}

TEST_F(AgentTest, WaitOfAThreadThatIsRefusedIsOver) {
  threads_ = {
      {.id = 71, .own_id = 71, .name = "curl", .runs = false, .ran = {}}};
  device_.FailOp("wait", STUBDOMAIN_RESULT_REFUSED, "no");
  Request(1, kOfAThread, loopback_.guest());
  ExpectError("refused", "no");
  for (int i = 0; i <= kQuietLooks; i++) {
    now_ += kLook;
    agent_.Look();
  }
  EXPECT_FALSE(agent_.watching());
}

TEST_F(AgentTest, ThreadThatCannotBeRegisteredWaitsAllTheSame) {
  threads_ = {
      {.id = 71, .own_id = 71, .name = "curl", .runs = true, .ran = {}}};
  device_.FailOp("register", STUBDOMAIN_RESULT_REFUSED, "too many");
  Request(1, kOfAThread, loopback_.guest());
  EXPECT_FALSE(device_.LastRequest().contains("thread"));
  EXPECT_EQ(TakeAnswer().answer, (json{{"stub", 1}}));
}

TEST_F(AgentTest, ThreadIsNamedInOneWay) {
  Request(1, R"({"op":"wait","tid":71,"thread":1})", loopback_.guest());
  ExpectError("invalid", "'tid': not for a thread that registered");
}

// -- start and stop --

TEST(AgentStart, SaysHelloAndEnablesItsInterrupts) {
  FakeDevice device;
  FakeWallClock clock;
  Agent agent(device, clock, {});
  agent.Start();
  EXPECT_EQ(device.TakeOps().front(), "hello");
  EXPECT_EQ(device.Peek(STUBDOMAIN_REG_INT_ENABLE),
            STUBDOMAIN_INT_RESTORED | STUBDOMAIN_INT_ENDED |
                STUBDOMAIN_INT_SUSPENDING);
}

TEST(AgentStart, CancelsAllThatAnAgentBeforeItLeft) {
  FakeDevice device;
  FakeWallClock clock;
  for (uint32_t stub = 1; stub <= 5; stub++) device.AddWait(stub, "guest");
  Agent agent(device, clock, {});
  agent.Start();
  EXPECT_EQ(device.OpenWaits(), Stubs{});
}

TEST(AgentStart, LeavesTheHostsStubs) {
  FakeDevice device;
  FakeWallClock clock;
  device.AddWait(1, "host");
  Agent agent(device, clock, {});
  agent.Start();
  EXPECT_EQ(device.OpenWaits(), Stubs{1});
}

TEST(AgentStart, RestoreBeforeItStartedIsHandled) {
  FakeDevice device;
  FakeWallClock clock;
  device.Restore();
  Agent agent(device, clock, {});
  agent.Start();
  EXPECT_EQ(device.TakeOps(), (Ops{"hello", "status", "ready", "results"}));
}

TEST(AgentStart, DeviceThatRefusesHelloIsAnError) {
  FakeDevice device;
  FakeWallClock clock;
  Agent agent(device, clock, {});
  device.AnswerNext(STUBDOMAIN_RESULT_REFUSED, "no");
  EXPECT_THROW(agent.Start(), RequestError);
}

TEST_F(AgentTest, StopCancelsTheWaitsAndSaysBye) {
  StartWait(1);
  StartWait(2);
  agent_.Stop();
  EXPECT_EQ(device_.TakeOps(), (Ops{"cancel", "cancel", "bye"}));
  EXPECT_EQ(device_.OpenWaits(), Stubs{});
  EXPECT_EQ(device_.Peek(STUBDOMAIN_REG_INT_ENABLE), 0u);
  EXPECT_TRUE(sent_.empty());
}

// -- a wait through a socket --

TEST_F(AgentTest, WaitNamesTheConnectionAndWhatWasRead) {
  loopback_.Reply("old");
  loopback_.Read(3);
  Request(1, R"({"op":"wait","timeout":500,"plan":{"bytes":9}})",
          loopback_.guest());
  EXPECT_EQ(device_.LastRequest(), (json{{"op", "wait"},
                                         {"flow", FlowToJson(loopback_.flow())},
                                         {"received", 3},
                                         {"timeout", 500},
                                         {"plan", {{"bytes", 9}}},
                                         {"suspend", true}}));
  const Sent sent = TakeAnswer();
  EXPECT_EQ(sent.client, 1u);
  EXPECT_EQ(sent.answer, (json{{"stub", 1}}));
  EXPECT_FALSE(sent.last);
}

TEST_F(AgentTest, ReplyThatIsThereIsAnsweredWithoutTheDevice) {
  loopback_.Reply("hello");
  Request(1, R"({"op":"wait"})", loopback_.guest());
  const Sent sent = TakeAnswer();
  EXPECT_EQ(sent.answer, (json{{"outcome", "replied"}, {"bytes", 5}}));
  EXPECT_TRUE(sent.last);
  EXPECT_EQ(device_.TakeOps(), Ops{});
}

TEST_F(AgentTest, PartsOfThePlanThatOnlyTheDeviceKnowsAreHandedOn) {
  Request(1, R"({"op":"wait","plan":{"new":[1]}})", loopback_.guest());
  EXPECT_EQ(device_.LastRequest().at("plan"), (json{{"new", {1}}}));
}

TEST_F(AgentTest, DevicesRefusalIsHandedOn) {
  device_.AnswerNext(STUBDOMAIN_RESULT_REFUSED, "flow: not followed");
  Request(1, R"({"op":"wait"})", loopback_.guest());
  ExpectError("refused", "flow: not followed");
}

TEST_F(AgentTest, DeviceThatNamesNoStubIsAnError) {
  device_.AnswerNext(STUBDOMAIN_RESULT_OK, "{}");
  Request(1, R"({"op":"wait"})", loopback_.guest());
  ExpectError("device", "the device named no stub");
}

// -- sets of sockets --

class SetTest : public AgentTest {
 protected:
  // A wait for `loopback_` and `other_`; returns their stubs.
  Stubs StartSet(Agent::ClientId client) {
    RequestSet(client, R"({"op":"wait"})", {loopback_.guest(), other_.guest()});
    const Sent sent = TakeAnswer();
    EXPECT_FALSE(sent.last);
    return sent.answer.at("stubs");
  }

  Loopback other_;
};

TEST_F(SetTest, OnlyTheLastStubProposesToSuspend) {
  RequestSet(1, R"({"op":"wait","timeout":9})",
             {loopback_.guest(), other_.guest()});
  const auto requests = device_.Requests();
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].at("flow"), FlowToJson(loopback_.flow()));
  EXPECT_EQ(requests[0].at("suspend"), false);
  EXPECT_EQ(requests[0].at("timeout"), 9);
  EXPECT_EQ(requests[1].at("flow"), FlowToJson(other_.flow()));
  EXPECT_EQ(requests[1].at("suspend"), true);
}

TEST_F(SetTest, FirstThatEndsEndsAll) {
  const Stubs stubs = StartSet(1);
  const uint32_t elsewhere = StartWait(2);
  device_.EndWait(stubs[1], "replied", 12);
  agent_.OnInterrupt();
  const Sent sent = TakeAnswer();
  EXPECT_EQ(sent.client, 1u);
  EXPECT_EQ(sent.answer, (json{{"stub", stubs[1]},
                               {"socket", 1},
                               {"outcome", "replied"},
                               {"bytes", 12}}));
  EXPECT_TRUE(sent.last);
  EXPECT_EQ(device_.OpenWaits(), Stubs{elsewhere});
}

TEST_F(SetTest, TwoThatEndTogetherAreOneEnd) {
  const Stubs stubs = StartSet(1);
  device_.EndWait(stubs[0], "timeout", 0);
  device_.EndWait(stubs[1], "timeout", 0);
  agent_.OnInterrupt();
  EXPECT_EQ(TakeAnswer().answer.at("socket"), 0);
  StartWait(1);
}

TEST_F(SetTest, AllAreCancelledWithTheirClient) {
  StartSet(1);
  agent_.OnGone(1);
  EXPECT_EQ(device_.OpenWaits(), Stubs{});
}

TEST_F(SetTest, AllAreTakenBackTogether) {
  const Stubs stubs = StartSet(1);
  Request(1, R"({"op":"cancel"})");
  const Sent sent = TakeAnswer();
  EXPECT_EQ(sent.answer,
            (json{{"stub", stubs[0]}, {"outcome", "cancelled"}, {"bytes", 0}}));
  EXPECT_TRUE(sent.last);
  EXPECT_EQ(device_.OpenWaits(), Stubs{});
  // It has ended already.
  Request(1, R"({"op":"cancel"})");
  EXPECT_TRUE(sent_.empty());
}

TEST_F(SetTest, RefusalOfOneTakesTheOthersBack) {
  device_.RefuseWaitAfter(1, "flow: not followed");
  RequestSet(1, R"({"op":"wait"})", {loopback_.guest(), other_.guest()});
  ExpectError("refused", "socket 1: flow: not followed");
  EXPECT_EQ(device_.OpenWaits(), Stubs{});
}

TEST_F(SetTest, ReplyThatIsThereEndsIt) {
  other_.Reply("hello");
  RequestSet(1, R"({"op":"wait"})", {loopback_.guest(), other_.guest()});
  EXPECT_EQ(TakeAnswer().answer,
            (json{{"outcome", "replied"}, {"bytes", 5}, {"socket", 1}}));
  EXPECT_EQ(device_.OpenWaits(), Stubs{});
}

TEST_F(SetTest, WhatTheProgramHasSeenIsNoReply) {
  other_.Reply("hello");
  RequestSet(1, R"({"op":"wait","received":[null,5]})",
             {loopback_.guest(), other_.guest()});
  EXPECT_EQ(device_.LastRequest().at("received"), 5);
  sent_.clear();
  RequestSet(2, R"({"op":"wait","received":[0,3]})",
             {loopback_.guest(), other_.guest()});
  EXPECT_EQ(TakeAnswer().answer,
            (json{{"outcome", "replied"}, {"bytes", 2}, {"socket", 1}}));
}

TEST_F(SetTest, MoreThanWasReceivedIsNotBelieved) {
  Request(1, R"({"op":"wait","received":[1000]})", loopback_.guest());
  EXPECT_EQ(device_.LastRequest().at("received"), 0);
}

TEST_F(SetTest, EachSocketNeedsItsNumber) {
  RequestSet(1, R"({"op":"wait","received":[1]})",
             {loopback_.guest(), other_.guest()});
  ExpectError("invalid", "'received': expected one for each socket");
}

TEST_F(SetTest, ErrorNamesTheSocket) {
  const UniqueFd pipe(open("/dev/null", O_RDONLY));
  RequestSet(1, R"({"op":"wait"})", {loopback_.guest(), pipe.get()});
  ExpectError("invalid",
              "socket 1: the descriptor is not a TCP or UDP socket over IPv4 "
              "or IPv6");
}

TEST_F(SetTest, SocketThatListensWaitsForAConnection) {
  const UniqueFd listener(socket(AF_INET6, SOCK_STREAM, 0));
  ASSERT_EQ(listen(listener.get(), 1), 0);
  sockaddr_in6 address{};
  socklen_t length = sizeof(address);
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
  Request(1, R"({"op":"wait"})", listener.get());
  EXPECT_EQ(device_.LastRequest().at("accept"), "hold");
  EXPECT_EQ(device_.LastRequest().at("flow"),
            (json{{"guest", {{"port", ntohs(address.sin6_port)}}}}));
}

// -- hooks --

TEST_F(AgentTest, HooksRunBeforeItIsReady) {
  device_.Restore();
  agent_.OnInterrupt();
  EXPECT_EQ(hooks_, std::vector{Hook::kRestored});
  EXPECT_EQ(ops_before_hooks_, Ops{});
  EXPECT_EQ(device_.TakeOps(), (Ops{"ready", "results"}));
}

TEST_F(AgentTest, HooksRunBeforeItIsPrepared) {
  device_.Announce();
  agent_.OnInterrupt();
  EXPECT_EQ(hooks_, std::vector{Hook::kSuspending});
  EXPECT_EQ(ops_before_hooks_, Ops{});
  EXPECT_EQ(device_.TakeOps(), (Ops{"prepared", "results"}));
}

TEST_F(AgentTest, OneThatIsRestoredAlreadyPreparesNothing) {
  device_.Announce();
  device_.Restore();
  agent_.OnInterrupt();
  EXPECT_EQ(hooks_, std::vector{Hook::kRestored});
  EXPECT_EQ(device_.TakeOps(), (Ops{"ready", "results"}));
}

TEST(AgentStart, AsksToBeToldIfThereAreHooks) {
  FakeDevice device;
  FakeWallClock clock;
  Agent agent(device, clock, {.prepares = true});
  agent.Start();
  EXPECT_EQ(device.Requests().front(),
            (json{{"op", "hello"}, {"prepare", true}}));
}

// -- plans and decisions --

TEST_F(AgentTest, PlanIsCheckedByTheDevice) {
  Request(1, R"({"op":"check","plan":{"bytes":5}})");
  EXPECT_EQ(TakeAnswer().answer, (json{{"checked", true}}));
  EXPECT_EQ(device_.LastRequest(),
            (json{{"op", "check"}, {"plan", {{"bytes", 5}}}}));
  device_.AnswerNext(STUBDOMAIN_RESULT_REFUSED, "plan.bytes: too few");
  Request(2, R"({"op":"check","plan":{"bytes":0}})");
  ExpectError("refused", "plan.bytes: too few");
  Request(3, R"({"op":"check"})");
  ExpectError("invalid", "'plan' is missing");
}

TEST_F(AgentTest, HistoryIsTheDevices) {
  device_.AnswerNext(STUBDOMAIN_RESULT_OK,
                     R"({"decisions":[{"decided":"wake"}]})");
  Request(1, R"({"op":"history"})");
  EXPECT_EQ(TakeAnswer().answer,
            json::parse(R"({"history":[{"decided":"wake"}]})"));
}

TEST_F(AgentTest, HandlerThatClaimedTheReplyIsNamed) {
  const uint32_t stub = StartWait(1);
  device_.EndWait(stub, "replied", 5, "late");
  agent_.OnInterrupt();
  EXPECT_EQ(TakeAnswer().answer.at("handler"), "late");
}

TEST_F(AgentTest, WaitSaysHowDeepToSleep) {
  Request(1, R"({"op":"wait","depth":"idle","evict-delay":0})",
          loopback_.guest());
  const json wait = device_.LastRequest();
  EXPECT_EQ(wait.at("depth"), "idle");
  EXPECT_EQ(wait.at("evict-delay"), 0);
}

TEST_F(AgentTest, WaitSaysWhenItsReplyIsExpected) {
  Request(1, R"({"op":"wait","expected":2000,"class":"search"})",
          loopback_.guest());
  const json wait = device_.LastRequest();
  EXPECT_EQ(wait.at("expected"), 2000);
  EXPECT_EQ(wait.at("class"), "search");
}

// -- threads and inhibits --

TEST_F(AgentTest, ThreadIsRegisteredUntilItsClientIsGone) {
  Request(1, R"({"op":"register","name":"worker"})");
  EXPECT_EQ(device_.LastRequest(),
            (json{{"op", "register"}, {"name", "worker"}}));
  const uint32_t thread = TakeAnswer().answer.at("thread");
  agent_.OnGone(1);
  EXPECT_EQ(device_.LastRequest(), (json{{"op", "leave"}, {"thread", thread}}));
}

TEST_F(AgentTest, WaitNamesItsThread) {
  Request(1, R"({"op":"register"})");
  const uint32_t thread = TakeAnswer().answer.at("thread");
  Request(2,
          R"({"op":"wait","importance":5,"elapsed":30,"thread":)" +
              std::to_string(thread) + "}",
          loopback_.guest());
  const json wait = device_.LastRequest();
  EXPECT_EQ(wait.at("thread"), thread);
  EXPECT_EQ(wait.at("importance"), 5);
  EXPECT_EQ(wait.at("elapsed"), 30);
}

TEST_F(AgentTest, ThreadsOfOthersMayNotBeNamed) {
  Request(1, R"({"op":"register"})", -1, kRoot);
  TakeAnswer();
  Request(2, R"({"op":"wait","thread":1})", loopback_.guest());
  ExpectError("denied", "'thread': no thread of yours is registered so");
  Request(3, R"({"op":"wait","thread":2})", loopback_.guest(), kRoot);
  ExpectError("denied", "'thread': no thread of yours is registered so");
}

TEST_F(AgentTest, InhibitHoldsUntilItsClientIsGone) {
  Request(1, R"({"op":"inhibit"})");
  EXPECT_EQ(TakeAnswer().answer, (json{{"inhibited", true}}));
  Request(1, R"({"op":"inhibit"})");
  ExpectError("invalid", "one inhibit per connection");
  EXPECT_EQ(device_.TakeOps(), Ops{"inhibit"});
  agent_.OnGone(1);
  EXPECT_EQ(device_.TakeOps(), Ops{"allow"});
}

TEST_F(AgentTest, RefusedInhibitIsNotTakenBack) {
  device_.AnswerNext(STUBDOMAIN_RESULT_REFUSED, "too many");
  Request(1, R"({"op":"inhibit"})");
  ExpectError("refused", "too many");
  device_.TakeOps();
  agent_.OnGone(1);
  EXPECT_EQ(device_.TakeOps(), Ops{});
}

// -- results --

TEST_F(AgentTest, EndOfAWaitIsAnsweredToItsClientAlone) {
  StartWait(1);
  const uint32_t stub = StartWait(2);
  device_.EndWait(stub, "timeout", 12);
  agent_.OnInterrupt();
  const Sent sent = TakeAnswer();
  EXPECT_EQ(sent.client, 2u);
  EXPECT_EQ(sent.answer,
            (json{{"stub", stub}, {"outcome", "timeout"}, {"bytes", 12}}));
  EXPECT_TRUE(sent.last);
}

TEST_F(AgentTest, SeveralEndsAreAnsweredFromOneInterrupt) {
  const uint32_t first = StartWait(1);
  const uint32_t second = StartWait(2);
  device_.EndWait(first, "replied", 1);
  device_.EndWait(second, "reset", 0);
  agent_.OnInterrupt();
  EXPECT_EQ(sent_.size(), 2u);
  EXPECT_EQ(device_.TakeOps(), Ops{"results"});
}

TEST_F(AgentTest, EndOfAWaitThatNobodyKnowsIsIgnored) {
  device_.EndWait(77, "replied", 1);
  agent_.OnInterrupt();
  EXPECT_TRUE(sent_.empty());
}

TEST_F(AgentTest, ResultsThatMakeNoSenseDoNotStopTheAgent) {
  const uint32_t stub = StartWait(1);
  device_.EndWait(stub, "won", 1);
  agent_.OnInterrupt();
  EXPECT_TRUE(sent_.empty());
  EXPECT_EQ(device_.Peek(STUBDOMAIN_REG_INT_STATUS), 0u);
  StartWait(2);
}

TEST_F(AgentTest, NoInterruptMeansNoRequest) {
  agent_.OnInterrupt();
  EXPECT_EQ(device_.TakeOps(), Ops{});
}

// -- restore --

TEST_F(AgentTest, ClockIsSetBeforeReadyAndReadyBeforeResults) {
  const uint32_t stub = StartWait(1);
  device_.SetHostTime(1'800'000'000'000'000'000);
  device_.EndWait(stub, "replied", 1);
  device_.Restore();
  agent_.OnInterrupt();
  EXPECT_EQ(clock_.now, std::chrono::nanoseconds(1'800'000'000'000'000'000));
  const auto log = device_.log();
  const auto at = [&](const std::string& what) {
    return std::find(log.begin(), log.end(), what) - log.begin();
  };
  EXPECT_LT(at("read " + std::to_string(STUBDOMAIN_REG_HOST_TIME_HIGH)),
            at("ready"));
  EXPECT_LT(at("ready"), at("results"));
  EXPECT_EQ(TakeAnswer().answer.at("outcome"), "replied");
}

TEST_F(AgentTest, ClockThatCannotBeSetDoesNotKeepTheReplyBack) {
  device_.SetHostTime(1'800'000'000'000'000'000);
  clock_.error = EPERM;
  device_.Restore();
  agent_.OnInterrupt();
  EXPECT_EQ(device_.TakeOps(), (Ops{"ready", "results"}));
}

TEST_F(AgentTest, ClockIsLeftAloneWithoutARestore) {
  device_.SetHostTime(1'800'000'000'000'000'000);
  device_.EndWait(StartWait(1), "replied", 1);
  agent_.OnInterrupt();
  EXPECT_EQ(clock_.sets, 0);
}

// Its interrupt cause never goes away.
class StuckDevice : public FakeDevice {
 public:
  uint32_t Read(uint32_t reg) override {
    return reg == STUBDOMAIN_REG_INT_STATUS ? STUBDOMAIN_INT_ENDED
                                            : FakeDevice::Read(reg);
  }
};

TEST(AgentInterrupt, CauseThatNeverGoesAwayIsLeftAfterTheBound) {
  StuckDevice device;
  FakeWallClock clock;
  Agent agent(device, clock, {});
  agent.OnInterrupt();
  EXPECT_EQ(device.TakeOps().size(), static_cast<size_t>(kMaxInterruptRounds));
}

// -- clients that go --

TEST_F(AgentTest, ClientThatHangsUpCancelsItsWait) {
  const uint32_t kept = StartWait(1);
  StartWait(2);
  agent_.OnGone(2);
  EXPECT_EQ(device_.OpenWaits(), Stubs{kept});
}

TEST_F(AgentTest, HangingUpAfterTheEndCancelsNothing) {
  device_.EndWait(StartWait(1), "replied", 1);
  agent_.OnInterrupt();
  device_.TakeOps();
  agent_.OnGone(1);
  EXPECT_EQ(device_.TakeOps(), Ops{});
}

TEST_F(AgentTest, HangingUpWhileTheWaitEndsIsQuiet) {
  const uint32_t stub = StartWait(1);
  device_.EndWait(stub, "replied", 1);
  agent_.OnGone(1);
  agent_.OnInterrupt();
  EXPECT_TRUE(sent_.empty());
}

// -- waits by address --

TEST_F(AgentTest, RootMayWaitForAnyAddress) {
  Request(1, kByAddress, -1, kRoot);
  EXPECT_EQ(TakeAnswer().answer, (json{{"stub", 1}}));
  const json request = device_.LastRequest();
  EXPECT_EQ(request.at("flow").at("guest").at("port"), 4000);
  EXPECT_FALSE(request.contains("received"));
}

TEST_F(AgentTest, RootMayLeaveTheGuestsEndOut) {
  Request(1, R"({"op":"wait","flow":{"peer":{"host":"10.0.2.2","port":80}}})",
          -1, kRoot);
  EXPECT_EQ(TakeAnswer().answer, (json{{"stub", 1}}));
}

TEST_F(AgentTest, UserMayWaitForTheAddressOfAnOwnConnection) {
  found_socket_ = SocketEntry{kUser, 0};
  Request(1, kByAddress);
  EXPECT_EQ(TakeAnswer().answer, (json{{"stub", 1}}));
}

TEST_F(AgentTest, UserMayNotWaitForOthersAddresses) {
  const std::string text =
      "no established connection of yours has these addresses; pass its "
      "socket instead";
  Request(1, kByAddress);
  ExpectError("denied", text);
  for (const uid_t owner : {kRoot, kUser + 1}) {
    found_socket_ = SocketEntry{owner, 0};
    Request(1, kByAddress);
    ExpectError("denied", text);
  }
  found_socket_ = SocketEntry{kUser, 0};
  Request(1, R"({"op":"wait","flow":{"peer":{"host":"10.0.2.2","port":80}}})");
  ExpectError("denied", text);
  EXPECT_EQ(device_.TakeOps(), Ops{});
}

TEST_F(AgentTest, ReplyThatIsThereIsSeenByAddressToo) {
  found_socket_ = SocketEntry{kUser, 5};
  Request(1, kByAddress);
  EXPECT_EQ(TakeAnswer().answer, (json{{"outcome", "replied"}, {"bytes", 5}}));
}

// -- requests that are refused --

TEST_F(AgentTest, MalformedRequestsAreRefusedWithThePlace) {
  Request(1, R"({"op":"wait","timeout":-1})");
  ExpectError("invalid",
              "'timeout': expected a whole number from 0 to 4294967295");
  Request(1, R"({"op":"wait","plan":{"bytes":0}})", loopback_.guest());
  ExpectError(
      "invalid",
      "'plan.bytes': expected a whole number from 1 to 18446744073709551615");
  EXPECT_EQ(device_.TakeOps(), Ops{});
}

TEST_F(AgentTest, ConnectionMustBeNamedInOneWay) {
  const std::string text =
      "a wait names its connection by a socket that comes along, or by 'flow'";
  Request(1, R"({"op":"wait"})");
  ExpectError("invalid", text);
  Request(1, kByAddress, loopback_.guest());
  ExpectError("invalid", text);
}

// -- waits for new connections --

constexpr char kListen[] =
    R"({"op":"listen","port":80,"accept":"answer","guest-port":8080,)"
    R"("plan":{"bytes":0},"timeout":5})";

TEST_F(AgentTest, RootMayWaitForNewConnections) {
  Request(1, kListen, -1, kRoot);
  EXPECT_EQ(TakeAnswer().answer, (json{{"stub", 1}}));
  EXPECT_EQ(device_.LastRequest(), (json{{"op", "wait"},
                                         {"flow", {{"guest", {{"port", 80}}}}},
                                         {"accept", "answer"},
                                         {"guest-port", 8080},
                                         {"timeout", 5},
                                         {"plan", {{"bytes", 0}}},
                                         {"suspend", true}}));
}

TEST_F(AgentTest, UserMayNotWaitForNewConnections) {
  Request(1, kListen);
  ExpectError("denied", "only root may wait for new connections");
}

TEST_F(AgentTest, SecondWaitOnAConnectionIsRefused) {
  StartWait(1);
  Request(1, R"({"op":"wait"})", loopback_.guest());
  ExpectError("invalid", "one wait per connection");
}

TEST_F(AgentTest, OverlongMessagesAndSurplusDescriptorsAreRefused) {
  Packet packet;
  packet.data = R"({"op":"status"})";
  packet.truncated = true;
  agent_.OnRequest(1, {kUser, kProcess}, packet);
  ExpectError("invalid", "the message is longer than 16384 bytes");
  packet.truncated = false;
  packet.surplus = true;
  agent_.OnRequest(1, {kUser, kProcess}, packet);
  ExpectError("invalid", "more than 64 descriptors came along");
}

// -- without a socket --

class DetachTest : public AgentTest {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root, for TCP_REPAIR";
    device_.SetParameters(LoopbackParameters(loopback_.guest()));
  }

  // Returns the stub.
  uint32_t StartDetached(Agent::ClientId client) {
    Request(client, R"({"op":"wait","detach":true})", loopback_.guest());
    EXPECT_EQ(device_.TakeOps(), (Ops{"detach", "wait"}));
    return TakeAnswer().answer.at("stub");
  }

  // `fd` is connected to the peer.
  void ExpectWorks(int fd) {
    EXPECT_EQ(send(fd, "x", 1, MSG_NOSIGNAL), 1);
    char byte = 0;
    EXPECT_EQ(recv(loopback_.peer(), &byte, 1, 0), 1);
    EXPECT_EQ(byte, 'x');
  }

  bool OldIsConnected() { return ProbeIsConnected(loopback_.guest()); }

  static bool ProbeIsConnected(int fd) {
    sockaddr_storage address;
    socklen_t length = sizeof(address);
    return getpeername(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  }
};

TEST_F(DetachTest, WhenTheWaitEndsANewSocketComesAlong) {
  const json flow = FlowToJson(loopback_.flow());
  const uint32_t stub = StartDetached(1);
  EXPECT_FALSE(OldIsConnected());
  device_.EndWait(stub, "replied", 5);
  agent_.OnInterrupt();
  EXPECT_EQ(device_.LastRequest(), (json{{"op", "reattach"}, {"flow", flow}}));
  EXPECT_EQ(device_.TakeOps(), (Ops{"results", "parameters", "reattach"}));
  const Sent sent = TakeAnswer();
  EXPECT_EQ(sent.answer,
            (json{{"stub", stub}, {"outcome", "replied"}, {"bytes", 5}}));
  EXPECT_TRUE(sent.last);
  ExpectWorks(sent.fd.get());
}

TEST_F(DetachTest, WhatTheOldSocketHadReceivedStillCounts) {
  loopback_.Reply("head");
  loopback_.Read(4);
  device_.SetParameters(LoopbackParameters(loopback_.guest()));
  device_.EndWait(StartDetached(1), "timeout", 0);
  agent_.OnInterrupt();
  const UniqueFd fd = std::move(TakeAnswer().fd);
  Request(2, R"({"op":"wait"})", fd.get());
  EXPECT_EQ(device_.LastRequest().at("received"), 4);
}

TEST_F(DetachTest, WhileBytesAreUnderWayItIsTriedAgain) {
  const uint32_t stub = StartDetached(1);
  device_.EndWait(stub, "replied", 5);
  device_.FailOp("parameters", STUBDOMAIN_RESULT_BUSY, "flow: busy");
  agent_.OnInterrupt();
  EXPECT_TRUE(agent_.giving_back());
  now_ += kMaxBusy - std::chrono::milliseconds(1);
  agent_.GiveBack();
  EXPECT_TRUE(sent_.empty());
  device_.FailOp("", 0, "");
  agent_.GiveBack();
  EXPECT_FALSE(agent_.giving_back());
  ExpectWorks(TakeAnswer().fd.get());
}

TEST_F(DetachTest, NotForever) {
  const uint32_t stub = StartDetached(1);
  device_.EndWait(stub, "replied", 5);
  device_.FailOp("parameters", STUBDOMAIN_RESULT_BUSY, "flow: busy");
  agent_.OnInterrupt();
  now_ += kMaxBusy;
  agent_.GiveBack();
  ExpectError("busy", "flow: busy");
  EXPECT_FALSE(agent_.giving_back());
}

TEST_F(DetachTest, ClientThatDiesClosesTheConnection) {
  StartDetached(1);
  agent_.OnGone(1);
  EXPECT_EQ(device_.TakeOps(), (Ops{"cancel", "parameters", "reattach"}));
  sent_.clear();  // to nobody: the descriptor is closed
  char byte;
  EXPECT_EQ(recv(loopback_.peer(), &byte, 1, MSG_DONTWAIT), 0);
}

TEST_F(DetachTest, StopGivesTheSocketBack) {
  StartDetached(1);
  agent_.Stop();
  EXPECT_EQ(device_.TakeOps(),
            (Ops{"cancel", "parameters", "reattach", "bye"}));
  const Sent sent = TakeAnswer();
  EXPECT_EQ(sent.answer.at("outcome"), "cancelled");
  ExpectWorks(sent.fd.get());
}

TEST_F(DetachTest, DevicesRefusalLeavesTheSocketAsItWas) {
  for (const char* op : {"detach", "wait"}) {
    device_.FailOp(op, STUBDOMAIN_RESULT_REFUSED, "no");
    Request(1, R"({"op":"wait","detach":true})", loopback_.guest());
    ExpectError("refused", "no");
    ExpectWorks(loopback_.guest());
  }
  EXPECT_EQ(device_.TakeOps(), (Ops{"detach", "detach", "wait", "reattach"}));
}

TEST_F(DetachTest, ParametersThatMakeNoSenseAreAnError) {
  const uint32_t stub = StartDetached(1);
  device_.SetParameters(json::object());
  device_.EndWait(stub, "replied", 5);
  agent_.OnInterrupt();
  ExpectError("device",
              "the device's response: 'parameters.send-next' is missing");
}

TEST_F(AgentTest, OnlyASocketCanBeDetached) {
  Request(1,
          R"({"op":"wait","detach":true,"flow":{"peer":)"
          R"({"host":"10.0.2.2","port":80}}})",
          -1, kRoot);
  ExpectError("invalid", "'detach' is for one socket");
}

// -- status --

TEST_F(AgentTest, StatusIsTheDevicesAndTheAgents) {
  StartWait(1);
  Request(2, R"({"op":"status"})");
  const Sent sent = TakeAnswer();
  EXPECT_FALSE(sent.last);
  const json& status = sent.answer.at("status");
  EXPECT_EQ(status.at("suspends"), 2);
  EXPECT_EQ(status.at("waits"), 1);
  EXPECT_EQ(status.at("interrupts"), "fake");
  EXPECT_EQ(status.at("stubs").size(), 1u);
}

// The memory of a buffer for `size` bytes.
class Memory {
 public:
  explicit Memory(size_t size) { sdg_buffer_make(size, &buffer_); }
  ~Memory() { sdg_buffer_free(&buffer_); }
  int fd() const { return buffer_.memory; }
  // The first byte of the nonce, which is not 0.
  uint8_t mark() const {
    return *(static_cast<const uint8_t*>(buffer_.data) - 32);
  }

 private:
  sdg_buffer buffer_{};
};

TEST_F(AgentTest, AWaitWithMemoryNamesItsPages) {
  const Memory memory(5000);
  RequestSet(1, R"({"op":"wait","buffer":5000})",
             {loopback_.guest(), memory.fd()});
  const uint32_t stub = TakeAnswer().answer.at("stub");
  const json wait = device_.LastRequest();
  EXPECT_EQ(wait.at("buffer").at("length"), 5000);
  EXPECT_EQ(wait.at("buffer").at("pages"), (json{0x1000, 0x2000}));
  EXPECT_NE(memory.mark(), 0);
  device_.EndWait(stub, "replied", 3);
  agent_.OnInterrupt();
  EXPECT_EQ(TakeAnswer().answer.at("outcome"), "replied");
  EXPECT_EQ(memory.mark(), 0);
}

TEST_F(AgentTest, MemoryIsTakenBackWithItsWait) {
  const Memory gone(100);
  const Memory cancelled(100);
  const Memory stopped(100);
  RequestSet(1, R"({"op":"wait","buffer":100})",
             {loopback_.guest(), gone.fd()});
  agent_.OnGone(1);
  EXPECT_EQ(gone.mark(), 0);
  RequestSet(2, R"({"op":"wait","buffer":100})",
             {loopback_.guest(), cancelled.fd()});
  Request(2, R"({"op":"cancel"})");
  EXPECT_EQ(cancelled.mark(), 0);
  RequestSet(3, R"({"op":"wait","buffer":100})",
             {loopback_.guest(), stopped.fd()});
  EXPECT_NE(stopped.mark(), 0);
  agent_.Stop();
  EXPECT_EQ(stopped.mark(), 0);
}

TEST_F(AgentTest, MemoryNeedsOneSocket) {
  const std::string text = "'buffer': expected one socket, and then its memory";
  const Memory memory(100);
  Request(1, R"({"op":"wait","buffer":100})", loopback_.guest());
  ExpectError("invalid", text);
  RequestSet(1, R"({"op":"wait","buffer":100})",
             {loopback_.guest(), loopback_.guest(), memory.fd()});
  ExpectError("invalid", text);
  RequestSet(1, R"({"op":"wait","buffer":100,"detach":true})",
             {loopback_.guest(), memory.fd()});
  ExpectError("invalid", text);
  RequestSet(1, R"({"op":"wait","buffer":262113})",
             {loopback_.guest(), memory.fd()});
  ExpectError("invalid", "'buffer': expected a whole number from 1 to 262112");
}

TEST_F(AgentTest, BeyondTheBoundThereIsNoMemory) {
  const Memory memory(100);
  for (Agent::ClientId client = 1; client <= kMaxBuffers + 1; ++client) {
    RequestSet(client, R"({"op":"wait","buffer":100})",
               {loopback_.guest(), memory.fd()});
    EXPECT_EQ(device_.LastRequest().contains("buffer"), client <= kMaxBuffers);
    TakeAnswer();
  }
}

TEST_F(AgentTest, WithoutAddressesTheWaitIsLaidAllTheSame) {
  address_.reset();
  const Memory memory(100);
  RequestSet(1, R"({"op":"wait","buffer":100})",
             {loopback_.guest(), memory.fd()});
  EXPECT_TRUE(TakeAnswer().answer.contains("stub"));
  EXPECT_FALSE(device_.LastRequest().contains("buffer"));
}

}  // namespace
}  // namespace stubdomain
