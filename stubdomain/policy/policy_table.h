// For tests: what happens to a guest with several threads, as a table.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_POLICY_POLICY_TABLE_H_
#define STUBDOMAIN_POLICY_POLICY_TABLE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "trace/trace.h"

namespace stubdomain {

// At this time (ms) this happens, and the stub domain does that.
struct Row {
  uint64_t at;
  std::string event;
  std::string effects;  // with ", " between; until the next row
};

// Events, where X is a letter that names a connection and its peer:
//
//   ""                    nothing: time passes
//   register              "thread N" is an effect
//   connect X
//   leave N
//   wait X [thread N] [importance N] [elapsed N] [timeout N] [host] [quiet]
//        [expects N] [class NAME] [depth idle|evict|auto] [delay N]
//                         host: of the host; quiet: it proposes no suspend
//   reply X               5 bytes
//   cancel N              the wait of that number, by the guest
//   inhibit [host], allow [host]
//   vcpus idle|busy
//   suspend [idle|evict|auto], restore      by the host
//
// What is refused has "refused: REASON" as an effect. QEMU is quick: a suspend
// that begins is finished at once, and what is to be restored runs at once.
// The guest takes what it is given. Delay before a suspend: 50 ms.
class PolicyTable {
 public:
  explicit PolicyTable(const sd_config& config);

  void Expect(const std::vector<Row>& rows);
  // Lets this happen at that time.
  void Play(uint64_t at, const std::string& event);
  Trace& trace() { return trace_; }

 private:
  class Words;

  void Happen(const std::string& event);
  void PassUntil(uint64_t at);
  void Wait(Words& words);
  Talk& TalkOf(char name);
  void Note(sd_refusal refusal);

  Trace trace_;
  std::map<char, Talk> talks_;
  Lines own_;  // effects that are not callbacks
  uint64_t at_ = 0;
};

// The policy of `config` does that; see there.
void ExpectTable(const sd_policy& policy, const std::vector<Row>& rows);
sd_policy DefaultPolicy();

}  // namespace stubdomain

#endif  // STUBDOMAIN_POLICY_POLICY_TABLE_H_
