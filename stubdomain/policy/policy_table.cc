// For tests: what happens to a guest with several threads, as a table.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "policy/policy_table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace stubdomain {

class PolicyTable::Words {
 public:
  explicit Words(const std::string& text) : stream_(text) {}
  std::string Next() {
    std::string word;
    stream_ >> word;
    return word;
  }
  uint32_t Number() {
    uint32_t number = 0;
    stream_ >> number;
    EXPECT_FALSE(stream_.fail()) << stream_.str();
    return number;
  }

  sd_depth Depth() {
    const std::string word = Next();
    if (word == "idle") return SD_DEPTH_IDLE;
    return word == "auto" ? SD_DEPTH_AUTO : SD_DEPTH_EVICT;
  }

 private:
  std::istringstream stream_;
};

PolicyTable::PolicyTable(const sd_config& config) : trace_(config) {
  trace_.on_effect = [this](const std::string& line) {
    if (line == "suspend") {
      sd_on_stopped(trace_.stub(), trace_.now());
      sd_on_suspended(trace_.stub(), trace_.now());
    } else if (line == "idle") {
      sd_on_stopped(trace_.stub(), trace_.now());
    } else if (line == "evict") {
      sd_on_suspended(trace_.stub(), trace_.now());
    } else if (line.starts_with("restore")) {
      sd_on_running(trace_.stub(), trace_.now());
    }
  };
}

Talk& PolicyTable::TalkOf(char name) {
  const auto [at, anew] =
      talks_.try_emplace(name, static_cast<uint16_t>(40000 + name));
  if (anew) {
    trace_.Connect(&at->second);
    trace_.Request(at->second, 10);
  }
  return at->second;
}

void PolicyTable::Note(sd_refusal refusal) {
  if (refusal != SD_OK) {
    own_.push_back(std::string("refused: ") + sd_refusal_text(refusal));
  }
}

void PolicyTable::Wait(Words& words) {
  sd_wait wait = Trace::WaitOn(TalkOf(words.Next()[0]));
  std::string request_class;
  for (std::string word; !(word = words.Next()).empty();) {
    if (word == "thread") {
      wait.thread = words.Number();
    } else if (word == "importance") {
      wait.importance = static_cast<uint8_t>(words.Number());
    } else if (word == "elapsed") {
      wait.elapsed_ms = words.Number();
    } else if (word == "timeout") {
      wait.timeout_ms = words.Number();
    } else if (word == "expects") {
      wait.expected_ms = words.Number();
    } else if (word == "class") {
      request_class = words.Next();
      wait.request_class = request_class.c_str();
    } else if (word == "host") {
      wait.owner = SD_OWNER_HOST;
    } else if (word == "depth") {
      wait.has_depth = true;
      wait.depth = words.Depth();
    } else if (word == "delay") {
      wait.has_evict_delay = true;
      wait.evict_delay_ms = words.Number();
    } else if (word == "quiet") {
      wait.suspend = false;
    } else {
      ADD_FAILURE() << word;
    }
  }
  Note(trace_.Wait(wait));
}

void PolicyTable::Happen(const std::string& event) {
  Words words(event);
  const std::string verb = words.Next();
  if (verb == "register") {
    uint32_t thread = 0;
    const sd_refusal refusal =
        sd_register_thread(trace_.stub(), "", trace_.now(), &thread);
    Note(refusal);
    if (refusal == SD_OK) own_.push_back("thread " + std::to_string(thread));
  } else if (verb == "leave") {
    Note(sd_leave_thread(trace_.stub(), words.Number(), trace_.now()));
  } else if (verb == "wait") {
    Wait(words);
  } else if (verb == "reply") {
    trace_.PeerSends(TalkOf(words.Next()[0]), 5);
  } else if (verb == "cancel") {
    Note(trace_.Cancel(SD_OWNER_GUEST, words.Number()));
  } else if (verb == "inhibit" || verb == "allow") {
    const sd_owner owner =
        words.Next() == "host" ? SD_OWNER_HOST : SD_OWNER_GUEST;
    Note(verb == "inhibit" ? sd_inhibit(trace_.stub(), owner, trace_.now())
                           : sd_allow(trace_.stub(), owner, trace_.now()));
  } else if (verb == "vcpus") {
    sd_vcpus_idle(trace_.stub(), words.Next() == "idle", trace_.now());
  } else if (verb == "connect") {
    TalkOf(words.Next()[0]);
  } else if (verb == "suspend") {
    Note(trace_.Suspend(words.Depth()));
  } else if (verb == "restore") {
    Note(trace_.Restore());
  } else {
    EXPECT_EQ(verb, "");
  }
  trace_.Dispatch();
}

void PolicyTable::PassUntil(uint64_t at) {
  ASSERT_GE(at, at_);
  trace_.Pass(at - at_);
  at_ = at;
}

void PolicyTable::Play(uint64_t at, const std::string& event) {
  PassUntil(at);
  Happen(event);
  if (trace_.info().state != SD_RUNNING) return;
  for (auto& [name, talk] : talks_) trace_.GuestAcks(talk);
}

void PolicyTable::Expect(const std::vector<Row>& rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(std::to_string(rows[i].at) + " ms: " + rows[i].event);
    Play(rows[i].at, rows[i].event);
    // What is due at the time of the next row is the next row's.
    if (i + 1 < rows.size() && rows[i + 1].at > at_) {
      PassUntil(rows[i + 1].at - 1);
    }
    Lines all = std::exchange(own_, {});
    for (std::string& line : trace_.TakeNotices()) all.push_back(line);
    std::string joined;
    for (const std::string& line : all) {
      joined += (joined.empty() ? "" : ", ") + line;
    }
    EXPECT_EQ(joined, rows[i].effects);
  }
}

sd_policy DefaultPolicy() { return Trace::DefaultConfig().policy; }

void ExpectTable(const sd_policy& policy, const std::vector<Row>& rows) {
  sd_config config = Trace::DefaultConfig();
  config.policy = policy;
  PolicyTable(config).Expect(rows);
}

}  // namespace stubdomain
