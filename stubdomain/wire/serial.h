// The pieces of the serial form: little-endian numbers and byte strings.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_SERIAL_H_
#define STUBDOMAIN_WIRE_SERIAL_H_

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "wire/address.h"
#include "wire/seq.h"

namespace stubdomain {

// Appends to a byte string that it owns.
class Writer {
 public:
  void U8(uint8_t value);
  void U16(uint16_t value);
  void U32(uint32_t value);
  void U64(uint64_t value);
  void Bool(bool value) { U8(value ? 1 : 0); }
  void Put(Seq seq) { U32(seq.value()); }
  void Put(const MacAddress& mac);
  void Put(const Address& address);
  void Put(const Endpoint& endpoint);
  void Put(const FlowId& id);
  // A length of 32 bits, then the bytes.
  void Bytes(std::span<const uint8_t> bytes);
  // The bytes alone; the reader must know how many they are.
  void Raw(std::span<const uint8_t> bytes);

  const std::vector<uint8_t>& data() const { return data_; }
  std::vector<uint8_t> Take() { return std::move(data_); }

 private:
  std::vector<uint8_t> data_;
};

// Reads untrusted bytes. What goes wrong once stays wrong: after reading, ask
// ok(). A failed read gives zeros and empty spans, and reads no further.
class Reader {
 public:
  explicit Reader(std::span<const uint8_t> data) : data_(data) {}

  uint8_t U8();
  uint16_t U16();
  uint32_t U32();
  uint64_t U64();
  bool Bool();  // fails unless 0 or 1
  Seq GetSeq() { return Seq(U32()); }
  MacAddress GetMac();
  Address GetAddress();  // fails unless IPv4 or IPv6
  Endpoint GetEndpoint();
  unsigned GetNic();   // fails unless there can be one of that number
  FlowId GetFlowId();  // fails unless both ends are of one family
  // A view of the input.
  std::span<const uint8_t> Bytes();
  std::span<const uint8_t> Raw(size_t length);

  // Notes that what was read contradicts itself. Returns false.
  bool Fail();
  bool ok() const { return ok_; }
  size_t left() const { return data_.size(); }

 private:
  std::span<const uint8_t> data_;
  bool ok_ = true;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_SERIAL_H_
