// The threads of the guest that count when it is asked whether all of it waits.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_POLICY_REGISTERED_THREADS_H_
#define STUBDOMAIN_POLICY_REGISTERED_THREADS_H_

#include <cstdint>
#include <map>
#include <string>

#include "stubdomain/stubdomain.h"
#include "wire/serial.h"

namespace stubdomain {

// One that may have been answered: a wait of it ended, so it has something to
// do until it waits again, whatever else it waited for at the same time.
struct RegisteredThread {
  std::string name;
  bool answered = false;
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
  bool Leave(uint32_t number) { return threads_.erase(number) != 0; }
  bool Has(uint32_t number) const { return threads_.contains(number); }
  // A thread that is not there is ignored.
  void NoteWait(uint32_t number) { Note(number, false); }
  void NoteAnswer(uint32_t number) { Note(number, true); }
  // Their numbers are not used again.
  void Clear() { threads_.clear(); }

  bool empty() const { return threads_.empty(); }
  size_t size() const { return threads_.size(); }
  const std::map<uint32_t, RegisteredThread>& all() const { return threads_; }

  void Save(Writer& writer) const;
  // False if what is read contradicts itself.
  bool Load(Reader& reader);

 private:
  void Note(uint32_t number, bool answered);

  std::map<uint32_t, RegisteredThread> threads_;
  uint32_t last_number_ = 0;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_POLICY_REGISTERED_THREADS_H_
