// For tests: a matcher that is slow, and obviously right.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/slow_matcher.h"

#include <strings.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>
#include <utility>

#include "plan/truth.h"

namespace stubdomain {
namespace {

using Lines = std::vector<std::string>;

struct Message {
  bool known = false;
  int status = 0;  // 0: not HTTP
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<size_t> length;
  std::string content;
  bool complete = false;
};

void ParseChunks(std::string_view text, Message* message) {
  while (true) {
    const size_t line = text.find("\r\n");
    if (line == text.npos) return;
    const size_t size = std::strtoul(std::string(text).c_str(), nullptr, 16);
    if (size == 0) {
      message->complete = text.find("\r\n\r\n") != text.npos;
      return;
    }
    text.remove_prefix(line + 2);
    message->content += text.substr(0, size);
    if (text.size() < size + 2) return;
    text.remove_prefix(size + 2);
  }
}

// What the beginning of a message says.
Message Parse(Format format, std::string_view text) {
  Message message;
  if (format == Format::kRaw) {
    message.known = true;
    message.content = text;
    return message;
  }
  const size_t head = text.find("\r\n\r\n");
  if (head == text.npos) return message;
  message.known = true;
  message.status = std::atoi(std::string(text.substr(9, 3)).c_str());
  bool chunked = false;
  for (size_t line = text.find("\r\n"); line < head;) {
    const size_t begin = line + 2;
    line = text.find("\r\n", begin);
    const std::string_view field = text.substr(begin, line - begin);
    const size_t colon = field.find(": ");
    message.headers.emplace_back(field.substr(0, colon),
                                 field.substr(colon + 2));
    const auto& [name, value] = message.headers.back();
    if (name == "Content-Length") message.length = std::stoul(value);
    if (name == "Transfer-Encoding") chunked = true;
  }
  const std::string_view body = text.substr(head + 4);
  if (message.status < 200 || message.status == 204) {
    message.complete = true;
  } else if (chunked) {
    ParseChunks(body, &message);
  } else {
    message.content = body.substr(0, *message.length);
    message.complete = message.content.size() == *message.length;
  }
  return message;
}

bool Counts(IcmpWhy why, PlanCheck::Errors wanted) {
  static const std::set<std::pair<PlanCheck::Errors, IcmpWhy>> kCounts = {
      {PlanCheck::Errors::kAny, IcmpWhy::kUnreachable},
      {PlanCheck::Errors::kAny, IcmpWhy::kPortUnreachable},
      {PlanCheck::Errors::kAny, IcmpWhy::kTimeExceeded},
      {PlanCheck::Errors::kAny, IcmpWhy::kParameterProblem},
      {PlanCheck::Errors::kUnreachable, IcmpWhy::kUnreachable},
      {PlanCheck::Errors::kUnreachable, IcmpWhy::kPortUnreachable},
      {PlanCheck::Errors::kPortUnreachable, IcmpWhy::kPortUnreachable},
      {PlanCheck::Errors::kTimeExceeded, IcmpWhy::kTimeExceeded}};
  return kCounts.contains({wanted, why});
}

struct View {
  const Plan& plan;
  std::string_view text;          // of the message so far
  std::vector<IcmpWhy> errors{};  // the same
  Message message{};
  bool fin;       // no more comes
  bool complete;  // the message is

  Truth Look(const PlanCheck& check) const;
  Truth Look(const Condition& condition) const;
};

Truth View::Look(const PlanCheck& check) const {
  const bool last = fin || complete;
  const auto enough = [last](bool yes) {
    return yes ? Truth::kYes : last ? Truth::kNo : Truth::kUndecided;
  };
  const auto head = [&](bool yes) {
    return message.known ? Decided(yes) : enough(false);
  };
  const size_t size = message.content.size();
  switch (check.kind) {
    case PlanCheck::Kind::kStatus:
      return head(message.status >= check.low && message.status <= check.high);
    case PlanCheck::Kind::kHeader: {
      bool has = false;
      for (const auto& [name, value] : message.headers) {
        has = has || strcasecmp(name.c_str(), check.name.c_str()) == 0;
      }
      return head(has);
    }
    case PlanCheck::Kind::kBytes:
      return enough(text.size() >= check.number);
    case PlanCheck::Kind::kBody:
      return enough(size >= check.number);
    case PlanCheck::Kind::kShare:
      if (message.known && !message.length) return Truth::kNo;
      return enough(message.known &&
                    size * 100 >= *message.length * check.number);
    case PlanCheck::Kind::kAt:
      for (size_t i = 0; i < check.text->size(); ++i) {
        const size_t at = check.number + i;
        if (at >= text.size()) return enough(false);
        if (text[at] != (*check.text)[i]) return Truth::kNo;
      }
      return Truth::kYes;
    case PlanCheck::Kind::kPattern: {
      const size_t most = check.number == 0 ? size : check.number;
      const std::string_view searched =
          std::string_view(message.content).substr(0, most);
      if (check.pattern->Find(searched, 0, 0)) return Truth::kYes;
      return check.number != 0 && size >= most ? Truth::kNo : enough(false);
    }
    case PlanCheck::Kind::kComplete:
      return enough(complete);
    case PlanCheck::Kind::kFin:
      return enough(fin);
    case PlanCheck::Kind::kIcmp:
      for (const IcmpWhy why : errors) {
        if (Counts(why, check.errors)) return Truth::kYes;
      }
      return enough(false);
    default:
      std::abort();
  }
}

Truth View::Look(const Condition& condition) const {
  bool undecided = false;
  const bool any = condition.kind == Condition::Kind::kAny;
  switch (condition.kind) {
    case Condition::Kind::kCheck:
      return Look(plan.checks[condition.check]);
    case Condition::Kind::kNot:
      return Not(Look(condition.parts[0]));
    case Condition::Kind::kAll:
    case Condition::Kind::kAny:
      break;
  }
  for (const Condition& part : condition.parts) {
    const Truth truth = Look(part);
    if (truth == Decided(any)) return truth;
    undecided = undecided || truth == Truth::kUndecided;
  }
  return undecided ? Truth::kUndecided : Decided(!any);
}

struct Claim {
  std::string by;
  std::vector<PlanAction> actions;
};

std::optional<Claim> ClaimOf(const View& view) {
  bool possible = false;
  for (const ConditionalHandler& handler : view.plan.handlers) {
    const Truth truth = view.Look(handler.when);
    if (truth == Truth::kYes) return Claim{handler.name, handler.actions};
    possible = possible || truth == Truth::kUndecided;
  }
  if (possible || view.fin || view.text.empty()) return std::nullopt;
  switch (view.plan.otherwise) {
    case Otherwise::kIgnore:
      return Claim{"otherwise", {{Action::kIgnore}}};
    case Otherwise::kAlert:
      return Claim{"otherwise", {{Action::kAlert}, {Action::kIgnore}}};
    case Otherwise::kRestore:
      break;
  }
  if (!view.message.known) return std::nullopt;
  const bool interim = view.message.status > 0 && view.message.status < 200;
  return Claim{"built-in", {{interim ? Action::kIgnore : Action::kRestore}}};
}

}  // namespace

namespace {

// What kCountingScript says with the numbers that it holds.
std::string Scripted(const std::string& source, const View& view) {
  int content = 0;
  int bytes = 0;
  std::sscanf(source.c_str(), kCountingScript, &content, &bytes);
  const std::string& body = view.message.content;
  if (body.find('a') == body.npos) return "ignore";
  if (body.size() > static_cast<size_t>(content)) return "restore";
  if (view.text.size() > static_cast<size_t>(bytes)) return "discard";
  return "";
}

}  // namespace

Lines SlowMatch(const Plan& plan, std::string_view reply,
                const std::vector<ErrorAt>& errors, bool fin) {
  static constexpr const char* kNames[] = {
      "buffer",    "alert", "ignore", "restore", "discard",
      "transform", "send",  "answer", "retry",   "importance"};
  Lines lines;
  size_t begin = 0;
  for (int number = 0;; ++number) {
    std::optional<Claim> claim;
    size_t done = 0;
    bool complete = false;
    bool restored = false;
    // The last round of all is for the peer's close.
    const size_t rounds = reply.size() + (fin ? 1 : 0);
    // Each round has a second half, for the error that comes behind its byte.
    size_t half = 2 * begin;
    for (; half <= 2 * rounds + 1 && !complete; ++half) {
      const size_t n = half / 2;
      const size_t end = std::min(n, reply.size());
      View view{.plan = plan,
                .text = reply.substr(begin, end - begin),
                .fin = n > reply.size()};
      for (const ErrorAt& error : errors) {
        if (error.at >= begin && 2 * error.at < half) {
          view.errors.push_back(error.why);
        }
      }
      view.message = Parse(plan.format, view.text);
      view.complete =
          view.message.complete ||
          (view.fin && plan.format == Format::kRaw && !view.text.empty());
      complete = view.complete;
      if (!claim) claim = ClaimOf(view);
      for (; claim && done < claim->actions.size(); ++done) {
        const Action action = claim->actions[done].action;
        const bool whole =
            action == Action::kBuffer || Changes(action) ||
            action == Action::kScript ||
            (action == Action::kAnswer && !claim->actions[done].answer->close);
        if (whole && !complete) break;
        if (action == Action::kBuffer) continue;
        const std::string name =
            action == Action::kScript
                ? Scripted(claim->actions[done].bytes, view)
                : kNames[static_cast<int>(action)];
        if (name.empty()) continue;
        lines.push_back(name + " " + claim->by + " " + std::to_string(number) +
                        " @" + std::to_string(end));
        if (name == "answer" || (restored && name == "restore")) return lines;
        restored = restored || name == "restore";
        if (action == Action::kScript) done = claim->actions.size() - 1;
      }
      if (restored && done == claim->actions.size()) return lines;
    }
    begin = (half - 1) / 2;
    if (!complete || begin > reply.size()) return lines;
  }
}

}  // namespace stubdomain
