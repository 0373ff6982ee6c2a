// The messages between programs of the guest and its agent: one JSON object
// per SOCK_SEQPACKET message. The grammar is in docs of stubdomain-agent(8):
//
//   {"op": "wait", "timeout": MS, "plan": {...}, "suspend": BOOL}   + a socket
//   {"op": "wait", ..., "received": [N, null, ...]}            + some sockets
//   {"op": "wait", ..., "tid": N}                  the thread of the sender
//   that
//                                    waits, as gettid() names it: it registers
//   {"op": "wait", ..., "buffer": LENGTH}         + a socket, and a memfd which
//                                    the reply may be written into
//   {"op": "wait", ..., "detach": true}                             + a socket
//   {"op": "wait", ..., "flow": {"guest": {...}, "peer": {...}}}
//   {"op": "listen", "port": N, "accept": "answer", "guest-port": N, ...}
//     -> {"stub": N} or {"stubs": [N, ...]}              the wait is accepted
//     -> {"stub": N, "outcome": "replied", "bytes": N}   the wait is over
//                                        (+ "handler": NAME, which said so)
//                                        (+ a socket, if it was detached;
//                                        "socket": INDEX, if there are some)
//   {"op": "cancel"}                                       after one of these
//   {"op": "register", "name": "for people"}
//     -> {"thread": N}                         until the connection is closed
//   {"op": "inhibit"}
//     -> {"inhibited": true}                   until the connection is closed
//   {"op": "status"}
//     -> {"status": {...}}
//   {"op": "check", "plan": {...}}
//     -> {"checked": true}                        the host would take the plan
//   {"op": "history"}
//     -> {"history": [{...}, ...]}
//   anything may be answered by
//     -> {"error": "text", "reason": "invalid"}
//
// A wait that is over before it began is answered by its outcome alone, and
// without "stub". One wait per connection: the agent closes the connection
// after the outcome or an error, and closing it from the other end cancels the
// wait.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_PROTOCOL_MESSAGES_H_
#define STUBDOMAIN_GUEST_PROTOCOL_MESSAGES_H_

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hw/stubdomain/regs.h"
#include "protocol/endpoint.h"
#include "protocol/packet.h"

namespace stubdomain {

inline constexpr char kDefaultSocket[] = "/run/stubdomain/agent.sock";
// Sockets of one wait.
inline constexpr size_t kMaxSockets = kMaxDescriptors;
// Longest message of a program, and of the agent (which hands on what the
// device answers, see STUBDOMAIN_RESPONSE_MAX, and adds a little).
inline constexpr size_t kMaxRequest = 16 * 1024;
inline constexpr size_t kMaxAnswer = 40 * 1024;

inline constexpr uint32_t kMaxImportance = 5;
// Bytes of a reply that is written into memory.
inline constexpr uint32_t kMaxBuffer =
    STUBDOMAIN_BUFFER_PAGES_MAX * STUBDOMAIN_BUFFER_PAGE -
    STUBDOMAIN_BUFFER_DATA;
inline constexpr size_t kMaxThreadName = 64;

// StubdomainOutcome of qapi/stubdomain.json.
enum class Outcome { kReplied, kClosed, kReset, kTimeout, kCancelled };

const char* OutcomeName(Outcome outcome);
std::optional<Outcome> OutcomeFromName(std::string_view name);

// Why a request failed.
enum class Reason {
  kInvalid,  // it is malformed
  kDenied,   // the connection is not the caller's
  kBusy,     // not now: too many clients, or bytes are under way
  kRefused,  // the stub domain refused it
  kDevice,   // the device did not work
};

const char* ReasonName(Reason reason);
std::optional<Reason> ReasonFromName(std::string_view name);

class RequestError : public std::runtime_error {
 public:
  RequestError(Reason reason, const std::string& text)
      : std::runtime_error(text), reason_(reason) {}
  Reason reason() const { return reason_; }

 private:
  Reason reason_;
};

struct WaitRequest {
  std::optional<Flow> flow;  // absent: the sockets that came along
  // Of each of these sockets: what the program had received when it found
  // nothing to read (tcpi_bytes_received); whatever comes behind it is the
  // reply. Empty, or absent for one of them: what can be read is the reply's
  // beginning.
  std::vector<std::optional<uint64_t>> received;
  uint32_t timeout_ms = 0;  // 0: no limit
  // StubdomainPlan. The device checks it; the agent looks at "bytes" only.
  nlohmann::json plan = nlohmann::json::object();
  bool suspend = true;  // the wait proposes to suspend the VM
  // See StubdomainWait of qapi/stubdomain.json.
  uint32_t thread = 0;      // that is registered; 0: none
  uint32_t tid = 0;         // that the agent is to register; 0: none
  uint32_t importance = 0;  // at most kMaxImportance
  uint32_t elapsed_ms = 0;
  std::string depth;  // empty: the host's policy
  std::optional<uint32_t> evict_delay_ms;
  uint32_t expected_ms = 0;   // 0: not known
  std::string request_class;  // the device checks it
  // Bytes of the reply for which there is room in the memory that came along
  // behind the socket, see PinnedBuffer; 0: there is none.
  uint32_t buffer = 0;
  // The connection is taken from the socket that came along, and goes on in
  // another one that comes with the outcome.
  bool detach = false;
};

// For a new TCP connection to a port of the guest: see StubdomainAccept of
// qapi/stubdomain.json.
struct ListenRequest {
  uint16_t port = 0;
  bool answer = false;      // else hold
  uint16_t guest_port = 0;  // 0: `port`
  uint32_t timeout_ms = 0;  // as WaitRequest has them
  nlohmann::json plan = nlohmann::json::object();
  bool suspend = true;
};

// Takes back the wait of this connection, which ends as kCancelled. Nothing if
// it has just ended.
struct CancelRequest {};

// A thread of the program counts when it is asked whether enough of the guest
// waits.
struct RegisterRequest {
  std::string name;  // at most kMaxThreadName bytes
};

// The machine is not to be suspended by a wait.
struct InhibitRequest {};

struct StatusRequest {};

// Whether the host would take a plan.
struct CheckRequest {
  nlohmann::json plan = nlohmann::json::object();
};

// What was decided about suspends of this machine, and why.
struct HistoryRequest {};

using Request =
    std::variant<WaitRequest, ListenRequest, CancelRequest, RegisterRequest,
                 InhibitRequest, StatusRequest, CheckRequest, HistoryRequest>;

std::string Encode(const Request& request);
// Throws JsonError.
Request ParseRequest(std::string_view text);

struct Accepted {
  std::vector<uint32_t> stubs;  // in the order of the sockets; at least one
};

struct Registered {
  uint32_t thread;
};

struct Inhibited {};

struct Ended {
  std::optional<uint32_t> stub;  // absent: it was over before it began
  Outcome outcome;
  uint64_t bytes;  // bytes of the reply that had come by then
  // Which socket it was, if the wait was for more than one.
  std::optional<size_t> socket = std::nullopt;
  // Which handler of the plan ended it; empty: none.
  std::string handler{};
};

struct Status {
  nlohmann::json status;
};

struct Checked {};

struct History {
  nlohmann::json decisions;  // StubdomainDecision, the oldest first
};

using Answer = std::variant<Accepted, Ended, Registered, Inhibited, Status,
                            Checked, History, RequestError>;

std::string Encode(const Answer& answer);
// Throws JsonError. Members that are not known are ignored, so that an agent
// newer than the program can say more.
Answer ParseAnswer(std::string_view text);

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_PROTOCOL_MESSAGES_H_
