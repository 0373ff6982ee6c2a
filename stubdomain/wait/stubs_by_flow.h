// Finds the waits that a frame may end.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WAIT_STUBS_BY_FLOW_H_
#define STUBDOMAIN_WAIT_STUBS_BY_FLOW_H_

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "wait/listener_stub.h"

namespace stubdomain {

// The stubs are the caller's, and stay where they are.
//
// A wait for a reply names its connection in full. The others may leave open
// what they are for, but not the port of the guest: those of one port are
// looked at one by one.
class StubsByFlow {
 public:
  void Add(const ListenerStub& stub);
  // It is in it.
  void Remove(const ListenerStub& stub);
  void Clear();

  // Those that are on the flow, in the order of their numbers.
  std::vector<const ListenerStub*> On(const TcpFlow& flow) const;
  // The one that was added first of those for a connection or datagram like
  // this; null: none.
  const ListenerStub* FindFor(ListenerStub::Kind kind, unsigned port,
                              const FlowId& id) const;

 private:
  // Of a connection; others may have the same.
  using Name = std::array<uint64_t, 5>;
  static Name NameOf(unsigned port, const FlowId& id);

  std::multimap<Name, const ListenerStub*> replies_;
  std::multimap<uint16_t, const ListenerStub*> others_;  // by the guest's port
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WAIT_STUBS_BY_FLOW_H_
