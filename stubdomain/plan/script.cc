// A small program in Lua that decides what becomes of a message.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/script.h"

#include <array>
#include <utility>

#include "plan/plan.h"
#include "plan/script_functions.h"
#include "plan/script_state.h"

namespace stubdomain {
namespace {

using Next = ScriptVerdict::Next;

constexpr std::array<std::pair<std::string_view, Next>, 5> kVerdicts = {
    {{"restore", Next::kRestore},
     {"ignore", Next::kIgnore},
     {"discard", Next::kDiscard},
     {"retry", Next::kRetry},
     {"answer", Next::kAnswer}}};

// Lua puts the name before the line: "line:3: ...". Text only: what was
// compiled elsewhere could be anything.
void Compile(lua_State* lua, std::string_view source) {
  if (luaL_loadbufferx(lua, source.data(), source.size(), "=line", "t") !=
      LUA_OK) {
    lua_error(lua);
  }
}

void TakeAnswer(lua_State* lua, ScriptState& state) {
  if (lua_type(lua, 2) != LUA_TSTRING) {
    luaL_error(lua, "answer: what is the reply?");
  }
  size_t size = 0;
  const char* bytes = lua_tolstring(lua, 2, &size);
  const bool datagram = state.message->datagram;
  if (size > (datagram ? kMaxPlanDatagram : kMaxScriptMessage)) {
    luaL_error(lua, "answer: the reply is too long");
  }
  state.verdict.answer.assign(bytes, size);
}

void TakeDelay(lua_State* lua, ScriptState& state) {
  if (lua_isnil(lua, 2)) return;
  const lua_Integer delay = lua_isinteger(lua, 2) ? lua_tointeger(lua, 2) : -1;
  if (delay < 0 || delay > lua_Integer{UINT32_MAX}) {
    luaL_error(lua, "retry: after how many milliseconds?");
  }
  state.verdict.after = std::chrono::milliseconds(delay);
}

// What it has returned is the whole stack.
void TakeVerdict(lua_State* lua, ScriptState& state) {
  if (lua_isnil(lua, 1)) return;
  size_t size = 0;
  const char* name =
      lua_type(lua, 1) == LUA_TSTRING ? lua_tolstring(lua, 1, &size) : "";
  for (const auto& [text, next] : kVerdicts) {
    if (text == std::string_view(name, size)) state.verdict.next = next;
  }
  switch (state.verdict.next) {
    case Next::kNextAction:
      luaL_error(lua,
                 "it returns neither nil nor restore, ignore, discard, "
                 "retry or answer");
      break;
    case Next::kAnswer:
      return TakeAnswer(lua, state);
    case Next::kRetry:
      return TakeDelay(lua, state);
    default:
      break;
  }
}

int Check(lua_State* lua) {
  Compile(lua, ScriptState::Of(lua).source);
  return 0;
}

int Run(lua_State* lua) {
  ScriptState& state = ScriptState::Of(lua);
  Compile(lua, state.source);
  PushScriptEnvironment(lua);
  lua_setupvalue(lua, -2, 1);
  lua_call(lua, 0, 2);
  TakeVerdict(lua, state);
  return 0;
}

}  // namespace

std::string CheckScript(std::string_view source) {
  ScriptState state(kMaxScriptSteps);
  state.source = source;
  return state.Call(&Check);
}

ScriptVerdict RunScript(std::string_view source, const ScriptMessage& message,
                        uint32_t* steps) {
  ScriptState state(*steps);
  state.source = source;
  state.message = &message;
  state.verdict.problem = state.Call(&Run);
  *steps = state.steps();
  return std::move(state.verdict);
}

}  // namespace stubdomain
