// Prepares an HTTP response for the program that asked for it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_TRANSFORM_H_
#define STUBDOMAIN_PLAN_TRANSFORM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stubdomain {

// Of a response, as it came and as it becomes.
inline constexpr size_t kMaxTransform = 8 << 20;
inline constexpr size_t kMaxStrip = 16;  // header fields

// A program can be written as if the peer had never sent it otherwise. What
// cannot be done as it is said is not done at all.
struct Transform {
  // The content becomes one piece, with its length before it, in place of
  // chunks or of what ends when the peer closes. Trailers are dropped.
  bool assemble = false;
  // Content that is compressed with gzip or deflate is decoded, and assembled.
  bool decode = false;
  // Header fields with these names, in whatever case, are left out.
  std::vector<std::string> strip;
};

enum class TransformRefusal : uint8_t {
  kNone,
  kTooLarge,       // more than kMaxTransform
  kNotUnderstood,  // not one whole response
  kPart,           // 206: part of what is compressed cannot be decoded
  kEncoding,       // not one that can be decoded
  kContent,        // it is damaged, or becomes more than kMaxTransform
};

// The program would no longer know where the response ends.
bool MayStrip(std::string_view name);

struct Transformed {
  TransformRefusal refusal;
  std::string text;
};

// `response`: all of one, its trailers included.
Transformed Apply(const Transform& transform, std::string_view response);

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_TRANSFORM_H_
