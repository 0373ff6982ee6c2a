// A regular expression of a plan.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/pattern.h"

#include <re2/re2.h>

#include <algorithm>
#include <utility>

namespace stubdomain {
namespace {

// Steps of RE2's program, which bound the time that a byte can take.
constexpr int kMaxProgram = 2048;

// Where a bracket expression ends that begins at `at`.
size_t BehindClass(std::string_view text, size_t at) {
  ++at;
  if (at < text.size() && text[at] == '^') ++at;
  if (at < text.size() && text[at] == ']') ++at;
  while (at < text.size() && text[at] != ']') {
    if (text[at] == '\\') {
      ++at;
    } else if (text.substr(at, 2) == "[:") {
      const size_t end = text.find(":]", at + 2);
      if (end != text.npos) at = end + 1;
    }
    ++at;
  }
  return at + 1;
}

// What in `text` looks at the bytes behind a match; empty: nothing does.
std::string_view LooksAhead(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    if (text[at] == '$') return text.substr(at, 1);
    if (text[at] == '[') {
      at = BehindClass(text, at);
      continue;
    }
    if (text[at] != '\\') {
      ++at;
      continue;
    }
    const char escaped = at + 1 < text.size() ? text[at + 1] : '\0';
    if (escaped == 'z' || escaped == 'b' || escaped == 'B') {
      return text.substr(at, 2);
    }
    if (escaped == 'Q') {
      const size_t end = text.find("\\E", at + 2);
      at = end == text.npos ? text.size() : end;
    }
    at += 2;
  }
  return {};
}

}  // namespace

Pattern::Pattern(std::unique_ptr<re2::RE2> re) : re_(std::move(re)) {}
Pattern::~Pattern() = default;

std::shared_ptr<const Pattern> Pattern::Compile(std::string_view text,
                                                std::string* error) {
  if (text.size() > kMaxPatternLength) {
    *error = "longer than " + std::to_string(kMaxPatternLength) + " bytes";
    return nullptr;
  }
  if (const std::string_view ahead = LooksAhead(text); !ahead.empty()) {
    *error = "'" + std::string(ahead) +
             "' looks at what follows, which may not have come yet";
    return nullptr;
  }
  re2::RE2::Options options;
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_log_errors(false);
  options.set_never_capture(true);
  options.set_max_mem(kPatternMemory);
  auto re = std::make_unique<re2::RE2>(
      re2::StringPiece(text.data(), text.size()), options);
  if (!re->ok()) {
    *error = re->error();
    return nullptr;
  }
  if (re->ProgramSize() > kMaxProgram) {
    *error = "too large when it is compiled";
    return nullptr;
  }
  if (re->Match("", 0, 0, re2::RE2::UNANCHORED, nullptr, 0)) {
    *error = "it is found in everything";
    return nullptr;
  }
  return std::shared_ptr<const Pattern>(new Pattern(std::move(re)));
}

// Nothing in a pattern looks ahead, so what is found in a prefix is found in
// each longer one.
std::optional<size_t> Pattern::Find(std::string_view text, size_t before,
                                    size_t least) const {
  const auto found = [&](size_t length) {
    return re_->Match(re2::StringPiece(text.data(), length), before, length,
                      re2::RE2::UNANCHORED, nullptr, 0);
  };
  if (text.size() < before || !found(text.size())) return std::nullopt;
  least = std::max(before, least);
  size_t most = text.size();
  while (least < most) {
    const size_t middle = least + (most - least) / 2;
    if (found(middle)) {
      most = middle;
    } else {
      least = middle + 1;
    }
  }
  return most;
}

}  // namespace stubdomain
