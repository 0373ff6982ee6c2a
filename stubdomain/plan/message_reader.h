// What takes a reply apart into messages: one for each format.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_MESSAGE_READER_H_
#define STUBDOMAIN_PLAN_MESSAGE_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "plan/plan.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// Where nothing more was said of a message for this long, although it has
// begun, the built-in rules wait no longer.
inline constexpr Duration kPatience = std::chrono::seconds(1);

// What the head of a message says. Complete from `known` on.
struct Facts {
  bool known = false;
  std::optional<uint16_t> status;  // HTTP
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<uint64_t> length;  // of the content, if it was announced
  std::optional<uint8_t> rcode;    // DNS
  std::optional<uint16_t> id;
};

// What the guest had asked for when its wait began, as far as it was seen.
struct Request {
  bool head = false;             // a HEAD request: no content follows
  bool connect = false;          // CONNECT: no more HTTP follows a 2xx
  bool awaits_continue = false;  // its last bytes were the end of a head
  bool young = false;            // the peer has hardly sent anything yet
};

// It is handed the bytes of the reply in order, and says which belong together.
// Each byte is decided on by those before it alone.
class MessageReader {
 public:
  enum class After : uint8_t {
    kNothing,
    kHead,      // facts() are known now
    kComplete,  // the message ends here; facts() are known
    kBroken,    // the bytes are not what the format says; of no use any more
  };
  static constexpr After kLast = After::kBroken;

  // Bytes that mean one thing, and what is known behind them.
  struct Run {
    size_t size = 0;       // at least 1
    bool content = false;  // they are content, as they stand
    uint64_t credit = 0;   // bytes of content that are known by now to be some
    bool control = false;  // TLS: a record that is not application data
    After after = After::kNothing;
  };

  // Null for kAny. `datagrams`: each is a message.
  static std::unique_ptr<MessageReader> Make(Format format, bool datagrams,
                                             const Request& request);
  virtual ~MessageReader() = default;

  // Takes a run off the front of `bytes`, of which there are some.
  virtual Run Take(std::span<const uint8_t> bytes) = 0;
  // The stream ends behind what was taken. True: so does the message, and
  // facts() are known.
  virtual bool End() { return false; }
  // The next message begins.
  virtual void Next() { facts_ = {}; }
  const Facts& facts() const { return facts_; }
  // How long to wait for more before what has come counts as it is; zero: for
  // ever.
  virtual Duration patience() const { return Duration::zero(); }

  virtual void Save(Writer&) const {}
  // Of one that was just made for the same format. Check reader.ok().
  virtual void Load(Reader&) {}

 protected:
  Facts facts_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_MESSAGE_READER_H_
