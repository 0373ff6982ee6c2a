// One awaited reply.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/listener_stub.h"

#include <algorithm>

#include "state/saved_time.h"
#include "wait/flow_names.h"

namespace stubdomain {
namespace {

// Where the reply begins in the peer's stream. Bytes that the guest was sent
// but does not have yet are of the reply: it is on its way in.
uint64_t ReplyBegin(const sd_wait& wait, const TcpFlow& flow) {
  const uint64_t sent = flow.peer_bytes();
  if (!wait.has_received) return std::min(sent, flow.guest_acked_bytes());
  // Only the low 32 bits of the guest's count are known to agree with ours. A
  // count beyond what was sent includes the peer's FIN.
  const uint32_t unread =
      static_cast<uint32_t>(sent) - static_cast<uint32_t>(wait.received);
  if (unread > INT32_MAX) return sent;
  return sent - std::min<uint64_t>(sent, unread);
}

uint64_t MillisecondsLeft(Time time, Time now) {
  if (time == kNever) return SD_NEVER;
  if (time <= now) return 0;
  return static_cast<uint64_t>(
      std::chrono::ceil<std::chrono::milliseconds>(time - now).count());
}

}  // namespace

ListenerStub::ListenerStub(uint32_t number, const sd_wait& wait,
                           const TcpFlow& flow, Time now)
    : number_(number),
      owner_(wait.owner),
      port_(flow.port()),
      flow_id_(flow.id()),
      before_(ReplyBegin(wait, flow)),
      handler_(wait.bytes) {
  if (wait.timeout_ms != 0) {
    timeout_ = now + std::chrono::milliseconds(wait.timeout_ms);
  }
}

uint64_t ListenerStub::ReplyBytes(const TcpFlow& flow) const {
  return flow.peer_bytes() - std::min(flow.peer_bytes(), before_);
}

std::optional<Ending> ListenerStub::Judge(const TcpFlow* flow,
                                          bool guest_stopped) const {
  ReplyProgress progress{.reset = true};
  if (flow != nullptr) {
    progress = {
        .bytes = ReplyBytes(*flow),
        .closed = flow->peer_closed(),
        .reset = flow->peer_reset() || !flow->answered(),
        .buffer_full = guest_stopped && flow->full(),
    };
  }
  switch (handler_.Decide(progress)) {
    case Decision::kWait:
      break;
    case Decision::kReplied:
      return Ending{SD_REPLIED, SD_REASON_REPLY, progress.bytes};
    case Decision::kBufferFull:
      return Ending{SD_REPLIED, SD_REASON_BUFFER, progress.bytes};
    case Decision::kClosed:
      return Ending{SD_CLOSED, SD_REASON_REPLY, progress.bytes};
    case Decision::kReset:
      return Ending{SD_RESET, SD_REASON_REPLY, progress.bytes};
  }
  return std::nullopt;
}

sd_stub_info ListenerStub::Info(const TcpFlow* flow, Time now) const {
  return {
      .stub = number_,
      .owner = owner_,
      .flow = ToC(flow_id_),
      .bytes = flow != nullptr ? ReplyBytes(*flow) : 0,
      .wanted = handler_.bytes(),
      .timeout_left_ms = MillisecondsLeft(timeout_, now),
  };
}

void ListenerStub::Save(Writer& writer, Time now) const {
  writer.U32(number_);
  writer.U8(static_cast<uint8_t>(owner_));
  writer.U32(port_);
  writer.Put(flow_id_);
  writer.U64(before_);
  writer.U64(handler_.bytes());
  SaveTime(timeout_, now, writer);
  SaveTime(proposal_, now, writer);
}

ListenerStub ListenerStub::Load(Reader& reader, Time now) {
  ListenerStub stub{DefaultHandler(0)};
  stub.number_ = reader.U32();
  const uint8_t owner = reader.U8();
  if (owner > SD_OWNER_HOST || stub.number_ == 0) reader.Fail();
  stub.owner_ = owner == SD_OWNER_HOST ? SD_OWNER_HOST : SD_OWNER_GUEST;
  stub.port_ = reader.U32();
  stub.flow_id_ = reader.GetFlowId();
  stub.before_ = reader.U64();
  stub.handler_ = DefaultHandler(reader.U64());
  stub.timeout_ = LoadTime(reader, now);
  stub.proposal_ = LoadTime(reader, now);
  return stub;
}

}  // namespace stubdomain
