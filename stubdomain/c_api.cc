// The C API: translates types, and lets no exception out.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <cstdio>
#include <span>
#include <utility>

#include "plan/sd_plan.h"
#include "stub_domain.h"
#include "stubdomain/stubdomain.h"

struct sd_stub {
  stubdomain::StubDomain domain;
};

namespace stubdomain {
namespace {

// The core itself throws nothing: what comes here is std::bad_alloc, and ends
// the process.
template <class Call>
auto Guard(Call call) noexcept {
  return call();
}

Side SideOf(sd_side side) {
  return side == SD_GUEST ? Side::kGuest : Side::kPeer;
}

constexpr sd_config kDefaults = {
    .max_flows = 4096,
    .max_stubs = 1024,
    .max_threads = 1024,
    .max_accepted = 128,
    .flow_buffer = uint64_t{64} << 20,
    .total_buffer = uint64_t{256} << 20,
    .max_ranges = 64,
    .resend_buffer = uint64_t{1} << 20,
    .total_resend_buffer = uint64_t{16} << 20,
    .suspend_delay_ms = 100,
    .ready_timeout_ms = 1000,
    .prepare_timeout_ms = 1000,
    // NATs forget a connection after 60 s at the earliest that is common.
    .keepalive_ms = 45000,
    .unmatched = SD_UNMATCHED_RESTORE,
    .policy = {.pause_share = 100,
               .wake_replies = 1,
               .wake_importance = 1,
               .depth = SD_DEPTH_EVICT},
};

const char *RefusalText(sd_refusal refusal) {
  switch (refusal) {
    case SD_OK:
      return "not refused";
    case SD_REFUSED_UNKNOWN_FLOW:
      return "no such connection is followed";
    case SD_REFUSED_AMBIGUOUS_FLOW:
      return "several connections match";
    case SD_REFUSED_FLOW_NOT_ESTABLISHED:
      return "the connection is not established";
    case SD_REFUSED_FLOW_UNTRACKED:
      return "the connection cannot be taken over: it was not seen from its "
             "start";
    case SD_REFUSED_FLOW_MULTIPATH:
      return "the connection cannot be taken over: it uses multipath TCP";
    case SD_REFUSED_FLOW_AUTHENTICATED:
      return "the connection cannot be taken over: it is signed (TCP-MD5 or "
             "TCP-AO)";
    case SD_REFUSED_TOO_MANY_THREADS:
      return "there are too many registered threads";
    case SD_REFUSED_UNKNOWN_THREAD:
      return "there is no such registered thread";
    case SD_REFUSED_THREAD_NAME:
    case SD_REFUSED_APPLICATION_NAME:
      return "the name is longer than 64 bytes";
    case SD_REFUSED_CLASS_NAME:
      return "the name is longer than 32 bytes";
    case SD_REFUSED_TOO_MANY_INHIBITS:
      return "suspends are inhibited too often already";
    case SD_REFUSED_NOT_INHIBITED:
      return "suspends are not inhibited by whoever asks";
    case SD_REFUSED_BUFFER:
      return "is for the reply on a TCP connection that says what it has "
             "received, and has 1 to 64 pages";
    case SD_REFUSED_TOO_MANY_STUBS:
      return "there are too many listener stubs";
    case SD_REFUSED_UNKNOWN_STUB:
      return "there is no such listener stub";
    case SD_REFUSED_NOT_RUNNING:
      return "the VM neither runs nor idles";
    case SD_REFUSED_NOT_SUSPENDED:
      return "the VM is neither suspending nor suspended";
    case SD_REFUSED_BAD_WAIT:
      return "the wait names no port, or contradicts itself";
    case SD_REFUSED_FLOW_BUSY:
      return "the peer has not acknowledged yet what the guest has sent";
    case SD_REFUSED_NOT_DETACHED:
      return "the connection still has its socket in the guest";
    case SD_REFUSED_PORT_IN_USE:
      return "the guest has another connection to that peer on that port";
    case SD_REFUSED_NO_SEED:
      return "the stub domain has no random seed to answer connections with";
    case SD_REFUSED_BAD_STATE:
      return "the saved stub domain is malformed";
    case SD_REFUSED_BAD_VERSION:
      return "the saved stub domain is of another version";
    case SD_REFUSED_PLANS_TOO_LARGE:
      return "the plans of all waits take too much memory together";
    case SD_REFUSED_PLAN_FORMAT:
      return "plan.format: http and tls are not for datagrams";
    case SD_REFUSED_PLAN_ANSWER:
      return "plan: a datagram cannot be http, nor have more than 1400 bytes";
    case SD_REFUSED_PLAN_RETRIES:
      return "plan.retries.repeatable: must be true for a connection, whose "
             "peer has the request already";
    case SD_REFUSED_PLAN_AFTER:
      return "plan: nothing can follow restore, for a datagram";
    case SD_REFUSED_PLAN_SCRIPT:
      return "a saved plan has a script, and this host allows none (scripts)";
  }
  return "refused";
}

}  // namespace
}  // namespace stubdomain

using stubdomain::Guard;
using stubdomain::SideOf;
using stubdomain::TimeFromNs;

const char *sd_refusal_text(enum sd_refusal refusal) {
  return stubdomain::RefusalText(refusal);
}

void sd_config_init(struct sd_config *config) {
  *config = stubdomain::kDefaults;
}

sd_plan *sd_plan_new(const char *json, size_t length, bool scripts, char *error,
                     size_t size) {
  return Guard([&]() -> sd_plan * {
    stubdomain::Compiled compiled = stubdomain::CompilePlan({json, length});
    if (compiled.plan != nullptr) {
      const std::string &script = compiled.plan->script;
      if (scripts || script.empty()) {
        return new sd_plan{std::move(compiled.plan)};
      }
      compiled.error = script + ": this host allows no scripts (scripts)";
    }
    std::snprintf(error, size, "%s", compiled.error.c_str());
    return nullptr;
  });
}

void sd_plan_free(sd_plan *plan) {
  Guard([&] { delete plan; });
}

sd_stub *sd_new(const struct sd_config *config,
                const struct sd_callbacks *callbacks, void *opaque) {
  return Guard([&] {
    return new sd_stub{stubdomain::StubDomain(*config, *callbacks, opaque)};
  });
}

void sd_free(sd_stub *stub) {
  Guard([&] { delete stub; });
}

void sd_seed(sd_stub *stub, const uint8_t seed[SD_SEED_LENGTH]) {
  Guard([&] {
    stub->domain.Seed(
        std::span<const uint8_t, SD_SEED_LENGTH>(seed, SD_SEED_LENGTH));
  });
}

void sd_set_config(sd_stub *stub, const struct sd_config *config) {
  Guard([&] { stub->domain.SetConfig(*config); });
}

bool sd_pending(const sd_stub *stub) {
  return Guard([&] { return stub->domain.pending(); });
}

void sd_dispatch(sd_stub *stub, uint64_t now) {
  Guard([&] { stub->domain.Dispatch(TimeFromNs(now)); });
}

uint64_t sd_next_deadline(const sd_stub *stub) {
  return Guard([&] { return stubdomain::ToNs(stub->domain.NextDeadline()); });
}

enum sd_verdict sd_on_frame(sd_stub *stub, unsigned port, enum sd_side from,
                            const struct sd_frame *frame, uint64_t now) {
  return Guard([&] {
    const stubdomain::Verdict verdict =
        stub->domain.OnFrame(port, SideOf(from), {frame->data, frame->length},
                             frame->offload, TimeFromNs(now));
    return verdict == stubdomain::Verdict::kPass ? SD_PASS : SD_TAKEN;
  });
}

bool sd_pass_head(sd_stub *stub, unsigned port, const struct sd_frame *frame,
                  size_t head, uint64_t now) {
  return Guard([&] {
    return stub->domain.PassHead(port, {frame->data, frame->length}, head,
                                 frame->offload, TimeFromNs(now));
  });
}

void sd_on_writable(sd_stub *stub, unsigned port, enum sd_side side) {
  Guard([&] { stub->domain.OnWritable(port, SideOf(side)); });
}

bool sd_can_take(const sd_stub *stub, unsigned port, enum sd_side from) {
  return Guard([&] { return stub->domain.CanTake(port, SideOf(from)); });
}

void sd_on_stopped(sd_stub *stub, uint64_t now) {
  Guard([&] { stub->domain.OnStopped(TimeFromNs(now)); });
}

void sd_on_suspended(sd_stub *stub, uint64_t now) {
  Guard([&] { stub->domain.OnSuspended(TimeFromNs(now)); });
}

void sd_on_suspend_failed(sd_stub *stub, uint64_t now) {
  Guard([&] { stub->domain.OnSuspendFailed(TimeFromNs(now)); });
}

uint32_t sd_next_buffer(const sd_stub *stub, uint32_t after,
                        struct sd_buffer *buffer) {
  return Guard([&] { return stub->domain.NextBuffer(after, buffer); });
}

size_t sd_take_reply(sd_stub *stub, uint32_t number, uint8_t *bytes, size_t max,
                     uint64_t now) {
  return Guard([&] {
    return stub->domain.TakeReply(number, {bytes, max}, TimeFromNs(now));
  });
}

void sd_on_running(sd_stub *stub, uint64_t now) {
  Guard([&] { stub->domain.OnRunning(TimeFromNs(now)); });
}

void sd_on_reset(sd_stub *stub, uint64_t now) {
  Guard([&] { stub->domain.OnReset(TimeFromNs(now)); });
}

enum sd_refusal sd_wait_for(sd_stub *stub, const struct sd_wait *wait,
                            uint64_t now, uint32_t *number) {
  return Guard(
      [&] { return stub->domain.WaitFor(*wait, TimeFromNs(now), number); });
}

enum sd_refusal sd_cancel(sd_stub *stub, enum sd_owner owner, uint32_t number,
                          uint64_t now) {
  return Guard(
      [&] { return stub->domain.Cancel(owner, number, TimeFromNs(now)); });
}

void sd_vcpus_idle(sd_stub *stub, bool idle, uint64_t now) {
  Guard([&] { stub->domain.SetVcpusIdle(idle, TimeFromNs(now)); });
}

enum sd_refusal sd_suspend(sd_stub *stub, enum sd_depth depth, uint64_t now) {
  return Guard([&] { return stub->domain.Suspend(depth, TimeFromNs(now)); });
}

enum sd_refusal sd_restore(sd_stub *stub, uint64_t now) {
  return Guard([&] { return stub->domain.Restore(TimeFromNs(now)); });
}

void sd_agent(sd_stub *stub, bool present, bool prepares) {
  Guard([&] { stub->domain.SetAgent(present, prepares); });
}

void sd_prepared(sd_stub *stub, uint64_t now) {
  Guard([&] { stub->domain.OnPrepared(TimeFromNs(now)); });
}

void sd_ready(sd_stub *stub, uint64_t now) {
  Guard([&] { stub->domain.OnReady(TimeFromNs(now)); });
}

enum sd_refusal sd_register_thread(sd_stub *stub, const char *name,
                                   uint64_t now, uint32_t *thread) {
  return Guard([&] {
    return stub->domain.RegisterThread(name, TimeFromNs(now), thread);
  });
}

enum sd_refusal sd_leave_thread(sd_stub *stub, uint32_t thread, uint64_t now) {
  return Guard(
      [&] { return stub->domain.LeaveThread(thread, TimeFromNs(now)); });
}

size_t sd_get_threads(const sd_stub *stub, struct sd_thread_info *threads,
                      size_t max) {
  return Guard([&] {
    const auto all = stub->domain.Threads();
    std::copy_n(all.begin(), std::min(max, all.size()), threads);
    return all.size();
  });
}

enum sd_refusal sd_inhibit(sd_stub *stub, enum sd_owner owner, uint64_t now) {
  return Guard([&] { return stub->domain.Inhibit(owner, TimeFromNs(now)); });
}

enum sd_refusal sd_allow(sd_stub *stub, enum sd_owner owner, uint64_t now) {
  return Guard([&] { return stub->domain.Allow(owner, TimeFromNs(now)); });
}

size_t sd_get_decisions(const sd_stub *stub, uint64_t now,
                        struct sd_decision *decisions, size_t max) {
  return Guard([&] {
    const auto all = stub->domain.Decisions(TimeFromNs(now));
    std::copy_n(all.begin(), std::min(max, all.size()), decisions);
    return all.size();
  });
}

enum sd_refusal sd_detach(sd_stub *stub, const struct sd_flow_id *flow,
                          uint64_t now) {
  return Guard([&] { return stub->domain.Detach(*flow, TimeFromNs(now)); });
}

enum sd_refusal sd_get_flow_parameters(sd_stub *stub,
                                       const struct sd_flow_id *flow,
                                       struct sd_flow_parameters *parameters) {
  return Guard([&] { return stub->domain.Parameters(*flow, parameters); });
}

enum sd_refusal sd_reattach(sd_stub *stub, const struct sd_flow_id *flow,
                            uint64_t now) {
  return Guard([&] { return stub->domain.Reattach(*flow, TimeFromNs(now)); });
}

enum sd_refusal sd_connect_guest(sd_stub *stub, const struct sd_flow_id *flow,
                                 uint16_t guest_port, uint64_t now) {
  return Guard([&] {
    return stub->domain.ConnectGuest(*flow, guest_port, TimeFromNs(now));
  });
}

void sd_set_costs(sd_stub *stub, const struct sd_costs *costs, uint64_t now) {
  Guard([&] { stub->domain.SetCosts(*costs, TimeFromNs(now)); });
}

void sd_set_pressure(sd_stub *stub, const struct sd_pressure *pressure,
                     uint64_t now) {
  Guard([&] { stub->domain.SetPressure(*pressure, TimeFromNs(now)); });
}

void sd_get_info(const sd_stub *stub, struct sd_info *info) {
  Guard([&] { *info = stub->domain.Info(); });
}

void sd_get_given_back(const sd_stub *stub, uint64_t now,
                       struct sd_given_back *given_back) {
  Guard([&] { *given_back = stub->domain.GivenBack(TimeFromNs(now)); });
}

size_t sd_get_stubs(const sd_stub *stub, uint64_t now,
                    struct sd_stub_info *stubs, size_t max) {
  return Guard([&] {
    const auto all = stub->domain.Stubs(TimeFromNs(now));
    std::copy_n(all.begin(), std::min(max, all.size()), stubs);
    return all.size();
  });
}

size_t sd_save(const sd_stub *stub, uint64_t now, uint8_t *data, size_t max) {
  return Guard([&] {
    const auto state = stub->domain.Save(TimeFromNs(now));
    if (state.size() <= max) std::ranges::copy(state, data);
    return state.size();
  });
}

enum sd_refusal sd_load(sd_stub *stub, uint64_t now, const uint8_t *data,
                        size_t length) {
  return Guard([&] {
    return stub->domain.Load({data, length}, TimeFromNs(now));
  });
}
