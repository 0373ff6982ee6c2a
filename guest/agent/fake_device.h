// A stubdomain-pci device for tests: answers requests from a small model of a
// stub domain, and records them.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_FAKE_DEVICE_H_
#define STUBDOMAIN_GUEST_AGENT_FAKE_DEVICE_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/device.h"
#include "hw/stubdomain/regs.h"

namespace stubdomain {

class FakeDevice : public Device {
 public:
  uint32_t Read(uint32_t reg) override {
    const std::lock_guard lock(mutex_);
    log_.push_back("read " + std::to_string(reg));
    switch (reg) {
      case STUBDOMAIN_REG_HOST_TIME_LOW:
        host_time_high_ = static_cast<uint32_t>(host_time_ >> 32);
        return static_cast<uint32_t>(host_time_);
      case STUBDOMAIN_REG_HOST_TIME_HIGH:
        return host_time_high_;
      default:
        return regs_[reg];
    }
  }

  void Write(uint32_t reg, uint32_t value) override {
    const std::lock_guard lock(mutex_);
    switch (reg) {
      case STUBDOMAIN_REG_DOORBELL:
        Handle();
        break;
      case STUBDOMAIN_REG_INT_ACK:
        regs_[STUBDOMAIN_REG_INT_STATUS] &= ~value;
        break;
      default:
        regs_[reg] = value;
    }
  }

  void WriteRequest(std::string_view request) override {
    const std::lock_guard lock(mutex_);
    request_ = request;
  }

  std::string ReadResponse(size_t length) override {
    const std::lock_guard lock(mutex_);
    return response_.substr(0, length);
  }

  // -- what the test does to it --

  // The next request is answered so, instead of by the model.
  void AnswerNext(uint32_t result, const std::string& text) {
    const std::lock_guard lock(mutex_);
    forced_ = {result, text};
  }

  // All requests `op` fail so, from now on.
  void FailOp(const std::string& op, uint32_t result, const std::string& text) {
    const std::lock_guard lock(mutex_);
    failing_op_ = op;
    failure_ = {result, text};
  }

  // Of the next waits, all but the first `count` are refused.
  void RefuseWaitAfter(int count, const std::string& text) {
    const std::lock_guard lock(mutex_);
    waits_until_refusal_ = count;
    failure_ = {STUBDOMAIN_RESULT_REFUSED, text};
  }

  void EndWait(uint32_t stub, const std::string& outcome, uint64_t bytes,
               const std::string& handler = "") {
    const std::lock_guard lock(mutex_);
    waits_.erase(stub);
    ended_.push_back({{"stub", stub}, {"outcome", outcome}, {"bytes", bytes}});
    if (!handler.empty()) {
      ended_.back()["claim"] = {
          {"handler", handler}, {"message", 0}, {"offset", bytes}};
    }
    regs_[STUBDOMAIN_REG_INT_STATUS] |= STUBDOMAIN_INT_ENDED;
  }

  void Restore() {
    const std::lock_guard lock(mutex_);
    regs_[STUBDOMAIN_REG_INT_STATUS] |= STUBDOMAIN_INT_RESTORED;
  }

  // A suspend is about to begin.
  void Announce() {
    const std::lock_guard lock(mutex_);
    regs_[STUBDOMAIN_REG_INT_STATUS] |= STUBDOMAIN_INT_SUSPENDING;
  }

  // A stub that is there already.
  void AddWait(uint32_t stub, const std::string& owner) {
    const std::lock_guard lock(mutex_);
    waits_[stub] = {{"stub", stub}, {"owner", owner}};
  }

  // What "parameters" answers.
  void SetParameters(const nlohmann::json& parameters) {
    const std::lock_guard lock(mutex_);
    parameters_ = parameters;
  }

  void SetHostTime(uint64_t nanoseconds) {
    const std::lock_guard lock(mutex_);
    host_time_ = nanoseconds;
  }

  // -- what the test sees of it --

  // Operations in order, and forgets them: "hello", "wait", ...
  std::vector<std::string> TakeOps() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> ops;
    for (const auto& request : requests_) ops.push_back(request.at("op"));
    requests_.clear();
    return ops;
  }

  std::vector<nlohmann::json> Requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

  nlohmann::json LastRequest() {
    const std::lock_guard lock(mutex_);
    return requests_.empty() ? nlohmann::json() : requests_.back();
  }

  std::vector<uint32_t> OpenWaits() {
    const std::lock_guard lock(mutex_);
    std::vector<uint32_t> stubs;
    for (const auto& [stub, info] : waits_) stubs.push_back(stub);
    return stubs;
  }

  uint32_t Peek(uint32_t reg) {
    const std::lock_guard lock(mutex_);
    return regs_[reg];
  }

  std::vector<std::string> log() const { return log_; }

 private:
  void Respond(uint32_t result, const std::string& text) {
    response_ = text;
    regs_[STUBDOMAIN_REG_RESULT] = result;
    regs_[STUBDOMAIN_REG_RESPONSE_LENGTH] = static_cast<uint32_t>(text.size());
  }

  void Handle() {
    using nlohmann::json;
    const uint32_t length = regs_[STUBDOMAIN_REG_REQUEST_LENGTH];
    const json request = json::parse(request_.substr(0, length));
    requests_.push_back(request);
    log_.push_back(request.at("op"));
    if (forced_) {
      Respond(forced_->first, forced_->second);
      forced_.reset();
      return;
    }
    json response = json::object();
    const std::string op = request.at("op");
    if (op == failing_op_ || (op == "wait" && waits_until_refusal_-- == 0)) {
      Respond(failure_.first, failure_.second);
      return;
    }
    if (op == "wait") {
      const uint32_t stub = next_stub_++;
      waits_[stub] = {{"stub", stub}, {"owner", "guest"}};
      response["stub"] = stub;
    } else if (op == "cancel") {
      if (waits_.erase(request.at("stub")) == 0) {
        Respond(STUBDOMAIN_RESULT_REFUSED, "stub: there is none");
        return;
      }
    } else if (op == "register") {
      response["thread"] = next_thread_++;
    } else if (op == "parameters") {
      response["parameters"] = parameters_;
    } else if (op == "results") {
      response["ended"] = std::exchange(ended_, json::array());
    } else if (op == "status") {
      response = {{"stubs", json::array()}, {"suspends", 2}, {"restores", 2}};
      // In pages, as the real one.
      for (const auto& [stub, info] : waits_) {
        if (response["stubs"].size() < kStatusPage) {
          response["stubs"].push_back(info);
        }
      }
    }
    Respond(STUBDOMAIN_RESULT_OK, response.dump());
  }

  static constexpr size_t kStatusPage = 2;

  std::mutex mutex_;
  std::map<uint32_t, uint32_t> regs_;
  std::string request_;
  std::string response_;
  std::optional<std::pair<uint32_t, std::string>> forced_;
  std::string failing_op_;
  int waits_until_refusal_ = -1;  // negative: none
  std::pair<uint32_t, std::string> failure_;
  std::vector<nlohmann::json> requests_;
  std::vector<std::string> log_;
  std::map<uint32_t, nlohmann::json> waits_;
  nlohmann::json ended_ = nlohmann::json::array();
  nlohmann::json parameters_ = nlohmann::json::object();
  uint32_t next_stub_ = 1;
  uint32_t next_thread_ = 1;
  uint64_t host_time_ = 0;
  uint32_t host_time_high_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_FAKE_DEVICE_H_
