// What a plan still does with a message once it has woken the guest.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WAIT_AFTERMATH_H_
#define STUBDOMAIN_WAIT_AFTERMATH_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "wait/listener_stub.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// If nothing more of the message comes for so long, the guest gets it as it is.
inline constexpr Duration kAftermathPatience = std::chrono::seconds(30);

// Its wait has ended. From when the guest runs until the plan is done with the
// message, the guest gets nothing of what is kept on the connection.
class Aftermath {
 public:
  Aftermath(ListenerStub stub, Time now) : stub_(std::move(stub)) {
    Touch(now);
  }

  ListenerStub& stub() { return stub_; }
  const ListenerStub& stub() const { return stub_; }
  // When it is given up.
  Time until() const { return until_; }
  // The plan is done, or has been given up.
  bool over() const { return over_; }
  void Finish() { over_ = true; }
  // `bytes` of the reply have come.
  void NoteReply(uint64_t bytes, Time now) {
    if (bytes > bytes_) Touch(now);
    bytes_ = bytes;
  }

  void Save(Writer& writer, Time now) const;
  // Check reader.ok() afterwards.
  static Aftermath Load(Reader& reader, Time now);

 private:
  void Touch(Time now) {
    until_ = std::min(now + kAftermathPatience, stub_.timeout());
  }

  ListenerStub stub_;
  Time until_{};
  uint64_t bytes_ = 0;
  bool over_ = false;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WAIT_AFTERMATH_H_
