// The pieces of the serial form: little-endian numbers and byte strings.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/serial.h"

#include <algorithm>

#include "stubdomain/stubdomain.h"

namespace stubdomain {
namespace {

template <typename T>
void Append(std::vector<uint8_t>* data, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    data->push_back(static_cast<uint8_t>(value >> (8 * i)));
  }
}

// Zero if there are not enough bytes.
template <typename T>
T Value(std::span<const uint8_t> bytes) {
  T value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    value = static_cast<T>(value | T{bytes[i]} << (8 * i));
  }
  return value;
}

}  // namespace

void Writer::U8(uint8_t value) { data_.push_back(value); }
void Writer::U16(uint16_t value) { Append(&data_, value); }
void Writer::U32(uint32_t value) { Append(&data_, value); }
void Writer::U64(uint64_t value) { Append(&data_, value); }

void Writer::Put(const MacAddress& mac) { Raw(mac.bytes); }

void Writer::Put(const Address& address) {
  U8(static_cast<uint8_t>(address.family()));
  Raw(address.bytes());
}

void Writer::Put(const Endpoint& endpoint) {
  Put(endpoint.address);
  U16(endpoint.port);
}

void Writer::Put(const FlowId& id) {
  Put(id.guest);
  Put(id.peer);
}

void Writer::Bytes(std::span<const uint8_t> bytes) {
  U32(static_cast<uint32_t>(bytes.size()));
  Raw(bytes);
}

void Writer::Raw(std::span<const uint8_t> bytes) {
  data_.insert(data_.end(), bytes.begin(), bytes.end());
}

uint8_t Reader::U8() { return Value<uint8_t>(Raw(1)); }
uint16_t Reader::U16() { return Value<uint16_t>(Raw(2)); }
uint32_t Reader::U32() { return Value<uint32_t>(Raw(4)); }
uint64_t Reader::U64() { return Value<uint64_t>(Raw(8)); }

bool Reader::Bool() {
  const uint8_t value = U8();
  if (value > 1) Fail();
  return value == 1;
}

MacAddress Reader::GetMac() {
  MacAddress mac;
  std::ranges::copy(Raw(mac.bytes.size()), mac.bytes.begin());
  return mac;
}

Address Reader::GetAddress() {
  switch (static_cast<Family>(U8())) {
    case Family::kIpv4:
      if (auto bytes = Raw(4); ok()) return Address::Ipv4(bytes);
      break;
    case Family::kIpv6:
      if (auto bytes = Raw(16); ok()) return Address::Ipv6(bytes);
      break;
    default:
      Fail();
  }
  return {};
}

Endpoint Reader::GetEndpoint() {
  Endpoint endpoint;
  endpoint.address = GetAddress();
  endpoint.port = U16();
  return endpoint;
}

unsigned Reader::GetNic() {
  const uint32_t nic = U32();
  if (nic >= SD_MAX_NICS) Fail();
  return ok_ ? nic : 0;
}

FlowId Reader::GetFlowId() {
  FlowId id;
  id.guest = GetEndpoint();
  id.peer = GetEndpoint();
  if (id.guest.address.family() != id.peer.address.family()) Fail();
  return id;
}

std::span<const uint8_t> Reader::Bytes() { return Raw(U32()); }

std::span<const uint8_t> Reader::Raw(size_t length) {
  if (!ok_ || length > data_.size()) {
    Fail();
    return {};
  }
  const auto bytes = data_.first(length);
  data_ = data_.subspan(length);
  return bytes;
}

bool Reader::Fail() {
  ok_ = false;
  data_ = {};
  return false;
}

}  // namespace stubdomain
