// For tests: a stub domain behind its C API, and what it did.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "trace/trace.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "wait/flow_names.h"

namespace stubdomain {
namespace {

constexpr uint64_t kMillisecond = 1'000'000;

std::string ReasonText(sd_reason reason) {
  static const char* const kTexts[] = {"reply", "timeout", "unmatched",
                                       "buffer", "host"};
  return kTexts[reason];
}

std::string OutcomeText(sd_outcome outcome) {
  static const char* const kTexts[] = {"replied", "closed", "reset",
                                       "timed-out", "cancelled"};
  return kTexts[outcome];
}

sd_side ToC(Side side) { return side == Side::kGuest ? SD_GUEST : SD_PEER; }

// " by late 2 @310", as in the plan's own tests; nothing if no handler did.
std::string ClaimText(const sd_claim& claim) {
  if (claim.handler[0] == '\0') return "";
  return std::string(" by ") + claim.handler + " " +
         std::to_string(claim.message) + " @" + std::to_string(claim.offset);
}

}  // namespace

Trace::Trace() : Trace(DefaultConfig()) {}

Trace::Trace(const sd_config& config) : config_(config) {
  const sd_callbacks callbacks = Callbacks();
  stub_ = sd_new(&config_, &callbacks, this);
}

Trace::~Trace() { sd_free(stub_); }

sd_config Trace::DefaultConfig() {
  sd_config config;
  sd_config_init(&config);
  config.suspend_delay_ms = 50;
  config.ready_timeout_ms = 500;
  config.keepalive_ms = 0;
  config.scripts = true;
  return config;
}

sd_callbacks Trace::Callbacks() {
  return {
      .send =
          [](void* self, unsigned port, sd_side to, const sd_frame* frame) {
            return static_cast<Trace*>(self)->OnSend(
                port, to == SD_GUEST ? Side::kGuest : Side::kPeer, *frame);
          },
      .suspend =
          [](void* self, bool evict) {
            static_cast<Trace*>(self)->Note(evict ? "suspend" : "idle");
          },
      .prepare =
          [](void* self, bool begins) {
            static_cast<Trace*>(self)->Note(begins ? "prepare" : "in vain");
          },
      .evict = [](void* self) { static_cast<Trace*>(self)->Note("evict"); },
      .restore =
          [](void* self, sd_reason reason) {
            static_cast<Trace*>(self)->Note("restore " + ReasonText(reason));
          },
      .waiting =
          [](void* self, const sd_stub_info* info) {
            static_cast<Trace*>(self)->Note("waiting " +
                                            std::to_string(info->stub));
          },
      .ended =
          [](void* self, const sd_ended* ended) {
            static_cast<Trace*>(self)->Note(
                "ended " + std::to_string(ended->stub) + " " +
                OutcomeText(ended->outcome) + " " +
                std::to_string(ended->bytes) + ClaimText(ended->claim) +
                (ended->answered ? " answered" : ""));
          },
      .alert =
          [](void* self, const sd_alert* alert) {
            auto* trace = static_cast<Trace*>(self);
            const char* problem = alert->problem;
            trace->Note(
                "alert " + std::to_string(alert->stub) +
                ClaimText(alert->claim) + (problem != nullptr ? ": " : "") +
                (problem != nullptr ? problem : "") +
                (alert->text != nullptr ? " says " + std::string(alert->text)
                                        : ""));
            trace->shown_ = {{alert->part, alert->part + alert->length},
                             alert->at};
          },
      .unmatched =
          [](void* self, const char* description) {
            static_cast<Trace*>(self)->Note(std::string("unmatched ") +
                                            description);
          },
      .suspend_cancelled =
          [](void* self, sd_reason reason) {
            static_cast<Trace*>(self)->Note("cancelled " + ReasonText(reason));
          },
  };
}

void Trace::Note(std::string line) {
  lines_.push_back(line);
  if (on_effect) on_effect(line);
}

Lines Trace::Take() { return std::exchange(lines_, {}); }

Lines Trace::TakeNotices() {
  Lines lines = Take();
  std::erase_if(lines, [](const std::string& line) {
    return line.starts_with("peer:") || line.starts_with("guest:");
  });
  return lines;
}

sd_info Trace::info() const {
  sd_info info;
  sd_get_info(stub_, &info);
  return info;
}

bool Trace::OnSend(unsigned port, Side to, const sd_frame& frame) {
  if (on_send && !on_send(port, to, frame)) return false;
  Packet packet;
  EXPECT_EQ(Parse({frame.data, frame.length}, frame.offload, &packet),
            Malformed::kNo);
  EXPECT_TRUE(ChecksumOk(packet));
  for (Talk* talk : talks_) {
    if (talk->port() != port || !talk->Concerns(to, packet)) continue;
    NoteSegment(*talk, to, *packet.tcp());
    talk->Receive(to, *packet.tcp());
    return true;
  }
  const std::string nic = port == 0 ? "" : " on " + std::to_string(port);
  Note((to == Side::kGuest ? "guest: " : "peer: ") +
       std::to_string(frame.length) + " bytes" + nic);
  return true;
}

void Trace::NoteSegment(const Talk& talk, Side to, const TcpSegment& segment) {
  const std::string name = " (" + std::to_string(talk.id().guest.port) + ")";
  const std::string who = to == Side::kGuest ? "guest: " : "peer: ";
  const uint32_t position = talk.Position(Other(to), segment.seq);
  if (segment.has(kSyn)) Note(who + "syn" + name);
  if (segment.has(kRst)) Note(who + "reset" + name);
  if (!segment.payload.empty()) {
    Note(who + "data " + std::to_string(position) + "+" +
         std::to_string(segment.payload.size()) + name);
    for (size_t i = 0; i < segment.payload.size(); ++i) {
      ASSERT_EQ(segment.payload[i],
                talk.Byte(Other(to), position + static_cast<uint32_t>(i)));
    }
  }
  if (segment.has(kFin)) Note(who + "fin" + name);
  if (segment.length() == 0 && !segment.has(kRst) && to == Side::kPeer) {
    Note(who + "ack " + std::to_string(talk.Position(to, segment.ack)) + name);
  }
}

void Trace::After() {
  if (dispatches_ && !dispatching_) Dispatch();
}

void Trace::Dispatch() {
  const auto due = [this] {
    return sd_pending(stub_) || sd_next_deadline(stub_) <= now_;
  };
  dispatching_ = true;
  for (int i = 0; i < 1000 && due(); ++i) sd_dispatch(stub_, now_);
  EXPECT_FALSE(due());
  dispatching_ = false;
}

void Trace::Pass(uint64_t milliseconds) {
  const uint64_t end = now_ + milliseconds * kMillisecond;
  for (uint64_t next; (next = sd_next_deadline(stub_)) <= end;) {
    now_ = std::max(now_, next);
    dispatching_ = true;
    sd_dispatch(stub_, now_);
    dispatching_ = false;
    Dispatch();
  }
  now_ = end;
}

void Trace::Know(Talk* talk) { talks_.push_back(talk); }

void Trace::Connect(Talk* talk) {
  Know(talk);
  EXPECT_EQ(Send(*talk, Side::kGuest, talk->Syn(Side::kGuest)), SD_PASS);
  EXPECT_EQ(Send(*talk, Side::kPeer, talk->SynAck(Side::kPeer)), SD_PASS);
  EXPECT_EQ(Send(*talk, Side::kGuest, talk->Ack(Side::kGuest)), SD_PASS);
}

sd_verdict Trace::Send(unsigned port, Side from, const Frame& frame) {
  const sd_frame view{frame.bytes.data(), frame.bytes.size(), frame.offload};
  const sd_verdict verdict = sd_on_frame(stub_, port, ToC(from), &view, now_);
  After();
  return verdict;
}

sd_verdict Trace::Send(Talk& talk, Side from, const Frame& frame) {
  const sd_verdict verdict = Send(talk.port(), from, frame);
  Packet packet;
  Parse(frame.bytes, frame.offload, &packet);
  if (verdict == SD_PASS) talk.Receive(Other(from), *packet.tcp());
  return verdict;
}

bool Trace::PassHead(unsigned port, const Frame& frame, size_t head) {
  const sd_frame view{frame.bytes.data(), frame.bytes.size(), frame.offload};
  const bool passes = sd_pass_head(stub_, port, &view, head, now_);
  After();
  return passes;
}

void Trace::Request(Talk& talk, uint32_t length) {
  EXPECT_EQ(Send(talk, Side::kGuest, talk.Data(Side::kGuest, length)), SD_PASS);
  EXPECT_EQ(Send(talk, Side::kPeer, talk.Ack(Side::kPeer)), SD_PASS);
}

sd_verdict Trace::PeerSends(Talk& talk, uint32_t length) {
  return Send(talk, Side::kPeer, talk.Data(Side::kPeer, length));
}

void Trace::GuestAcks(Talk& talk) {
  Send(talk, Side::kGuest, talk.Ack(Side::kGuest));
}

void Trace::Stopped() {
  sd_on_stopped(stub_, now_);
  After();
}

void Trace::Suspended() {
  sd_on_suspended(stub_, now_);
  After();
}

void Trace::SuspendFailed() {
  sd_on_suspend_failed(stub_, now_);
  After();
}

void Trace::Running() {
  sd_on_running(stub_, now_);
  After();
}

void Trace::Reset() {
  sd_on_reset(stub_, now_);
  After();
}

void Trace::SuspendNow() {
  Pass(config_.suspend_delay_ms);
  Stopped();
  Suspended();
}

sd_wait Trace::WaitOn(const Talk& talk) {
  return {
      .owner = SD_OWNER_GUEST,
      .flow = stubdomain::ToC(talk.id()),
      .has_received = true,
      .received = talk.received(Side::kGuest),
      .timeout_ms = 0,
      .bytes = 1,
      .suspend = true,
  };
}

sd_refusal Trace::Wait(const sd_wait& wait, uint32_t* number) {
  uint32_t unused = 0;
  const sd_refusal refusal =
      sd_wait_for(stub_, &wait, now_, number != nullptr ? number : &unused);
  After();
  return refusal;
}

sd_refusal Trace::WaitWithPlan(std::string_view plan, sd_wait wait) {
  char error[200];
  const std::unique_ptr<sd_plan, decltype(&sd_plan_free)> compiled(
      sd_plan_new(plan.data(), plan.size(), true, error, sizeof(error)),
      &sd_plan_free);
  EXPECT_NE(compiled, nullptr) << error;
  wait.plan = compiled.get();
  return Wait(wait);
}

void Trace::Agent(bool present, bool prepares) {
  sd_agent(stub_, present, prepares);
  After();
}

void Trace::Prepared() {
  sd_prepared(stub_, now_);
  After();
}

void Trace::Ready() {
  sd_ready(stub_, now_);
  After();
}

sd_refusal Trace::Suspend(sd_depth depth) {
  const sd_refusal refusal = sd_suspend(stub_, depth, now_);
  After();
  return refusal;
}

sd_refusal Trace::Restore() {
  const sd_refusal refusal = sd_restore(stub_, now_);
  After();
  return refusal;
}

sd_refusal Trace::Cancel(sd_owner owner, uint32_t number) {
  const sd_refusal refusal = sd_cancel(stub_, owner, number, now_);
  After();
  return refusal;
}

std::vector<uint8_t> Trace::Save() const {
  std::vector<uint8_t> state(sd_save(stub_, now_, nullptr, 0));
  EXPECT_EQ(sd_save(stub_, now_, state.data(), state.size()), state.size());
  return state;
}

void Trace::HandOver() {
  const std::vector<uint8_t> state = Save();
  sd_free(stub_);
  const sd_callbacks callbacks = Callbacks();
  stub_ = sd_new(&config_, &callbacks, this);
  now_ += 77'000'000'123;
  EXPECT_EQ(sd_load(stub_, now_, state.data(), state.size()), SD_OK);
  After();
}

}  // namespace stubdomain
