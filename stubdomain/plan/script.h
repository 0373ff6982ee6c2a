// A small program in Lua that decides what becomes of a message.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_SCRIPT_H_
#define STUBDOMAIN_PLAN_SCRIPT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/message_reader.h"
#include "wire/time.h"

namespace stubdomain {

inline constexpr size_t kMaxScriptLength = 8 << 10;  // of its text
// What it is run over, and what it answers with.
inline constexpr size_t kMaxScriptMessage = 64 << 10;
inline constexpr size_t kScriptMemory = 1 << 20;
// One string or table. What one instruction does takes as long as that is.
inline constexpr size_t kMaxScriptBlock = 128 << 10;
// Of all runs for one wait: instructions, and what else takes time.
inline constexpr uint32_t kMaxScriptSteps = 100'000;
inline constexpr uint32_t kScriptRunSteps = 500;  // that each run takes
inline constexpr size_t kMaxScriptAlerts = 4;     // of one run
inline constexpr size_t kMaxScriptAlertText = 256;

// What it is told, under the names that it knows it by.
struct ScriptMessage {
  std::string_view format;
  std::string_view bytes;
  std::string_view body;
  const Facts& facts;
  std::string_view handler;
  uint32_t number = 0;
  uint32_t tries = 0;
  bool datagram = false;
};

struct ScriptVerdict {
  enum class Next : uint8_t {
    kNextAction,  // of the handler
    kRestore,
    kIgnore,
    kDiscard,
    kRetry,
    kAnswer,
  };

  Next next = Next::kNextAction;
  std::string answer;             // kAnswer
  std::optional<Duration> after;  // kRetry
  std::vector<std::string> alerts;
  // Not empty: it has failed, and why. `next` means nothing then.
  std::string problem;
};

// Why it is no program, with the line; empty: it is one.
std::string CheckScript(std::string_view source);

// The same message leads to the same verdict. `steps` are left, and become
// less.
ScriptVerdict RunScript(std::string_view source, const ScriptMessage& message,
                        uint32_t* steps);

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_SCRIPT_H_
