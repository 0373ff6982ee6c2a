// Bytes as a plan writes them.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_HEX_H_
#define STUBDOMAIN_PLAN_HEX_H_

#include <charconv>
#include <cstdint>
#include <string>

#include "plan/json_object.h"

namespace stubdomain {

inline std::string ReadHex(const std::string& text, const std::string& place) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    uint8_t byte = 0;
    const char* from = text.data() + i;
    const auto [end, error] = std::from_chars(from, from + 2, byte, 16);
    if (error != std::errc() || end != from + 2) break;
    bytes.push_back(static_cast<char>(byte));
  }
  if (bytes.empty() || bytes.size() * 2 != text.size()) {
    Refuse(place, "must be bytes in hexadecimal, like 0d0a");
  }
  return bytes;
}

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_HEX_H_
