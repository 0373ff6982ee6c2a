// All open waits.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WAIT_LISTENER_STUBS_H_
#define STUBDOMAIN_WAIT_LISTENER_STUBS_H_

#include <cstdint>
#include <map>

#include "policy/depth.h"
#include "policy/waiters.h"
#include "wait/listener_stub.h"
#include "wait/stubs_by_flow.h"
#include "wire/time_order.h"

namespace stubdomain {

// The listener stubs by number, which is the order in which they were laid.
// How many there may be is for the caller to check.
//
// A guest may lay many, and QEMU's main loop is what pays. So what is asked for
// with each event (what is due next, who is concerned by a frame, what all of
// them want together) is kept up to date here, and a stub is changed by
// Change() alone.
//
// A stub whose reply came while the VM was suspended, and did not wake it, is
// answered: it is not open any more, and stays until the guest runs.
class ListenerStubs {
 public:
  using Stubs = std::map<uint32_t, ListenerStub>;

  // Lays a stub under a number that no other stub had (until 2^32 were laid).
  const ListenerStub& Add(const sd_wait& wait, const TcpFlow& flow, Time now);
  // The same, of a stub that is on no flow.
  const ListenerStub& Add(const sd_wait& wait, Time now);
  // Returns what `change`, which is handed the stub, does. `number` is open.
  template <class F>
  auto Change(uint32_t number, F change) {
    ListenerStub& stub = stubs_.find(number)->second;
    const Reindexing reindexing(this, stub);
    return change(stub);
  }
  // `number` is open, and about to end.
  ListenerStub TakeAftermath(uint32_t number);
  // `number` is open.
  void Remove(uint32_t number);
  // `number` is open, and answered from now on.
  void Answer(uint32_t number);
  void ForgetAnswered();
  // No reply on the flow goes into the guest's memory any more.
  void DropBuffers(const TcpFlow& flow);
  // Replies that are overdue by now are not expected any more.
  void StopExpecting(Time now);

  size_t size() const { return stubs_.size(); }
  bool empty() const { return stubs_.empty(); }
  const Stubs& all() const { return stubs_; }
  // Null if it is not open.
  const ListenerStub* Find(uint32_t number) const;
  // See StubsByFlow.
  const StubsByFlow& by_flow() const { return by_flow_; }
  // The same of those that are answered.
  size_t answered() const { return answered_.size(); }
  const Stubs& all_answered() const { return answered_; }
  const StubsByFlow& answered_by_flow() const { return answered_by_flow_; }

  // By their times, kNever included: when they time out, when their plans have
  // something to say, when they ask again, when they propose a suspend, and
  // when what is expected of them is overdue.
  const TimeOrder& timeouts() const { return timeouts_; }
  const TimeOrder& watches() const { return watches_; }
  const TimeOrder& retries() const { return retries_; }
  const TimeOrder& proposals() const { return proposals_; }
  const TimeOrder& overdue() const { return overdue_; }
  // Those of the host alone.
  const TimeOrder& host_proposals() const { return host_proposals_; }

  const Waiters& waiters() const { return waiters_; }
  const DepthWishes& depth_wishes() const { return depth_wishes_; }
  // Memory that the plans of all may take.
  size_t plan_weight() const { return plan_weight_; }

  void Save(Writer& writer, Time now) const;
  // False if what is read contradicts itself.
  bool Load(Reader& reader, Time now);

 private:
  // What of a stub may change while it is open, and others go by.
  struct Keys {
    Time timeout;
    Time watch;
    Time retry;
    Time overdue;
    WaitTerms terms;

    static Keys Of(const ListenerStub& stub);
    friend bool operator==(const Keys&, const Keys&) = default;
  };

  // While it is there, a stub may change.
  class Reindexing {
   public:
    Reindexing(ListenerStubs* stubs, const ListenerStub& stub)
        : stubs_(stubs), stub_(stub), before_(Keys::Of(stub)) {}
    ~Reindexing();
    Reindexing(const Reindexing&) = delete;
    Reindexing& operator=(const Reindexing&) = delete;

   private:
    ListenerStubs* stubs_;
    const ListenerStub& stub_;
    Keys before_;
  };

  uint32_t NextNumber();
  const ListenerStub& Enter(ListenerStub stub);
  Stubs::node_type Extract(uint32_t number);
  void EnterAnswered(Stubs::node_type node);
  void Index(const ListenerStub& stub, const Keys& keys);
  void Unindex(const ListenerStub& stub, const Keys& keys);

  Stubs stubs_;
  Stubs answered_;
  uint32_t last_number_ = 0;

  StubsByFlow by_flow_;
  StubsByFlow answered_by_flow_;
  TimeOrder timeouts_;
  TimeOrder watches_;
  TimeOrder retries_;
  TimeOrder proposals_;
  TimeOrder host_proposals_;
  TimeOrder overdue_;
  Waiters waiters_;
  DepthWishes depth_wishes_;
  size_t plan_weight_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WAIT_LISTENER_STUBS_H_
