// Decodes gzip and zlib (RFC 1952, RFC 1950), to a bound.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_GZIP_H_
#define STUBDOMAIN_PLAN_GZIP_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace stubdomain {

// Nothing, if `data` is damaged, or cut short, or comes to more than `most`
// bytes: of what is more, hardly anything is decoded. Several gzip members are
// one after the other.
std::optional<std::string> Gunzip(std::string_view data, size_t most);

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_GZIP_H_
