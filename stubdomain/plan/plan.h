// A handling plan, compiled: what to do with the awaited reply.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_PLAN_H_
#define STUBDOMAIN_PLAN_PLAN_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/artificial_reply.h"
#include "plan/pattern.h"
#include "plan/transform.h"
#include "wire/icmp_why.h"
#include "wire/time.h"

namespace stubdomain {

// Bounds of a plan. docs/interop/stubdomain-plan.rst lists them.
inline constexpr size_t kMaxPlanBytes = 16 << 10;  // of its JSON text
inline constexpr size_t kMaxHandlers = 128;
inline constexpr size_t kMaxActions = 8;  // of one handler
inline constexpr int kMaxConditionDepth = 8;
inline constexpr size_t kMaxChecks = 512;  // of all conditions
inline constexpr size_t kMaxPatterns = 16;
inline constexpr size_t kMaxNameLength = 64;  // of a handler
inline constexpr uint64_t kMaxRetries = 100;
// Of a datagram that a plan sends or answers with: it is not fragmented.
inline constexpr size_t kMaxPlanDatagram = 1400;
inline constexpr uint8_t kMaxImportance = 5;
// What an alert shows of the message: its last bytes by then.
inline constexpr size_t kMaxAlertPart = 1024;
// Of all open waits together, see Plan::weight().
inline constexpr size_t kMaxPlanMemory = 256 << 20;

enum class Format : uint8_t { kAny, kRaw, kHttp, kDns, kTls };

// In the order of StubdomainPlanVerb in qapi/stubdomain.json.
enum class Action : uint8_t {
  kBuffer,      // the next one follows when the message is complete
  kAlert,       // an event
  kIgnore,      // the message is no reason to wake the guest
  kRestore,     // wake the guest
  kDiscard,     // once the message is complete, it is taken out of the reply
  kTransform,   // the same, and something else takes its place
  kSend,        // bytes to the peer, in the guest's name
  kAnswer,      // wake the guest with another reply, in the message's place
  kRetry,       // kDiscard, and what the guest asked is asked again
  kImportance,  // that of the reply is another from here on
  kScript,      // once the message is complete, a program says what comes next
};

// The guest gets something else than what came.
constexpr bool Changes(Action action) {
  return action == Action::kDiscard || action == Action::kTransform ||
         action == Action::kRetry;
}

// What becomes of a message that no handler claims.
enum class Otherwise : uint8_t { kIgnore, kAlert, kRestore };

// One thing to look at. It is undecided until enough of the message has come.
struct PlanCheck {
  enum class Kind : uint8_t {
    kStatus,    // HTTP: `low` to `high`
    kRcode,     // DNS: `number`
    kId,        // DNS: `number`
    kHeader,    // HTTP: `name`, and `text` or `pattern` or neither
    kBytes,     // at least `number` of the message
    kBody,      // at least `number` of its content
    kShare,     // at least `number` percent of the announced content
    kAt,        // `text` at `number`
    kPattern,   // `pattern`, within the first `number` bytes of the content; 0:
                // anywhere
    kComplete,  // the message is
    kQuiet,     // the stream has been, for `duration`
    kElapsed,   // `duration` since the wait began
    kFin,       // the peer has closed
    kReset,     // the connection is gone
    kIcmp,      // an error came that is one of `errors`
  };
  // A packet that was too big is none: what is sent in its place may arrive.
  enum class Errors : uint8_t {
    kAny,
    kUnreachable,  // for whatever reason
    kPortUnreachable,
    kTimeExceeded,
  };

  Kind kind;
  Errors errors = Errors::kAny;
  uint16_t low = 0;
  uint16_t high = 0;
  uint64_t number = 0;
  Duration duration{};
  std::string name;
  std::optional<std::string> text;
  std::shared_ptr<const Pattern> pattern;
};

// A tree whose leaves are checks.
struct Condition {
  enum class Kind : uint8_t { kCheck, kAll, kAny, kNot };

  Kind kind = Kind::kAll;  // of nothing: holds
  uint32_t check = 0;      // kCheck: which one
  std::vector<Condition> parts;
};

// An action, with what it needs.
struct PlanAction {
  Action action = Action::kRestore;
  std::shared_ptr<const Transform> transform;     // kTransform
  std::string bytes;                              // kSend; kScript: its source
  std::shared_ptr<const ArtificialReply> answer;  // kAnswer
  Duration after{};                               // kRetry
  uint8_t importance = 0;                         // kImportance
};

// The guest's request is sent again.
struct RetryRule {
  uint8_t times = 0;              // at most
  std::optional<Duration> after;  // so long a silence
  bool repeatable = false;        // even if the peer has got it before
};

struct ConditionalHandler {
  std::string name;  // "0", "1"... if the plan gives none
  Condition when;
  std::vector<PlanAction> actions;  // in this order
};

// A plan does not change once it is compiled, and many matchers may share it.
struct Plan {
  std::string source;  // the JSON text that it was compiled from
  Format format = Format::kAny;
  // The reply has no body, whatever it announces: to a HEAD request; or there
  // is no more HTTP behind it: to a CONNECT. Learnt from the guest if absent.
  std::optional<std::string> method;
  std::vector<PlanCheck> checks;
  // Of which messages it is a plan; the others are ignored.
  std::optional<Condition> match;
  std::vector<ConditionalHandler> handlers;
  Otherwise otherwise = Otherwise::kRestore;
  std::optional<RetryRule> retries;
  std::vector<PlanAction> late;  // once the longest wait is over
  bool alerts = false;           // something in it does
  bool after_restore = false;    // something follows a restore
  std::string script;            // the place of its first script; empty: none
  // What it answers or sends can be a datagram.
  bool for_datagrams = true;

  // The most memory that it takes, with a matcher that runs it.
  size_t weight() const;
};

// Either `plan`, or `error`: a text that names the place, such as
// "plan.handlers[2].when.any[0].pattern.regex: missing )".
struct Compiled {
  std::shared_ptr<const Plan> plan;
  std::string error;
};

// `text`: StubdomainPlan of qapi/stubdomain.json. It is not trusted.
Compiled CompilePlan(std::string_view text);

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_PLAN_H_
