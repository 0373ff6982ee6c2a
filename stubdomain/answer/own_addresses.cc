// The addresses that the guest has.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "answer/own_addresses.h"

#include <algorithm>

namespace stubdomain {
namespace {

// Identifier 0 only carries a priority: the frame is of no VLAN (802.1Q).
uint16_t VlanId(const Link& link) { return link.vlan.value_or(0) & 0x0fff; }

// What a machine that has no address yet says is its own (RFC 2131, RFC 4862).
bool IsUnspecified(const Address& address) {
  return std::ranges::all_of(address.bytes(),
                             [](uint8_t byte) { return byte == 0; });
}

Address SourceOf(const Packet& packet) {
  if (const auto* arp = std::get_if<ArpRequest>(&packet.body)) {
    return arp->sender;
  }
  return packet.ip ? packet.ip->source : Address();
}

}  // namespace

void OwnAddresses::Learn(unsigned port, const Packet& packet) {
  const Entry entry{port, VlanId(packet.link), SourceOf(packet),
                    packet.link.source};
  if (!entries_.empty() && entries_.front() == entry) return;
  if (IsUnspecified(entry.address) || entry.address.is_multicast() ||
      entry.mac.is_multicast()) {
    return;
  }
  auto at = std::ranges::find_if(entries_, [&](const Entry& known) {
    return known.port == entry.port && known.vlan == entry.vlan &&
           known.address == entry.address;
  });
  if (at == entries_.end()) {
    if (entries_.size() < kMaxOwnAddresses) entries_.push_back(entry);
    at = entries_.end() - 1;
  }
  *at = entry;
  std::rotate(entries_.begin(), at, at + 1);
}

const MacAddress* OwnAddresses::Find(unsigned port, const Link& link,
                                     const Address& address) const {
  for (const Entry& entry : entries_) {
    if (entry.port == port && entry.vlan == VlanId(link) &&
        entry.address == address) {
      return &entry.mac;
    }
  }
  return nullptr;
}

bool OwnAddresses::IsFor(unsigned port, const Link& link) const {
  return std::ranges::any_of(entries_, [&](const Entry& entry) {
    return entry.port == port && entry.vlan == VlanId(link) &&
           entry.mac == link.destination;
  });
}

void OwnAddresses::Save(Writer& writer) const {
  writer.U32(static_cast<uint32_t>(entries_.size()));
  for (const Entry& entry : entries_) {
    writer.U32(entry.port);
    writer.U16(entry.vlan);
    writer.Put(entry.address);
    writer.Put(entry.mac);
  }
}

bool OwnAddresses::Load(Reader& reader) {
  Clear();
  const uint32_t count = reader.U32();
  if (count > kMaxOwnAddresses) return reader.Fail();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    Entry entry;
    entry.port = reader.GetNic();
    entry.vlan = reader.U16();
    entry.address = reader.GetAddress();
    entry.mac = reader.GetMac();
    entries_.push_back(entry);
  }
  return reader.ok();
}

}  // namespace stubdomain
