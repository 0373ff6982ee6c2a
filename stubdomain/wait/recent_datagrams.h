// The guest's last datagram to each peer, to send it again in its name.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WAIT_RECENT_DATAGRAMS_H_
#define STUBDOMAIN_WAIT_RECENT_DATAGRAMS_H_

#include <cstddef>
#include <functional>
#include <list>

#include "wire/frame.h"
#include "wire/packet.h"
#include "wire/serial.h"

namespace stubdomain {

// Pairs of endpoints. Beyond it, the pair that was used longest ago is
// forgotten.
inline constexpr size_t kMaxRecentDatagrams = 64;
// Bytes of a frame; a longer one is not kept.
inline constexpr size_t kMaxRecentFrame = 2048;

class RecentDatagrams {
 public:
  struct Sent {
    unsigned port;  // the guest's NIC
    FlowId id;
    Frame frame;
  };

  // The guest sends `packet`, which has a UDP body.
  void Note(unsigned port, const Packet& packet);
  // The last that `wanted` is true of; null: none is known.
  const Sent* Find(
      const std::function<bool(unsigned port, const FlowId& id)>& wanted) const;
  void Clear() { sent_.clear(); }

  // Those that `wanted` is true of.
  void Save(
      Writer& writer,
      const std::function<bool(unsigned port, const FlowId& id)>& wanted) const;
  // False if what is read contradicts itself or the bounds.
  bool Load(Reader& reader);

 private:
  std::list<Sent> sent_;  // the pair that was used last is the first
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WAIT_RECENT_DATAGRAMS_H_
