// An agent that serves programs from a thread, with a fake device, for tests.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_SERVING_AGENT_H_
#define STUBDOMAIN_GUEST_AGENT_SERVING_AGENT_H_

#include <sys/eventfd.h>

#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "agent/agent.h"
#include "agent/fake_device.h"
#include "agent/fake_wall_clock.h"
#include "agent/server.h"

namespace stubdomain {

class ServingAgent {
 public:
  // Where it serves.
  explicit ServingAgent(std::string path) : path_(std::move(path)) {}
  ~ServingAgent() { StopAgent(); }

  // Programs can connect when it returns.
  void StartAgent() {
    server_.emplace(path_);
    stop_ = UniqueFd(eventfd(0, 0));
    interrupt_ = UniqueFd(eventfd(0, 0));
    thread_ = std::thread([this] { Serve(); });
  }

  void StopAgent() {
    if (!thread_.joinable()) return;
    eventfd_write(stop_.get(), 1);
    thread_.join();
    server_.reset();
  }

  // Waits until the device has `count` open waits.
  void AwaitWaits(size_t count) {
    while (device_.OpenWaits().size() != count) std::this_thread::yield();
  }

  // Ends the oldest wait, of which there will be `count`.
  void EndWait(const std::string& outcome, uint64_t bytes, size_t count = 1) {
    AwaitWaits(count);
    device_.EndWait(device_.OpenWaits().front(), outcome, bytes);
    eventfd_write(interrupt_.get(), 1);
  }

 protected:
  const std::string path_;
  FakeDevice device_;

 private:
  void Serve() {
    FakeWallClock clock;
    Agent agent(
        device_, clock,
        {.answer =
             [this](Agent::ClientId client, const Answer& answer, bool last,
                    int fd) { server_->SendAnswer(client, answer, last, fd); },
         .find_socket =
             [](const Endpoint& guest, const Endpoint& peer) {
               return FindSocket(guest, peer);
             },
         .interrupts = "fake",
         // Memory has no address that means anything to the fake device.
         .translate =
             [](const void* page) {
               return reinterpret_cast<uintptr_t>(page);
             }});
    agent.Start();
    server_->Run(agent,
                 {{stop_.get(), [this] { server_->Stop(); }},
                  {interrupt_.get(),
                   [&] {
                     eventfd_t count;
                     eventfd_read(interrupt_.get(), &count);
                     agent.OnInterrupt();
                   }}},
                 -1, [] {});
    agent.Stop();
  }

  std::optional<Server> server_;
  UniqueFd stop_;
  UniqueFd interrupt_;
  std::thread thread_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_SERVING_AGENT_H_
