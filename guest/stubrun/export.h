// What the program finds in place of the C library's functions.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_STUBRUN_EXPORT_H_
#define STUBDOMAIN_GUEST_STUBRUN_EXPORT_H_

// All are in stubrun.map as well.
#define EXPORT extern "C" __attribute__((visibility("default")))

#endif  // STUBDOMAIN_GUEST_STUBRUN_EXPORT_H_
