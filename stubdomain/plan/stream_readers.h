// Raw bytes, DNS and TLS.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_STREAM_READERS_H_
#define STUBDOMAIN_PLAN_STREAM_READERS_H_

#include <array>

#include "plan/message_reader.h"

namespace stubdomain {

// Everything is content of one message.
class RawReader : public MessageReader {
 public:
  RawReader() { facts_.known = true; }
  Run Take(std::span<const uint8_t> bytes) override {
    return {.size = bytes.size(), .content = true};
  }
  bool End() override { return true; }
  void Next() override {}
};

// Messages of RFC 1035, 4; on a stream with their length before them. All but
// the length is content.
class DnsReader : public MessageReader {
 public:
  explicit DnsReader(bool datagrams) : datagrams_(datagrams) {}
  Run Take(std::span<const uint8_t> bytes) override;
  void Next() override;
  Duration patience() const override { return kPatience; }
  void Save(Writer& writer) const override;
  void Load(Reader& reader) override;

 private:
  static constexpr size_t kPrefix = 2;
  static constexpr size_t kHeader = 12;

  size_t begin() const { return datagrams_ ? 0 : kPrefix; }
  size_t length() const;
  void Read();

  bool datagrams_;
  uint64_t taken_ = 0;  // of this message
  std::array<uint8_t, kPrefix + kHeader> head_{};
};

// TLS records (RFC 8446, 5.1); all that comes is one message. The payload of a
// record with application data counts as content once all of it is there, since
// nothing can be read of it before.
//
// Session tickets are sent as such records too, right behind the handshake, and
// are nobody's reply. Of a server that has hardly sent anything yet, records
// of one length at the very beginning are taken for tickets.
class TlsReader : public MessageReader {
 public:
  // Of the records that may be tickets.
  static constexpr uint16_t kMinTicket = 100;
  static constexpr uint16_t kMaxTicket = 1400;
  // How long a single one may be a ticket of which another one follows, and how
  // long several may have been a reply after all.
  static constexpr Duration kDoubtOfOne = std::chrono::milliseconds(50);
  static constexpr Duration kDoubtOfMore = std::chrono::seconds(10);

  explicit TlsReader(bool young) : settled_(!young) { facts_.known = true; }
  Run Take(std::span<const uint8_t> bytes) override;
  void Next() override {}
  Duration patience() const override;
  void Save(Writer& writer) const override;
  void Load(Reader& reader) override;

  static constexpr size_t kHeader = 5;
  // A record may begin like that: `head` is some of its header, or all.
  static bool MayBegin(std::span<const uint8_t> head);

 private:
  uint64_t RecordDone();

  std::array<uint8_t, kHeader> head_{};
  size_t head_size_ = 0;
  uint16_t left_ = 0;     // of the record
  bool settled_;          // all that comes from here on is no ticket
  uint16_t ticket_ = 0;   // length of those that may be tickets
  uint32_t tickets_ = 0;  // how many
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_STREAM_READERS_H_
