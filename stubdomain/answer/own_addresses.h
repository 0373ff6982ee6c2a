// The addresses that the guest has.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_ANSWER_OWN_ADDRESSES_H_
#define STUBDOMAIN_ANSWER_OWN_ADDRESSES_H_

#include <cstddef>
#include <vector>

#include "wire/packet.h"
#include "wire/serial.h"

namespace stubdomain {

// Bound over all NICs. Beyond it, the address that was used longest ago is
// forgotten.
inline constexpr size_t kMaxOwnAddresses = 64;

// Learns from the frames that the guest sends.
class OwnAddresses {
 public:
  // A frame that the guest sent.
  void Learn(unsigned port, const Packet& packet);
  // Where the guest has `address` on the network that `link` is of; null if
  // it does not have it there.
  const MacAddress* Find(unsigned port, const Link& link,
                         const Address& address) const;
  // Whether a frame on `link` goes to the guest, and to it alone.
  bool IsFor(unsigned port, const Link& link) const;
  void Clear() { entries_.clear(); }

  size_t size() const { return entries_.size(); }

  void Save(Writer& writer) const;
  // False if what is read contradicts itself or the bound.
  bool Load(Reader& reader);

 private:
  struct Entry {
    unsigned port;
    uint16_t vlan;  // 0: none
    Address address;
    MacAddress mac;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  std::vector<Entry> entries_;  // the one that was used last is the first
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_ANSWER_OWN_ADDRESSES_H_
