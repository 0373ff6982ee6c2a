// JSON as a script sees it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/script_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "plan/script_state.h"

namespace stubdomain {
namespace {

using nlohmann::json;

// Bytes of text that take a step to be read.
constexpr size_t kReadPerStep = 16;

int DepthOf(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  for (const char c : text) {
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if (c == ']' || c == '}') --depth;
  }
  return deepest;
}

// It and its iterators have nothing to destroy when Lua jumps: `value` is the
// state's.
void Push(lua_State* lua, const json& value) {
  ScriptState::Of(lua).Charge(1);
  luaL_checkstack(lua, 3, nullptr);
  switch (value.type()) {
    case json::value_t::array: {
      lua_createtable(lua, static_cast<int>(value.size()), 0);
      for (size_t i = 0; i < value.size(); ++i) {
        Push(lua, value[i]);
        lua_rawseti(lua, -2, static_cast<lua_Integer>(i + 1));
      }
      break;
    }
    case json::value_t::object: {
      lua_createtable(lua, 0, static_cast<int>(value.size()));
      const auto& members = *value.get_ptr<const json::object_t*>();
      for (auto at = members.begin(); at != members.end(); ++at) {
        lua_pushlstring(lua, at->first.data(), at->first.size());
        Push(lua, at->second);
        lua_rawset(lua, -3);
      }
      break;
    }
    case json::value_t::string: {
      const auto& text = *value.get_ptr<const json::string_t*>();
      lua_pushlstring(lua, text.data(), text.size());
      break;
    }
    case json::value_t::boolean:
      lua_pushboolean(lua, value.get<bool>());
      break;
    case json::value_t::number_integer:
      lua_pushinteger(lua, value.get<int64_t>());
      break;
    case json::value_t::number_unsigned:
      // Beyond Lua's integers.
      if (value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
        lua_pushnumber(lua, value.get<double>());
      } else {
        lua_pushinteger(lua, value.get<int64_t>());
      }
      break;
    case json::value_t::number_float:
      lua_pushnumber(lua, value.get<double>());
      break;
    default:
      lua_pushnil(lua);
  }
}

}  // namespace

int ScriptJson(lua_State* lua) {
  ScriptState& state = ScriptState::Of(lua);
  std::string_view text = state.message->body;
  if (!lua_isnoneornil(lua, 1)) {
    size_t size = 0;
    const char* bytes = luaL_checklstring(lua, 1, &size);
    text = {bytes, size};
  }
  state.Charge(text.size() / kReadPerStep);
  // Also counts what stands in strings, which only a text that is hardly meant
  // for a program would have so much of.
  if (DepthOf(text) > kMaxScriptJsonDepth) {
    lua_pushnil(lua);
    return 1;
  }
  state.json = json::parse(text, nullptr, false);
  if (state.json.is_discarded()) {
    lua_pushnil(lua);
  } else {
    Push(lua, state.json);
  }
  state.json = nullptr;
  return 1;
}

}  // namespace stubdomain
