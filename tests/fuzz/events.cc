// A guest, its peers and its VM, all of which do what the fuzzer says.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "events.h"

#include <algorithm>
#include <utility>

namespace stubdomain {
namespace {

constexpr MacAddress kGuestMac{{0x52, 0x54, 0, 0, 0, 1}};
constexpr MacAddress kPeerMac{{0x52, 0x55, 0, 0, 0, 2}};
constexpr uint16_t kMaxPayload = 3000;
constexpr uint16_t kMaxGsoPayload = 40000;
constexpr size_t kMaxEvents = 500;

sd_address ToC(const Endpoint& endpoint) {
  sd_address address{};
  const auto bytes = endpoint.address.bytes();
  std::copy(bytes.begin(), bytes.end(), address.bytes);
  address.family = static_cast<uint8_t>(endpoint.address.family());
  address.port = endpoint.port;
  return address;
}

sd_depth DepthOf(Input& input) {
  return static_cast<sd_depth>(input.Below(SD_DEPTH_AUTO + 1));
}

}  // namespace

FlowId Events::IdOf(unsigned talk) {
  const auto port = static_cast<uint16_t>(40000 + talk);
  if (talk % 2 == 0) {
    return {{Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, 15}), port},
            {Address::Ipv4(std::array<uint8_t, 4>{192, 0, 2, 1}), 80}};
  }
  return {{Address::Ipv6(std::array<uint8_t, 16>{0xfd, 15}), port},
          {Address::Ipv6(std::array<uint8_t, 16>{0xfd, 1}), 80}};
}

void Events::Connect(unsigned talk) {
  TcpOptions options;
  options.mss = 1460;
  options.window_shift = static_cast<uint8_t>(talk % 3);
  options.sack_permitted = talk % 4 < 2;
  if (talk < 4) options.timestamps = Timestamps{1, 0};
  Send(talk, Side::kGuest, {.flags = kSyn, .window = 65535, .options = options},
       0, 0);
  Send(talk, Side::kPeer,
       {.flags = kSyn | kAck, .window = 65535, .options = options}, 0, 0);
  options = {.timestamps = options.timestamps};
  Send(talk, Side::kGuest, {.flags = kAck, .window = 8000, .options = options},
       0, 0);
}

// `fields` come with numbers relative to what the ends have sent.
void Events::Send(unsigned talk, Side from, TcpFields fields, size_t length,
                  uint16_t gso_size) {
  Talk& state = talks_[talk];
  const auto me = static_cast<size_t>(from);
  const Seq next = state.next[me];
  fields.seq = next + static_cast<uint32_t>(fields.seq - Seq(0));
  if ((fields.flags & kAck) != 0) {
    fields.ack =
        state.next[1 - me] + static_cast<uint32_t>(fields.ack - Seq(0));
  }
  if (fields.options.timestamps) {
    fields.options.timestamps->value += state.clock[me];
    fields.options.timestamps->echo += state.clock[1 - me];
  }
  for (uint8_t i = 0; i < fields.options.sack.count; ++i) {
    SeqRange& block = fields.options.sack.blocks[i];
    block.begin =
        state.next[1 - me] + static_cast<uint32_t>(block.begin - Seq(0));
    block.end = state.next[1 - me] + static_cast<uint32_t>(block.end - Seq(0));
  }
  const FlowId id = IdOf(talk);
  const Route route = from == Side::kGuest
                          ? Route{{kPeerMac, kGuestMac, {}}, id.guest, id.peer}
                          : Route{{kGuestMac, kPeerMac, {}}, id.peer, id.guest};
  TcpFrame frame(route, fields, length);
  const auto payload = frame.payload();
  for (size_t i = 0; i < payload.size(); ++i) {
    payload[i] = static_cast<uint8_t>(i);
  }
  const Frame done = gso_size > 0 && length > gso_size
                         ? std::move(frame).FinishGso(gso_size)
                         : std::move(frame).Finish();
  // A stopped guest has not sent it.
  if (from == Side::kGuest && glue_->stopped()) return;
  const Seq end = fields.seq + static_cast<uint32_t>(length) +
                  ((fields.flags & (kSyn | kFin)) != 0 ? 1u : 0u);
  if (fields.seq == next) state.next[me] = end;
  glue_->Frame(talk % 3 == 2 ? 1 : 0, from == Side::kGuest ? SD_GUEST : SD_PEER,
               done.bytes, done.offload);
}

Seq Events::Near(Seq seq, Input& input) {
  switch (input.Below(8)) {
    case 0:
      return seq + static_cast<uint32_t>(static_cast<int8_t>(input.U8()));
    case 1:
      return seq + static_cast<uint32_t>(static_cast<int16_t>(input.U16()));
    case 2:
      return seq + input.U32();
    default:
      return seq;
  }
}

void Events::PlaySegment(Input& input) {
  const uint8_t talk = input.Below(kTalks);
  const Side from = input.Bool() ? Side::kPeer : Side::kGuest;
  TcpFields fields;
  fields.seq = Near(Seq(0), input);
  fields.ack = Near(Seq(0), input);
  // Mostly ordinary: an acknowledgement with or without data.
  fields.flags = input.Below(4) == 0 ? input.U8() : kAck;
  fields.window = input.Bool() ? input.U16() : 8000;
  size_t length = input.U16() % kMaxPayload;
  uint16_t gso_size = 0;
  const uint8_t more = input.U8();
  if ((more & 1) != 0) {
    fields.options.timestamps = Timestamps{input.U8(), 0};
    if ((more & 32) != 0) fields.options.timestamps->value -= input.U16();
  }
  if ((more & 2) != 0) {
    for (int i = input.Below(kMaxSackBlocks + 1); i > 0; --i) {
      const Seq begin = Near(Seq(0), input);
      fields.options.sack.Add({begin, begin + input.U16()});
    }
  }
  if ((more & 4) != 0) length = 0;
  if ((more & 8) != 0 && length > 0) {
    gso_size = static_cast<uint16_t>(200 + input.U8() * 5);
    length = input.U16() % kMaxGsoPayload;
  }
  if ((fields.flags & kSyn) != 0) {
    fields.options.mss = input.U16();
    if ((more & 16) != 0) {
      fields.options.window_shift = input.Below(kMaxWindowShift + 1);
    }
    fields.options.sack_permitted = (more & 64) != 0;
    fields.options.multipath = more == 0xff;
  }
  Send(talk, from, fields, length, gso_size);
}

void Events::PlayPolicy(Input& input) {
  switch (input.Below(8)) {
    case 7:
      return glue_->Prepared();
    case 0:
      return glue_->RegisterThread();
    case 1:
      return glue_->LeaveThread(input.Below(4));
    case 2:
      return glue_->Inhibit(input.Bool() ? SD_OWNER_HOST : SD_OWNER_GUEST);
    case 3:
      return glue_->Allow(input.Bool() ? SD_OWNER_HOST : SD_OWNER_GUEST);
    case 4:
      return glue_->VcpusIdle(input.Bool());
    case 5: {
      const sd_costs costs = {.suspend_us = input.U32(),
                              .wake_us = input.U16(),
                              .bytes_back = input.U32(),
                              .guest_bytes = input.U32()};
      return glue_->Costs(costs);
    }
    default: {
      const sd_policy policy = {.pause_threads = input.Below(4),
                                .pause_share = input.Below(101),
                                .wake_replies = input.Below(4),
                                .wake_share = input.Below(101),
                                .wake_importance = input.Below(7),
                                .min_interval_ms = input.U8(),
                                .budget = input.Below(4),
                                .threshold_ms = input.U8(),
                                .value = input.U8(),
                                .learned = input.Below(101),
                                .depth = DepthOf(input),
                                .evict_delay_ms = input.U16()};
      return glue_->Policy(policy);
    }
  }
}

void Events::PlayRequest(Input& input) {
  switch (input.Below(6)) {
    case 0:
    case 1: {
      const FlowId id = IdOf(input.Below(kTalks));
      sd_wait wait{};
      wait.owner = input.Bool() ? SD_OWNER_HOST : SD_OWNER_GUEST;
      wait.flow.peer = ToC(id.peer);
      wait.flow.guest = ToC(id.guest);
      wait.has_received = input.Bool();
      wait.received = input.U16();
      wait.timeout_ms = input.Bool() ? input.U16() : 0;
      wait.bytes = std::max<uint64_t>(input.U16(), 1);
      wait.suspend = input.Below(4) != 0;
      wait.thread = input.Below(4) == 0 ? input.Below(4) : 0;
      wait.importance = input.Below(SD_MAX_IMPORTANCE + 1);
      wait.elapsed_ms = input.U8();
      wait.expected_ms = input.U8();
      wait.has_depth = input.Bool();
      wait.depth = DepthOf(input);
      wait.has_evict_delay = input.Bool();
      wait.evict_delay_ms = input.U8();
      if (input.Below(3) == 0) {
        wait.protocol = input.Bool() ? SD_UDP : SD_TCP;
        wait.accept = static_cast<sd_accept>(input.Below(3));
        wait.guest_port = input.Bool() ? 0 : id.guest.port;
        if (input.Bool()) wait.flow.peer = {};
        if (input.Bool()) wait.flow.guest.family = 0;
        if (input.Bool()) wait.bytes = 0;
      }
      return glue_->Wait(wait);
    }
    case 2:
      return glue_->Cancel(input.Bool() ? SD_OWNER_HOST : SD_OWNER_GUEST,
                           input.U8());
    case 3:
      return glue_->Suspend(DepthOf(input));
    case 4:
      return PlayPolicy(input);
    default:
      return glue_->Restore();
  }
}

void Events::PlayOne(Input& input) {
  switch (input.Below(24)) {
    case 0:
      return Connect(input.Below(kTalks));
    case 1:
      return glue_->Pass(input.U8());
    case 2:
      return glue_->Pass(input.U16());
    case 3:
    case 4:
      return PlayRequest(input);
    case 5:
      return glue_->Stopped();
    case 6:
      return glue_->Suspended();
    case 7:
      return glue_->SuspendFailed();
    case 8:
    case 9:
      return glue_->Running();
    case 10:
      return glue_->Ready();
    case 11:
      return glue_->Agent(input.Bool(), input.Bool());
    case 12:
      return glue_->Refuse(input.Bool());
    case 13:
      return glue_->HandOver();
    case 14:
      if (input.Below(8) == 0) glue_->Reset();
      return;
    case 15:
      // From a running VM straight to a suspended one.
      glue_->Suspend(SD_DEPTH_EVICT);
      glue_->Pass(SD_QUIET_MS);
      glue_->Stopped();
      return glue_->Suspended();
    default:
      return PlaySegment(input);
  }
}

void Events::Play(Input& input) {
  for (size_t i = 0; i < kMaxEvents && !input.empty(); ++i) PlayOne(input);
}

}  // namespace stubdomain
