// Raw bytes, DNS and TLS.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/stream_readers.h"

#include <algorithm>

#include "plan/http_reader.h"
#include "wire/network_order.h"

namespace stubdomain {
namespace {

enum ContentType : uint8_t {
  kChangeCipherSpec = 20,
  kApplicationData = 23,
};
// RFC 8446, 5.2, and what earlier versions allow more.
constexpr size_t kMaxRecord = (16 << 10) + 2048;

// Appends to what an array holds already, and says how much was taken.
template <size_t N>
size_t Fill(std::span<const uint8_t> bytes, size_t have, size_t want,
            std::array<uint8_t, N>* out) {
  const size_t size = std::min(bytes.size(), want - have);
  std::copy_n(bytes.begin(), size, out->begin() + static_cast<long>(have));
  return size;
}

}  // namespace

std::unique_ptr<MessageReader> MessageReader::Make(Format format,
                                                   bool datagrams,
                                                   const Request& request) {
  switch (format) {
    case Format::kAny:
      return nullptr;
    case Format::kDns:
      return std::make_unique<DnsReader>(datagrams);
    case Format::kHttp:
      if (datagrams) break;
      return std::make_unique<HttpReader>(request);
    case Format::kTls:
      if (datagrams) break;
      return std::make_unique<TlsReader>(request.young);
    case Format::kRaw:
      break;
  }
  return std::make_unique<RawReader>();
}

size_t DnsReader::length() const { return Get16(head_, 0); }

void DnsReader::Read() {
  facts_.known = true;
  facts_.id = Get16(head_, begin());
  facts_.rcode = head_[begin() + 3] & 0xf;
}

MessageReader::Run DnsReader::Take(std::span<const uint8_t> bytes) {
  const size_t head = begin() + kHeader;
  if (taken_ < head) {
    // The length is no content.
    const size_t want = taken_ < begin() ? begin() : head;
    const size_t size = Fill(bytes, taken_, want, &head_);
    Run run{.size = size, .content = taken_ >= begin()};
    taken_ += size;
    if (!datagrams_ && taken_ == kPrefix && length() < kHeader) {
      run.after = After::kBroken;
    } else if (taken_ == head) {
      Read();
      run.after =
          !datagrams_ && length() == kHeader ? After::kComplete : After::kHead;
    }
    return run;
  }
  size_t size = bytes.size();
  if (!datagrams_) size = std::min(size, kPrefix + length() - taken_);
  taken_ += size;
  const bool complete = !datagrams_ && taken_ == kPrefix + length();
  return {.size = size,
          .content = true,
          .after = complete ? After::kComplete : After::kNothing};
}

void DnsReader::Next() {
  facts_ = {};
  taken_ = 0;
}

void DnsReader::Save(Writer& writer) const {
  writer.U64(taken_);
  writer.Raw(head_);
}

void DnsReader::Load(Reader& reader) {
  taken_ = reader.U64();
  const std::span<const uint8_t> head = reader.Raw(head_.size());
  if (!reader.ok()) return;
  std::ranges::copy(head, head_.begin());
  const bool has_length = !datagrams_ && taken_ >= kPrefix;
  if (has_length && (length() < kHeader || taken_ >= kPrefix + length())) {
    reader.Fail();
  } else if (taken_ >= begin() + kHeader) {
    Read();
  }
}

bool TlsReader::MayBegin(std::span<const uint8_t> head) {
  const size_t size = head.size();
  return (size < 1 ||
          (head[0] >= kChangeCipherSpec && head[0] <= kApplicationData)) &&
         (size < 2 || head[1] == 3) && (size < 3 || head[2] <= 4) &&
         (size < kHeader || Get16(head, 3) <= kMaxRecord);
}

Duration TlsReader::patience() const {
  if (settled_ || head_size_ > 0) return kPatience;
  return tickets_ <= 1 ? kDoubtOfOne : kDoubtOfMore;
}

// Returns how much of what has come is known by now to be content.
uint64_t TlsReader::RecordDone() {
  const uint16_t length = Get16(head_, 3);
  if (head_[0] != kApplicationData) {
    settled_ = true;
    return 0;
  }
  if (settled_) return length;
  if (tickets_ == 0 && length >= kMinTicket && length <= kMaxTicket) {
    ticket_ = length;
    tickets_ = 1;
    return 0;
  }
  if (tickets_ > 0 && length == ticket_) {
    ++tickets_;
    return 0;
  }
  settled_ = true;
  return length + (tickets_ == 1 ? ticket_ : 0);
}

MessageReader::Run TlsReader::Take(std::span<const uint8_t> bytes) {
  Run run;
  if (head_size_ < kHeader) {
    run.size = Fill(bytes, head_size_, kHeader, &head_);
    head_size_ += run.size;
    if (head_size_ < kHeader) return run;
    if (!MayBegin(head_)) {
      run.after = After::kBroken;
      return run;
    }
    left_ = Get16(head_, 3);
  } else {
    run.size = std::min<size_t>(bytes.size(), left_);
    left_ = static_cast<uint16_t>(left_ - run.size);
  }
  if (left_ == 0) {
    run.credit = RecordDone();
    run.control = head_[0] != kApplicationData;
    run.after = After::kHead;
    head_size_ = 0;
  }
  return run;
}

void TlsReader::Save(Writer& writer) const {
  writer.Raw(head_);
  writer.U8(static_cast<uint8_t>(head_size_));
  writer.U16(left_);
  writer.Bool(settled_);
  writer.U16(ticket_);
  writer.U32(tickets_);
}

void TlsReader::Load(Reader& reader) {
  const std::span<const uint8_t> head = reader.Raw(head_.size());
  if (reader.ok()) std::ranges::copy(head, head_.begin());
  head_size_ = reader.U8();
  left_ = reader.U16();
  settled_ = reader.Bool();
  ticket_ = reader.U16();
  tickets_ = reader.U32();
  if (head_size_ > kHeader || (head_size_ == kHeader) != (left_ > 0) ||
      (head_size_ == kHeader && !MayBegin(head_))) {
    reader.Fail();
  }
}

}  // namespace stubdomain
