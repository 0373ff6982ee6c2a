// The program that is to be run: where it is, and whether it can be helped.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_STUBRUN_PROGRAM_FILE_H_
#define STUBDOMAIN_GUEST_STUBRUN_PROGRAM_FILE_H_

#include <string>

namespace stubdomain {

// Where execvp() finds `name`; empty: nowhere.
std::string FindProgram(const std::string& name, const std::string& search);

// Whether the file is an ELF program that nothing can be preloaded into: it is
// linked statically. False for scripts and all that cannot be read.
bool IsStatic(const std::string& path);

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_STUBRUN_PROGRAM_FILE_H_
