// What a script can call, and what it is told.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/script_functions.h"

#include <re2/re2.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <span>

#include "plan/pattern.h"
#include "plan/script_json.h"
#include "plan/script_state.h"

namespace stubdomain {
namespace {

constexpr size_t kMaxGroups = 16;  // of a regular expression
constexpr int kMaxProgram = 2048;
// Bytes times steps of RE2's program that take one step of ours.
constexpr size_t kSearchedPerStep = 256;
// A longer text is no number.
constexpr size_t kMaxNumber = 64;

void PushText(lua_State* lua, std::string_view text) {
  lua_pushlstring(lua, text.data(), text.size());
}

std::string_view TextAt(lua_State* lua, int at) {
  size_t size = 0;
  const char* text = luaL_checklstring(lua, at, &size);
  return {text, size};
}

// -- functions of ours --

int Header(lua_State* lua) {
  const std::string_view name = TextAt(lua, 1);
  ScriptState& state = ScriptState::Of(lua);
  const auto& headers = state.message->facts.headers;
  state.Charge(headers.size());
  for (const auto& [known, value] : headers) {
    if (known.size() == name.size() &&
        strncasecmp(known.data(), name.data(), name.size()) == 0) {
      PushText(lua, value);
      return 1;
    }
  }
  lua_pushnil(lua);
  return 1;
}

struct Found {
  std::array<re2::StringPiece, kMaxGroups + 1> groups;
  int count = 0;  // 0: nothing was found
};

// Not called by Lua, so it may have what it likes on its frame. False: the
// state's text says why.
bool Search(std::string_view regex, std::string_view text, ScriptState& state,
            Found* found, size_t* steps) {
  if (regex.size() > kMaxPatternLength) {
    state.text = "the regular expression is too long";
    return false;
  }
  re2::RE2::Options options;
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemory);
  const re2::RE2 re(re2::StringPiece(regex.data(), regex.size()), options);
  if (!re.ok() || re.ProgramSize() > kMaxProgram ||
      re.NumberOfCapturingGroups() > static_cast<int>(kMaxGroups)) {
    state.text = re.ok() ? "the regular expression is too large" : re.error();
    return false;
  }
  const auto size = static_cast<size_t>(re.ProgramSize());
  *steps = size + text.size() * size / kSearchedPerStep;
  if (*steps > state.steps()) return true;
  const int groups = re.NumberOfCapturingGroups() + 1;
  if (re.Match(re2::StringPiece(text.data(), text.size()), 0, text.size(),
               re2::RE2::UNANCHORED, found->groups.data(), groups)) {
    found->count = groups;
  }
  return true;
}

// match(regex, text): what the groups are, or all of it if there are none;
// nothing: it is not found. Without a text, the message's body.
int Match(lua_State* lua) {
  ScriptState& state = ScriptState::Of(lua);
  const std::string_view regex = TextAt(lua, 1);
  const std::string_view text =
      lua_isnoneornil(lua, 2) ? state.message->body : TextAt(lua, 2);
  Found found;
  size_t steps = 0;
  if (!Search(regex, text, state, &found, &steps)) {
    return luaL_error(lua, "match: %s", state.text.c_str());
  }
  state.Charge(steps);
  if (found.count == 0) {
    lua_pushnil(lua);
    return 1;
  }
  const int first = found.count == 1 ? 0 : 1;
  luaL_checkstack(lua, static_cast<int>(kMaxGroups), nullptr);
  for (int i = first; i < found.count; ++i) {
    const re2::StringPiece& group = found.groups[static_cast<size_t>(i)];
    if (group.data() == nullptr) {
      lua_pushnil(lua);
    } else {
      lua_pushlstring(lua, group.data(), group.size());
    }
  }
  return found.count - first;
}

int Alert(lua_State* lua) {
  const std::string_view text = TextAt(lua, 1);
  auto& alerts = ScriptState::Of(lua).verdict.alerts;
  if (alerts.size() == kMaxScriptAlerts) {
    return luaL_error(lua, "more than %d alerts",
                      static_cast<int>(kMaxScriptAlerts));
  }
  alerts.emplace_back(text.substr(0, kMaxScriptAlertText));
  return 0;
}

// -- in place of Lua's own --

// Of anything else it would be an address.
int ToString(lua_State* lua) {
  luaL_checkany(lua, 1);
  switch (lua_type(lua, 1)) {
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TSTRING:
      luaL_tolstring(lua, 1, nullptr);
      return 1;
    default:
      return luaL_argerror(lua, 1, "a number, string, boolean or nil");
  }
}

int ToNumber(lua_State* lua) {
  if (lua_type(lua, 1) == LUA_TNUMBER) {
    lua_settop(lua, 1);
    return 1;
  }
  const std::string_view text = TextAt(lua, 1);
  if (text.size() > kMaxNumber || text.find('\0') != text.npos ||
      lua_stringtonumber(lua, text.data()) == 0) {
    lua_pushnil(lua);
  }
  return 1;
}

// Of one byte; more would be as many results.
int Byte(lua_State* lua) {
  const std::string_view text = TextAt(lua, 1);
  const lua_Integer at = luaL_optinteger(lua, 2, 1);
  if (at < 1 || static_cast<lua_Unsigned>(at) > text.size()) return 0;
  lua_pushinteger(lua, static_cast<uint8_t>(text[static_cast<size_t>(at - 1)]));
  return 1;
}

// -- the environment --

// From the table on top of the stack to the one below it.
void Copy(lua_State* lua, std::span<const char* const> names) {
  for (const char* name : names) {
    lua_getfield(lua, -1, name);
    lua_setfield(lua, -3, name);
  }
}

void AddFunctions(lua_State* lua) {
  static constexpr std::array kKept = {"assert", "error", "ipairs", "type"};
  static constexpr std::array<luaL_Reg, 7> kOurs = {{{"header", Header},
                                                     {"json", ScriptJson},
                                                     {"match", Match},
                                                     {"alert", Alert},
                                                     {"tostring", ToString},
                                                     {"tonumber", ToNumber},
                                                     {nullptr, nullptr}}};
  lua_pushcfunction(lua, luaopen_base);
  lua_call(lua, 0, 1);
  Copy(lua, kKept);
  lua_pop(lua, 1);
  luaL_setfuncs(lua, kOurs.data(), 0);
}

// string.sub(text, 1, 5) and text:sub(1, 5)
void AddStrings(lua_State* lua) {
  static constexpr std::array kKept = {"char",    "len", "lower",
                                       "reverse", "sub", "upper"};
  lua_createtable(lua, 0, kKept.size() + 1);
  lua_pushcfunction(lua, luaopen_string);
  lua_call(lua, 0, 1);
  Copy(lua, kKept);
  lua_pop(lua, 1);
  lua_pushcfunction(lua, Byte);
  lua_setfield(lua, -2, "byte");
  lua_pushliteral(lua, "");
  lua_createtable(lua, 0, 1);
  lua_pushvalue(lua, -3);
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, -2);
  lua_pop(lua, 1);
  lua_setfield(lua, -2, "string");
}

void AddMessage(lua_State* lua, const ScriptMessage& message) {
  const auto text = [lua](const char* name, std::string_view value) {
    PushText(lua, value);
    lua_setfield(lua, -2, name);
  };
  const auto number = [lua](const char* name, lua_Integer value) {
    lua_pushinteger(lua, value);
    lua_setfield(lua, -2, name);
  };
  lua_createtable(lua, 0, 8);
  text("format", message.format);
  text("bytes", message.bytes);
  text("body", message.body);
  text("handler", message.handler);
  number("number", message.number);
  number("tries", message.tries);
  if (message.facts.status) number("status", *message.facts.status);
  if (message.facts.rcode) number("rcode", *message.facts.rcode);
  if (message.facts.id) number("id", *message.facts.id);
  lua_setfield(lua, -2, "message");
}

}  // namespace

void PushScriptEnvironment(lua_State* lua) {
  lua_createtable(lua, 0, 16);
  AddFunctions(lua);
  AddStrings(lua);
  AddMessage(lua, *ScriptState::Of(lua).message);
}

}  // namespace stubdomain
