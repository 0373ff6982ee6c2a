// JSON as a script sees it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_SCRIPT_JSON_H_
#define STUBDOMAIN_PLAN_SCRIPT_JSON_H_

#include <lua.hpp>

namespace stubdomain {

// Arrays and objects within each other; Lua's tables are made by recursion.
inline constexpr int kMaxScriptJsonDepth = 32;

// A function for Lua: json(text) is what the text says, as tables, strings,
// numbers, booleans and nil; nil if it is not JSON, or is too deep. Without a
// text, the message's body.
int ScriptJson(lua_State* lua);

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_SCRIPT_JSON_H_
