// Which pages of guest RAM have to be written, from Linux's pagemap.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "suspend/pages.h"

#include <algorithm>

namespace stubdomain {
namespace {

// Linux, Documentation/admin-guide/mm/pagemap.rst.
constexpr uint64_t kFilePage = uint64_t{1} << 61;  // or shared anonymous
constexpr uint64_t kSwapped = uint64_t{1} << 62;
constexpr uint64_t kPresent = uint64_t{1} << 63;

}  // namespace

bool PageExists(uint64_t entry, bool changed) {
  if (!changed) return entry & kPresent;
  return (entry & (kPresent | kSwapped)) && !(entry & kFilePage);
}

sd_suspend_page ClassifyPage(sd_suspend_backing backing, uint64_t entry) {
  switch (backing) {
    case SD_SUSPEND_ANONYMOUS:
      return entry & (kPresent | kSwapped) ? SD_SUSPEND_CHECK : SD_SUSPEND_ZERO;
    case SD_SUSPEND_THIS_FILE:
      return PageExists(entry, true) ? SD_SUSPEND_CHECK : SD_SUSPEND_KEEP;
    case SD_SUSPEND_OTHER:
      break;
  }
  return SD_SUSPEND_CHECK;
}

std::optional<sd_suspend_run> NextRun(std::span<const uint8_t> pages,
                                      size_t from) {
  auto to_do = [](uint8_t page) {
    return page == SD_SUSPEND_DATA || page == SD_SUSPEND_ZERO;
  };
  auto first = std::find_if(pages.begin() + from, pages.end(), to_do);
  if (first == pages.end()) {
    return std::nullopt;
  }
  auto last = std::find_if(first, pages.end(),
                           [&](uint8_t page) { return page != *first; });
  return sd_suspend_run{
      .kind = static_cast<sd_suspend_page>(*first),
      .first = static_cast<size_t>(first - pages.begin()),
      .count = static_cast<size_t>(last - first),
  };
}

size_t CountResident(std::span<const uint64_t> pagemap, bool private_only) {
  return std::count_if(pagemap.begin(), pagemap.end(), [&](uint64_t entry) {
    return (entry & kPresent) && !(private_only && (entry & kFilePage));
  });
}

}  // namespace stubdomain
