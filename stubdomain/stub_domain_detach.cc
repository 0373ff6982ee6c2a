// The stub domain of one VM: connections without their socket.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stub_domain.h"
#include "wait/flow_names.h"

namespace stubdomain {
namespace {

sd_refusal ToC(DetachRefusal refusal) {
  switch (refusal) {
    case DetachRefusal::kNone:
      return SD_OK;
    case DetachRefusal::kUntracked:
      return SD_REFUSED_FLOW_UNTRACKED;
    case DetachRefusal::kNotEstablished:
      return SD_REFUSED_FLOW_NOT_ESTABLISHED;
    case DetachRefusal::kBusy:
      return SD_REFUSED_FLOW_BUSY;
    case DetachRefusal::kNotDetached:
      return SD_REFUSED_NOT_DETACHED;
  }
  return SD_REFUSED_NOT_DETACHED;
}

}  // namespace

sd_refusal StubDomain::Detach(const sd_flow_id& id, Time now) {
  now = Advance(now);
  const auto [refusal, flow] = FindFlow(flows_->table, id);
  if (refusal != SD_OK) return refusal;
  return ToC(flows_->table.Detach(*flow, now));
}

sd_refusal StubDomain::Parameters(const sd_flow_id& id,
                                  sd_flow_parameters* parameters) {
  const auto [refusal, flow] = FindFlow(flows_->table, id);
  if (refusal != SD_OK) return refusal;
  SocketParameters socket;
  if (const auto why = flow->Describe(&socket); why != DetachRefusal::kNone) {
    return ToC(why);
  }
  *parameters = {
      .flow = stubdomain::ToC(socket.id),
      .send_next = socket.send_next.value(),
      .receive_next = socket.receive_next.value(),
      .send_window = socket.send_window,
      .receive_window = socket.receive_window,
      .scaled = socket.send_shift.has_value(),
      .send_shift = socket.send_shift.value_or(0),
      .receive_shift = socket.receive_shift.value_or(0),
      .mss = socket.mss,
      .sack = socket.sack,
      .timestamps = socket.timestamps,
      .timestamp = socket.last.value,
      .timestamp_echo = socket.last.echo,
  };
  return SD_OK;
}

sd_refusal StubDomain::Reattach(const sd_flow_id& id, Time now) {
  now = Advance(now);
  const auto [refusal, flow] = FindFlow(flows_->table, id);
  if (refusal != SD_OK) return refusal;
  const auto why = flows_->table.Reattach(*flow, now);
  if (why == DetachRefusal::kNone) LetGo(now);
  return ToC(why);
}

sd_refusal StubDomain::ConnectGuest(const sd_flow_id& id, uint16_t guest_port,
                                    Time now) {
  now = Advance(now);
  const auto [refusal, flow] = FindFlow(flows_->table, id);
  if (refusal != SD_OK) return refusal;
  if (guest_port == 0 || !flows_->table.Free(*flow, guest_port)) {
    return SD_REFUSED_PORT_IN_USE;
  }
  const auto why = flows_->table.ConnectGuest(*flow, guest_port, now);
  if (why == DetachRefusal::kNone) LetGo(now);
  return ToC(why);
}

void StubDomain::LetGo(Time now) {
  if (cycle_.stopped()) return;
  flows_->table.Release(now, outbound_);
  if (gate_opens_ == kNever) flows_->table.Replay(now, outbound_);
}

}  // namespace stubdomain
