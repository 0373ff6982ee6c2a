// Fuzz target: a plan, run over a reply that is cut and handed over.
//
//   u8   bits: 0 datagrams, 1 HEAD, 2 CONNECT, 3 waits for a 100, 4 young,
//        5 the peer closes in the end, 6 it resets, 7 an ICMP error comes
//   u16  length of the plan, then it, as JSON
//   u8   bit 7: which error
//   u16  bit 7: behind how many bytes of the reply
//   ...  the reply
//
// What it transforms, and what scripts say, stays within its bounds. What it
// says must not depend on the cuts, nor on another process taking it over at
// each of them.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <string_view>
#include <vector>

#include "check.h"
#include "input.h"
#include "plan/http_reader.h"
#include "plan/matcher.h"

namespace stubdomain {
namespace {

constexpr Time kNow{std::chrono::hours(1)};

void TakeSteps(Matcher& matcher, std::vector<Step>* steps) {
  while (const auto step = matcher.Take()) steps->push_back(*step);
}

// Does what follows a restore.
void GoOn(Matcher& matcher, std::span<const uint8_t> reply) {
  if (!matcher.follows()) return;
  matcher.GoOn(kNow);
  if (!reply.empty()) matcher.Feed(reply.subspan(matcher.position()), kNow);
}

// What the plan wants transformed is, or stays as it is.
void Transforms(const Plan& plan, const std::vector<Step>& steps,
                std::span<const uint8_t> reply) {
  for (const Step& step : steps) {
    if (step.action != Action::kTransform) continue;
    const auto message = reply.subspan(step.begin, step.offset - step.begin);
    const Transformed made =
        Apply(*plan.handlers[step.handler].actions[step.place].transform,
              {reinterpret_cast<const char*>(message.data()), message.size()});
    Check(made.refusal == TransformRefusal::kNone || made.text.empty(),
          "what is refused is not changed");
    Check(made.text.size() <= kMaxTransform + kMaxHttpHead,
          "what a reply becomes is bounded");
  }
}

// A script says no more than it may.
void Speaks(const std::vector<Step>& steps) {
  size_t runs = 0;
  uint64_t at = UINT64_MAX;
  for (const Step& step : steps) {
    if (!step.scripted) continue;
    Check(
        step.text.size() <= (step.action == Action::kAlert ? kMaxScriptAlertText
                                                           : kMaxScriptMessage),
        "what a script says is bounded");
    if (step.offset != at) ++runs;
    at = step.offset;
  }
  // And the one that was not run any more.
  Check(runs <= kMaxScriptSteps / kScriptRunSteps + 1,
        "the runs of scripts are bounded");
}

void HandOver(Matcher* matcher, std::shared_ptr<const Plan> plan,
              bool datagrams) {
  Writer writer;
  matcher->Save(writer, kNow);
  Reader reader(writer.data());
  Matcher next(std::move(plan), {}, datagrams, kNow);
  Check(next.Load(reader, kNow) && reader.left() == 0,
        "what a matcher saves can be loaded");
  *matcher = std::move(next);
}

void Run(Input input) {
  const uint8_t bits = input.U8();
  const bool datagrams = (bits & 1) != 0;
  const Request request{.head = (bits & 2) != 0,
                        .connect = (bits & 4) != 0,
                        .awaits_continue = (bits & 8) != 0,
                        .young = (bits & 16) != 0};
  const auto text = input.Bytes(input.U16());
  const Compiled compiled =
      CompilePlan({reinterpret_cast<const char*>(text.data()), text.size()});
  Check((compiled.plan == nullptr) != compiled.error.empty(),
        "a plan is compiled, or there is an error");
  if (compiled.plan == nullptr) return;
  const bool fails = (bits & 128) != 0;
  const auto why = static_cast<IcmpWhy>(fails ? input.U8() % 5 : 0);
  const size_t wanted = fails ? input.U16() : 0;
  const auto reply = input.Rest();
  const size_t at = fails ? wanted % (reply.size() + 1) : 0;
  const auto error = [&](Matcher& matcher) {
    if (fails) matcher.OnError(why, kNow);
  };
  const auto end = [bits](Matcher& matcher) {
    if ((bits & 96) != 0) matcher.End((bits & 64) != 0, kNow);
  };

  Matcher whole(compiled.plan, request, datagrams, kNow);
  std::vector<Step> expected;
  whole.Feed(reply.first(at), kNow);
  GoOn(whole, reply.first(at));
  error(whole);
  GoOn(whole, reply.first(at));
  // A datagram may be empty; nothing of a stream is.
  if (!datagrams || !fails || at < reply.size()) {
    whole.Feed(reply.subspan(at), kNow);
  }
  GoOn(whole, reply);
  end(whole);
  GoOn(whole, reply);
  TakeSteps(whole, &expected);
  if (datagrams) return;
  Speaks(expected);
  Transforms(*compiled.plan, expected, reply);

  Matcher cut(compiled.plan, request, datagrams, kNow);
  std::vector<Step> steps;
  const auto go_on = [&] {
    TakeSteps(cut, &steps);
    if (cut.follows()) {
      HandOver(&cut, compiled.plan, datagrams);
      cut.GoOn(kNow);
      TakeSteps(cut, &steps);
    }
    if (!cut.over()) HandOver(&cut, compiled.plan, datagrams);
  };
  for (size_t i = 0; i <= reply.size(); ++i) {
    if (i == at) {
      error(cut);
      go_on();
    }
    if (i == reply.size() || cut.over()) break;
    cut.Feed(reply.subspan(i, 1), kNow);
    go_on();
    if (cut.over()) break;
  }
  end(cut);
  GoOn(cut, {});
  TakeSteps(cut, &steps);
  Check(steps == expected, "the verdict does not depend on the cuts");
}

}  // namespace
}  // namespace stubdomain

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  stubdomain::Run(stubdomain::Input({data, size}));
  return 0;
}
