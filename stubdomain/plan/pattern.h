// A regular expression of a plan.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_PATTERN_H_
#define STUBDOMAIN_PLAN_PATTERN_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace stubdomain {

inline constexpr size_t kMaxPatternLength = 1024;  // of its text
// What RE2 may take for it: the program, and the states that it makes as it
// searches. When those become too many, it goes on without them, slower.
inline constexpr int64_t kPatternMemory = 256 << 10;
// A match that is longer may be missed, if it may lie anywhere; and the most
// of the first bytes that a pattern can be for.
inline constexpr size_t kPatternWindow = 4 << 10;
inline constexpr size_t kMaxPatternFirst = 2 * kPatternWindow;

// RE2's language on bytes, without what looks at the bytes behind a match ($,
// \z, \b, \B): those may not have come yet.
class Pattern {
 public:
  // Null if it is refused; `error` then says why.
  static std::shared_ptr<const Pattern> Compile(std::string_view text,
                                                std::string* error);
  ~Pattern();

  // Length of the shortest prefix of `text` in which it is found. A match
  // begins behind the first `before` bytes, which are there for what looks back
  // (^). It is known not to be in a prefix shorter than `least`.
  std::optional<size_t> Find(std::string_view text, size_t before,
                             size_t least) const;

 private:
  explicit Pattern(std::unique_ptr<re2::RE2> re);

  std::unique_ptr<re2::RE2> re_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_PATTERN_H_
