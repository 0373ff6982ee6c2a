// Which pages of guest RAM have to be written, from Linux's pagemap.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_SUSPEND_PAGES_H_
#define STUBDOMAIN_SUSPEND_PAGES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "stubdomain/suspend.h"

namespace stubdomain {

// What is to be done about a page that pagemap says `entry` of.
sd_suspend_page ClassifyPage(sd_suspend_backing backing, uint64_t entry);

// Whether it is in memory; or, with `changed`, in memory or swap and no file's.
bool PageExists(uint64_t entry, bool changed);

// The first run of equal DATA or ZERO pages at or behind `from`.
std::optional<sd_suspend_run> NextRun(std::span<const uint8_t> pages,
                                      size_t from);

size_t CountResident(std::span<const uint64_t> pagemap, bool private_only);

}  // namespace stubdomain

#endif  // STUBDOMAIN_SUSPEND_PAGES_H_
