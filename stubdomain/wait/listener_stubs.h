// All open waits.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WAIT_LISTENER_STUBS_H_
#define STUBDOMAIN_WAIT_LISTENER_STUBS_H_

#include <cstdint>
#include <map>
#include <vector>

#include "wait/listener_stub.h"

namespace stubdomain {

// The listener stubs by number, which is the order in which they were laid.
// How many there may be is for the caller to check.
//
// A stub whose reply came while the VM was suspended, and did not wake it, is
// answered: it is not open any more, and stays until the guest runs.
class ListenerStubs {
 public:
  // Lays a stub under a number that no other stub had (until 2^32 were laid).
  ListenerStub& Add(const sd_wait& wait, const TcpFlow& flow, Time now);
  // The same, of a stub that is on no flow.
  ListenerStub& Add(const sd_wait& wait, Time now);
  // `number` is open.
  void Remove(uint32_t number) { stubs_.erase(number); }
  // `number` is open, and answered from now on.
  void Answer(uint32_t number);
  void ForgetAnswered() { answered_.clear(); }
  // Null if it is not open.
  const ListenerStub* Find(uint32_t number) const;
  bool AnyOn(const TcpFlow& flow) const;
  // One of them has a plan.
  bool AnyWatches(const TcpFlow& flow) const;
  // Memory that the plans of all may take.
  size_t plan_weight() const;
  // The first that waits for a connection or datagram like this; null: none.
  ListenerStub* FindFor(ListenerStub::Kind kind, unsigned port,
                        const FlowId& id);
  bool AnyFor(ListenerStub::Kind kind, unsigned port, const FlowId& id) const;
  // The same of those that are answered.
  bool AnyAnsweredOn(const TcpFlow& flow) const;
  bool AnyAnsweredFor(ListenerStub::Kind kind, unsigned port,
                      const FlowId& id) const;
  // Drops all that the open waits propose.
  void StopProposing();

  size_t size() const { return stubs_.size(); }
  bool empty() const { return stubs_.empty(); }
  const std::map<uint32_t, ListenerStub>& all() const { return stubs_; }
  std::map<uint32_t, ListenerStub>& all() { return stubs_; }
  const std::vector<ListenerStub>& answered() const { return answered_; }
  // The first timeout, the first time at which a plan has something to say, and
  // the first proposal; kNever: none.
  Time NextTimeout() const;
  Time NextWatch() const;
  // The first time at which one asks again.
  Time NextRetry() const;
  Time NextProposal() const;

  void Save(Writer& writer, Time now) const;
  // False if what is read contradicts itself.
  bool Load(Reader& reader, Time now);

 private:
  uint32_t NextNumber();

  std::map<uint32_t, ListenerStub> stubs_;
  std::vector<ListenerStub> answered_;
  uint32_t last_number_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WAIT_LISTENER_STUBS_H_
