// The threads of the guest that count when it is asked whether all of it waits.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_POLICY_REGISTERED_THREADS_H_
#define STUBDOMAIN_POLICY_REGISTERED_THREADS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "stubdomain/stubdomain.h"
#include "wire/serial.h"
#include "wire/time_order.h"

namespace stubdomain {

// One that may have been answered: a wait of it ended, so it has something to
// do until it waits again, whatever else it waited for at the same time.
struct RegisteredThread {
  std::string name;
  bool answered = false;
  // When the first of its open waits that proposes a suspend does so; kNever:
  // none does. Nothing: it has no open wait.
  std::optional<Time> proposal;

  bool waits() const { return proposal && !answered; }
};

// By number, in the order in which they registered. How many there may be is
// for the caller to check. As long as there is none, the whole VM is one
// entity.
class RegisteredThreads {
 public:
  // Gives it a number that no other had (until 2^32 registered). A name is at
  // most SD_THREAD_NAME_MAX bytes long, and may be empty.
  uint32_t Register(std::string name);
  // False if there is no such thread.
  bool Leave(uint32_t number);
  bool Has(uint32_t number) const { return threads_.contains(number); }
  // A thread that is not there is ignored.
  void NoteWait(uint32_t number);
  void NoteAnswer(uint32_t number);
  // See RegisteredThread.
  void SetProposal(uint32_t number, std::optional<Time> proposal);
  // Their numbers are not used again.
  void Clear();

  bool empty() const { return threads_.empty(); }
  size_t size() const { return threads_.size(); }
  const std::map<uint32_t, RegisteredThread>& all() const { return threads_; }
  bool IsWaiting(uint32_t number) const;
  // When each that waits proposes a suspend.
  const TimeOrder& waiting() const { return waiting_; }

  void Save(Writer& writer) const;
  // False if what is read contradicts itself. What they propose is not read.
  bool Load(Reader& reader);

 private:
  using Threads = std::map<uint32_t, RegisteredThread>;

  template <class F>
  void Change(uint32_t number, F change);
  void DropWait(Threads::const_iterator thread);

  Threads threads_;
  TimeOrder waiting_;
  uint32_t last_number_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_POLICY_REGISTERED_THREADS_H_
