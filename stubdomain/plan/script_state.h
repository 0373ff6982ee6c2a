// One run of a script: Lua's state, and its bounds.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_SCRIPT_STATE_H_
#define STUBDOMAIN_PLAN_SCRIPT_STATE_H_

#include <lua.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "plan/script.h"

namespace stubdomain {

// Theory of operation
// -------------------
// Lua is the C library, whose errors jump (longjmp) to the pcall that they are
// under. So everything that has a destructor lives in here, which outlives the
// pcall; the functions that Lua calls have nothing of the kind on their frames
// when they call Lua.
//
// Time is counted in steps. Lua counts its instructions, but not what one of
// them does; since all that takes long makes something or looks at something,
// what is allocated counts, too, and what our functions look at. What is left
// (comparing two strings) is bounded by the longest string, see
// kMaxScriptBlock. No function of Lua's that loops by itself is there, nor one
// that catches errors or runs when memory is collected: those would go on after
// the last step. Nor is one that depends on addresses or on the order of keys.
class ScriptState {
 public:
  explicit ScriptState(uint32_t steps);
  ScriptState(const ScriptState&) = delete;
  ScriptState& operator=(const ScriptState&) = delete;
  ~ScriptState();

  static ScriptState& Of(lua_State* lua);

  // Calls `body` with this state's Lua. Its error, made for a person; empty:
  // none.
  std::string Call(lua_CFunction body);
  uint32_t steps() const { return steps_; }

  // For functions that Lua calls: raises an error if so many are not left.
  void Charge(size_t steps);

  // What `body` works with.
  std::string_view source;
  const ScriptMessage* message = nullptr;
  ScriptVerdict verdict;
  // Of whatever function is under way.
  std::string text;
  nlohmann::json json;

 private:
  static void* Allocate(void* opaque, void* block, size_t old_size,
                        size_t size);
  static void OnCount(lua_State* lua, lua_Debug* debug);
  bool Take(size_t steps);

  lua_State* lua_;
  size_t memory_ = 0;
  uint32_t steps_;
  bool exhausted_ = false;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_SCRIPT_STATE_H_
