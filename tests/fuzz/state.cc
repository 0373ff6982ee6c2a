// Fuzz target: any sequence of events.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "events.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace stubdomain;  // NOLINT: the function cannot be in it
  Glue glue;
  Events events(&glue);
  events.Connect(0);
  events.Connect(1);
  Input input({data, size});
  events.Play(input);
  return 0;
}
