// The checks of a plan, on one message as it comes: their serial form.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <span>
#include <string>

#include "plan/examination.h"

namespace stubdomain {
namespace {

using Kind = PlanCheck::Kind;

std::string Text(std::span<const uint8_t> bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace

void Examination::Save(Writer& writer) const {
  for (size_t i = 0; i < truths_.size(); ++i) {
    writer.U8(static_cast<uint8_t>(truths_[i]));
    if (plan_->checks[i].kind == Kind::kPattern) {
      writer.U64(searches_[i].found);
    }
  }
  writer.U64(bytes_);
  writer.U64(content_);
  const auto text = [&writer](const std::string& string) {
    writer.Bytes(
        {reinterpret_cast<const uint8_t*>(string.data()), string.size()});
  };
  text(window_);
  text(front_);
}

void Examination::Load(Reader& reader) {
  for (size_t i = 0; i < truths_.size(); ++i) {
    const uint8_t truth = reader.U8();
    if (truth > static_cast<uint8_t>(Truth::kYes)) reader.Fail();
    truths_[i] = static_cast<Truth>(truth);
    if (plan_->checks[i].kind == Kind::kPattern) {
      searches_[i].found = reader.U64();
    }
  }
  bytes_ = reader.U64();
  content_ = reader.U64();
  window_ = Text(reader.Bytes());
  front_ = Text(reader.Bytes());
  if (!reader.ok()) return;
  window_end_ = content_;
  for (Search& search : searches_) {
    search.searched = content_;
    if (search.found > content_) reader.Fail();
  }
  // Bytes at a place that has come are there, or are not.
  for (size_t i = 0; i < truths_.size(); ++i) {
    const PlanCheck& check = plan_->checks[i];
    if (check.kind == Kind::kAt && truths_[i] == Truth::kUndecided &&
        bytes_ >= check.number + check.text->size()) {
      reader.Fail();
    }
  }
  if (content_ > bytes_ ||
      window_.size() > std::min<uint64_t>(content_, 3 * kPatternWindow) ||
      front_.size() != std::min<uint64_t>(bytes_, front_size_)) {
    reader.Fail();
  }
}

}  // namespace stubdomain
