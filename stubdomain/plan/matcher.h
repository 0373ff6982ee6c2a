// Runs a plan over a reply as it comes.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_MATCHER_H_
#define STUBDOMAIN_PLAN_MATCHER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plan/examination.h"
#include "plan/message_reader.h"
#include "plan/plan.h"
#include "plan/recognizer.h"
#include "plan/script.h"
#include "wire/icmp_why.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// What the plan says is to be done. Steps come in the order in which they are
// to be done, and none follows kAnswer, nor kRestore without a GoOn().
struct Step {
  enum class By : uint8_t {
    kHandler,        // the plan's handler `handler`
    kBuiltIn,        // the built-in rules of the format
    kOtherwise,      // the plan's `otherwise`
    kNotMatched,     // it is not what the plan is for
    kNotUnderstood,  // it is not what the format says
  };

  Action action = Action::kRestore;
  By by = By::kBuiltIn;
  uint32_t handler = 0;  // its place in the plan
  uint32_t place = 0;    // of the action among those of the handler
  uint32_t message = 0;  // which of the reply, from 0
  uint64_t begin = 0;    // where the message begins in the reply
  uint64_t offset = 0;   // so many bytes of the reply had to come for this
  std::string part;      // kAlert: the message's last bytes by then
  // A script says so.
  bool scripted = false;
  std::string text;               // kAlert: its own; kAnswer: the reply
  std::string problem;            // kAlert: why it says nothing
  std::optional<Duration> after;  // kRetry
  friend bool operator==(const Step&, const Step&) = default;
};

// Theory of operation
// -------------------
// The reply is a sequence of messages; what a message is depends on the format
// (raw and TLS: all of it; HTTP: one response, and a 1xx is one; DNS: one
// packet). Each check of the plan is undecided when a message begins, and is
// decided at one byte of it for good; at the last one all of them are. A
// handler claims the message at the first byte at which its condition holds; of
// several, the first of the plan does. Its actions follow, and nothing else
// claims the message. Once no handler can, the message falls to what the plan
// says under "otherwise", which may be the built-in rules of the format. So
// what becomes of a message depends on its bytes, and on when the stream was
// quiet: not on how it was cut.
//
// What is not what the format says wakes the guest.
class Matcher {
 public:
  // The wait begins now. `datagrams`: the reply is not a stream.
  Matcher(std::shared_ptr<const Plan> plan, const Request& request,
          bool datagrams, Time now);

  const Plan& plan() const { return *plan_; }
  bool datagrams() const { return datagrams_; }

  // -- events --

  // What the guest has asked for is known better now. No byte was fed yet.
  void SetRequest(const Request& request);

  // A stream goes on with these bytes; or a datagram has come.
  void Feed(std::span<const uint8_t> bytes, Time now);
  // An ICMP error about the connection or the datagrams has come. It is no part
  // of a stream, in which it counts for the message that is under way; among
  // datagrams it stands for one, whose handler can only be one that asks for
  // it. False: there is no such handler.
  bool OnError(IcmpWhy why, Time now);
  // No more comes: the peer has closed, or the connection is gone. Only
  // handlers take note of that.
  void End(bool reset, Time now);
  // When OnTimer() has something to do; kNever: not before the next event.
  Time Deadline() const;
  void OnTimer(Time now);

  // What is to be done next; nothing: no more for now.
  std::optional<Step> Take();
  // kRestore or kAnswer was the last step that came, or is among those to be
  // taken; or GoOn() was called, and nothing is left to be done.
  bool over() const { return over_; }
  // It is over by kRestore, but something follows that once the guest runs.
  bool follows() const;
  // GoOn() was called.
  bool after() const { return after_; }
  // The guest runs: does what follows. What was not looked at is fed next.
  void GoOn(Time now);
  // The stream has ended, and a handler has said what to do then.
  bool settled() const { return settled_; }
  // Bytes of the reply that were looked at.
  uint64_t position() const { return position_; }
  // Where the message begins that comes now, and which it is.
  uint64_t message_begin() const { return message_begin_; }
  uint32_t message() const { return message_; }

  // -- serial form: of one that is not over, or that something follows, all but
  // the plan, and the steps that were not taken --

  void Save(Writer& writer, Time now) const;
  // Of one that was just made with the same plan. False: malformed.
  bool Load(Reader& reader, Time now);

 private:
  // What the message falls to.
  struct Claim {
    Step::By by = Step::By::kBuiltIn;
    uint32_t handler = 0;
    bool interim = false;  // by the built-in rules it is not the reply yet
    size_t done = 0;       // actions
  };

  // -- bytes --
  void Recognize(uint8_t byte);
  void SetFormat(Format format);
  MessageReader::Run TakeRun(std::span<const uint8_t> bytes);
  void FinishRun(const MessageReader::Run& run);
  void Count(std::span<const uint8_t> bytes, bool content);
  // What is known behind a run.
  void Behind(MessageReader::After after);
  void NextMessage();
  // What the bytes that were counted have told.
  const Facts& facts() const;
  Time PatienceEnds() const;

  // -- what becomes of the message --
  bool JudgeErrorOfDatagrams();
  void Judge(MessageEnd end);
  bool FallsToFormat(MessageEnd end) const;
  void SetClaim(Step::By by, uint32_t handler);
  std::span<const PlanAction> ActionsOf(const Claim& claim) const;
  // Does what can be done of the claim's actions.
  void GoOnWith(bool complete);
  // It is about to end with this message, all of which was taken apart.
  bool finished() const {
    return (over_ || after_) &&
           (whole_ ||
            (rest_ && rest_->after == MessageReader::After::kComplete));
  }
  Step& Emit(Action action);
  // False: nothing follows.
  bool FollowScript(const PlanAction& action);

  void LoadClaim(Reader& reader);
  void LoadPart(Reader& reader);
  void LoadScripts(Reader& reader);
  void LoadAfter(Reader& reader);
  void LoadReader(Reader& reader);

  std::shared_ptr<const Plan> plan_;
  Request request_;
  bool datagrams_;
  Time begin_;  // of the wait
  Time last_byte_;
  Time now_;
  uint64_t position_ = 0;
  uint64_t message_begin_ = 0;
  uint32_t message_ = 0;
  Format format_;
  Recognizer recognizer_;
  std::unique_ptr<MessageReader> reader_;  // null: the format is not known
  Examination examination_;
  std::optional<Claim> claim_;
  bool fallen_ = false;   // no handler can claim the message
  bool known_ = false;    // the reader's facts count
  bool control_ = false;  // TLS: something else than application data has come
  bool over_ = false;
  bool after_ = false;  // the guest runs
  bool whole_ = false;  // the message is complete, which it is done with
  // What of a run was not counted any more when it was over.
  std::optional<MessageReader::Run> rest_;
  bool ended_ = false;
  bool settled_ = false;
  std::string part_;  // the message's last bytes, if the plan alerts
  // If the plan has scripts: the message's first bytes, and one more than a
  // script can be run over; steps that are left to them; and how often what the
  // guest asked is to be asked again.
  std::string text_;
  uint32_t script_steps_ = kMaxScriptSteps;
  uint32_t tries_ = 0;
  std::deque<Step> steps_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_MATCHER_H_
