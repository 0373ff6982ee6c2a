// One run of a script: Lua's state, and its bounds.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/script_state.h"

#include <cstdlib>

namespace stubdomain {
namespace {

// So many bytes that are allocated take one step.
constexpr size_t kBytesPerStep = 256;
// Instructions after which they are counted.
constexpr int kCounted = 100;

}  // namespace

ScriptState::ScriptState(uint32_t steps) : steps_(steps) {
  lua_ = Take(kScriptRunSteps) ? lua_newstate(&Allocate, this) : nullptr;
  if (lua_ == nullptr) return;
  *static_cast<ScriptState**>(lua_getextraspace(lua_)) = this;
  lua_sethook(lua_, &OnCount, LUA_MASKCOUNT, kCounted);
}

ScriptState::~ScriptState() {
  if (lua_ != nullptr) lua_close(lua_);
}

ScriptState& ScriptState::Of(lua_State* lua) {
  return **static_cast<ScriptState**>(lua_getextraspace(lua));
}

bool ScriptState::Take(size_t steps) {
  exhausted_ = exhausted_ || steps > steps_;
  steps_ = exhausted_ ? 0 : steps_ - static_cast<uint32_t>(steps);
  return !exhausted_;
}

void ScriptState::Charge(size_t steps) {
  if (!Take(steps)) luaL_error(lua_, "no more steps");
}

void ScriptState::OnCount(lua_State* lua, lua_Debug*) {
  Of(lua).Charge(kCounted);
}

void* ScriptState::Allocate(void* opaque, void* block, size_t old_size,
                            size_t size) {
  auto& state = *static_cast<ScriptState*>(opaque);
  if (block == nullptr) old_size = 0;
  if (size > old_size) {
    const size_t memory = state.memory_ + (size - old_size);
    if (size > kMaxScriptBlock || memory > kScriptMemory ||
        !state.Take(size / kBytesPerStep)) {
      return nullptr;
    }
  }
  state.memory_ += size - old_size;
  if (size == 0) {
    std::free(block);
    return nullptr;
  }
  void* moved = std::realloc(block, size);
  if (moved == nullptr) std::abort();
  return moved;
}

std::string ScriptState::Call(lua_CFunction body) {
  int result = LUA_ERRMEM;
  if (lua_ != nullptr) {
    lua_pushcfunction(lua_, body);
    result = lua_pcall(lua_, 0, 0, 0);
  }
  if (result == LUA_OK) return {};
  if (exhausted_) return "it takes too many steps";
  if (result == LUA_ERRMEM) return "it needs too much memory";
  // Not converted, since that could raise another error.
  if (lua_type(lua_, -1) != LUA_TSTRING) return "it fails";
  const std::string error = lua_tostring(lua_, -1);
  // "line:3: ..."
  return error.starts_with("line:") ? "line " + error.substr(5) : error;
}

}  // namespace stubdomain
