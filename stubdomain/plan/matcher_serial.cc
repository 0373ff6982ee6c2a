// Runs a plan over a reply as it comes: its serial form.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <span>

#include "plan/matcher.h"
#include "state/saved_time.h"

namespace stubdomain {

void Matcher::Save(Writer& writer, Time now) const {
  SaveTime(std::max(begin_, now - kMaxSavedDuration), now, writer);
  SaveTime(std::max(last_byte_, now - kMaxSavedDuration), now, writer);
  writer.U64(position_);
  writer.U64(message_begin_);
  writer.U32(message_);
  writer.Bool(request_.head);
  writer.Bool(request_.connect);
  writer.Bool(request_.awaits_continue);
  writer.Bool(request_.young);
  writer.Bool(datagrams_);
  writer.Bool(fallen_);
  writer.Bool(control_);
  writer.Bool(ended_);
  writer.Bool(settled_);
  writer.Bool(claim_.has_value());
  if (claim_) {
    writer.U8(static_cast<uint8_t>(claim_->by));
    writer.U32(claim_->handler);
    writer.Bool(claim_->interim);
    writer.U32(static_cast<uint32_t>(claim_->done));
  } else {
    examination_.Save(writer);
  }
  writer.Bool(over_);
  writer.Bool(after_);
  writer.Bool(whole_);
  writer.Bool(rest_.has_value());
  if (rest_) {
    writer.U64(rest_->size);
    writer.Bool(rest_->content);
    writer.U64(rest_->credit);
    writer.Bool(rest_->control);
    writer.U8(static_cast<uint8_t>(rest_->after));
  }
  writer.Bytes({reinterpret_cast<const uint8_t*>(part_.data()), part_.size()});
  if (!plan_->script.empty()) {
    writer.Bytes(
        {reinterpret_cast<const uint8_t*>(text_.data()), text_.size()});
    writer.U32(script_steps_);
    writer.U32(tries_);
  }
  writer.U8(static_cast<uint8_t>(format_));
  if (reader_ == nullptr) {
    writer.Bytes(recognizer_.taken());
  } else if (!finished()) {
    reader_->Save(writer);
  }
}

bool Matcher::Load(Reader& reader, Time now) {
  now_ = now;
  begin_ = LoadTime(reader, now);
  last_byte_ = LoadTime(reader, now);
  position_ = reader.U64();
  message_begin_ = reader.U64();
  message_ = reader.U32();
  request_.head = reader.Bool();
  request_.connect = reader.Bool();
  request_.awaits_continue = reader.Bool();
  request_.young = reader.Bool();
  if (reader.Bool() != datagrams_) reader.Fail();
  fallen_ = reader.Bool();
  control_ = reader.Bool();
  ended_ = reader.Bool();
  settled_ = reader.Bool();
  if (begin_ > now || last_byte_ > now || message_begin_ > position_) {
    return reader.Fail();
  }
  LoadClaim(reader);
  LoadAfter(reader);
  LoadPart(reader);
  LoadScripts(reader);
  LoadReader(reader);
  return reader.ok();
}

void Matcher::LoadClaim(Reader& reader) {
  claim_.reset();
  if (!reader.Bool()) return examination_.Load(reader);
  const uint8_t by = reader.U8();
  Claim claim{.handler = reader.U32(), .interim = reader.Bool()};
  claim.done = reader.U32();
  if (by > static_cast<uint8_t>(Step::By::kNotUnderstood)) reader.Fail();
  claim.by = static_cast<Step::By>(by);
  const bool of_handler = claim.by == Step::By::kHandler;
  if (!reader.ok() || (of_handler && claim.handler >= plan_->handlers.size()) ||
      claim.done > ActionsOf(claim).size()) {
    reader.Fail();
    return;
  }
  claim_ = claim;
}

void Matcher::LoadAfter(Reader& reader) {
  over_ = reader.Bool();
  after_ = reader.Bool();
  whole_ = reader.Bool();
  // Of a wait that is over without anything to follow, nothing is saved.
  if ((over_ && !follows()) || (after_ && !claim_)) reader.Fail();
  if (!reader.Bool()) return;
  MessageReader::Run rest;
  rest.size = reader.U64();
  rest.content = reader.Bool();
  rest.credit = reader.U64();
  rest.control = reader.Bool();
  const uint8_t after = reader.U8();
  if (rest.size == 0 || after > static_cast<uint8_t>(MessageReader::kLast)) {
    reader.Fail();
    return;
  }
  rest.after = static_cast<MessageReader::After>(after);
  rest_ = rest;
}

void Matcher::LoadPart(Reader& reader) {
  const std::span<const uint8_t> part = reader.Bytes();
  const uint64_t message = position_ - message_begin_;
  const uint64_t kept =
      plan_->alerts ? std::min<uint64_t>(message, kMaxAlertPart) : 0;
  if (part.size() != kept) reader.Fail();
  part_.assign(part.begin(), part.end());
}

void Matcher::LoadScripts(Reader& reader) {
  if (plan_->script.empty()) return;
  const std::span<const uint8_t> text = reader.Bytes();
  script_steps_ = reader.U32();
  tries_ = reader.U32();
  const uint64_t kept =
      std::min<uint64_t>(position_ - message_begin_, kMaxScriptMessage + 1);
  if (text.size() != kept || script_steps_ > kMaxScriptSteps) reader.Fail();
  text_.assign(text.begin(), text.end());
}

void Matcher::LoadReader(Reader& reader) {
  const uint8_t format = reader.U8();
  if (format > static_cast<uint8_t>(Format::kTls)) reader.Fail();
  // What is known of it from the beginning does not change.
  const bool known = format_ != Format::kAny;
  if (known && format != static_cast<uint8_t>(format_)) reader.Fail();
  // There are no runs, and no end, before it is known.
  if ((rest_ || finished()) && format == static_cast<uint8_t>(Format::kAny))
    reader.Fail();
  if (!reader.ok()) return;
  format_ = static_cast<Format>(format);
  reader_ = MessageReader::Make(format_, datagrams_, request_);
  recognizer_ = {};
  if (reader_ != nullptr) {
    if (!finished()) reader_->Load(reader);
    known_ = reader_->facts().known;
    return;
  }
  for (const uint8_t byte : reader.Bytes()) {
    if (recognizer_.Put(byte)) {
      reader.Fail();
      return;
    }
  }
}

}  // namespace stubdomain
