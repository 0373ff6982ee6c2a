// An expectation whose failure the fuzzer reports.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_FUZZ_CHECK_H_
#define STUBDOMAIN_FUZZ_CHECK_H_

#include <cstdio>
#include <cstdlib>

namespace stubdomain {

// libFuzzer adds the stack.
inline void Check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

}  // namespace stubdomain

#endif  // STUBDOMAIN_FUZZ_CHECK_H_
