// What a script can call, and what it is told.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_SCRIPT_FUNCTIONS_H_
#define STUBDOMAIN_PLAN_SCRIPT_FUNCTIONS_H_

#include <lua.hpp>

namespace stubdomain {

// Leaves the table of all that there is for a script on the stack. Raises
// errors.
void PushScriptEnvironment(lua_State* lua);

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_SCRIPT_FUNCTIONS_H_
