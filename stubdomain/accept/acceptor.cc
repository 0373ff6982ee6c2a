// Answering handshakes in the guest's name.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "accept/acceptor.h"

#include <algorithm>

#include "state/saved_time.h"
#include "wire/tcp_frame.h"

namespace stubdomain {
namespace {

constexpr Duration kServedFor = 2 * kCookieLifetime;

}  // namespace

void Acceptor::Forget(Time now) {
  std::erase_if(served_,
                [now](const Served& served) { return served.until <= now; });
}

Acceptor::Served* Acceptor::Find(const Endpoint& guest) {
  const auto at = std::ranges::find_if(
      served_, [&](const Served& served) { return served.guest == guest; });
  return at == served_.end() ? nullptr : &*at;
}

bool Acceptor::Serves(const Endpoint& guest, Time now) {
  Forget(now);
  return Find(guest) != nullptr;
}

Acceptor::Served& Acceptor::Serve(const Endpoint& guest, uint16_t guest_port,
                                  Time now) {
  Forget(now);
  Served served{.guest = guest,
                .guest_port = guest_port,
                .mss = offer_.mss(guest.address.family()),
                .shift = offer_.shift()};
  if (const Served* before = Find(guest)) {
    served = *before;
    std::erase_if(served_,
                  [&](const Served& other) { return other.guest == guest; });
  } else if (served_.size() == kMaxServedPorts) {
    served_.erase(served_.begin());
  }
  served.until = now + kServedFor;
  served_.push_back(served);
  return served_.back();
}

Frame Acceptor::Answer(const FlowId& id, const Packet& syn, uint16_t guest_port,
                       uint16_t window, Time now) {
  const TcpSegment& segment = *syn.tcp();
  const Served& served = Serve(id.guest, guest_port, now);
  PeerOptions options{.mss = segment.options.mss.value_or(536),
                      .shift = segment.options.window_shift,
                      .sack = segment.options.sack_permitted};
  if (!served.shift) options.shift.reset();
  Link link = syn.link;
  std::swap(link.source, link.destination);
  TcpFields fields;
  fields.seq = MakeSynCookie(*key_, id, segment.seq, options, now);
  fields.ack = segment.seq + 1;
  fields.flags = kSyn | kAck;
  fields.window = window;
  fields.options.mss = served.mss;
  if (options.shift) fields.options.window_shift = served.shift;
  fields.options.sack_permitted = options.sack;
  return TcpFrame({link, id.guest, id.peer}, fields, 0).Finish();
}

std::optional<Acceptor::Accepted> Acceptor::Check(const FlowId& id,
                                                  const Packet& packet,
                                                  uint16_t window, Time now) {
  Forget(now);
  const TcpSegment& segment = *packet.tcp();
  const Served* served = Find(id.guest);
  if (served == nullptr || !key_ || !segment.has(kAck) || segment.has(kSyn) ||
      segment.has(kRst)) {
    return std::nullopt;
  }
  const Seq peer_isn = segment.seq - 1;
  const Seq guest_isn = segment.ack - 1;
  const auto options = CheckSynCookie(*key_, id, peer_isn, guest_isn, now);
  if (!options) return std::nullopt;
  return Accepted{
      .answered = {.to_guest = packet.link,
                   .peer_isn = peer_isn,
                   .guest_isn = guest_isn,
                   .window = window,
                   .peer_mss = options->mss,
                   .guest_mss = served->mss,
                   .peer_shift = options->shift,
                   .guest_shift = options->shift ? served->shift : std::nullopt,
                   .sack = options->sack},
      .guest_port = served->guest_port};
}

void Acceptor::Save(Writer& writer, Time now) const {
  writer.Bool(key_.has_value());
  if (key_) writer.Raw(*key_);
  offer_.Save(writer);
  writer.U32(static_cast<uint32_t>(served_.size()));
  for (const Served& served : served_) {
    writer.Put(served.guest);
    writer.U16(served.guest_port);
    writer.U16(served.mss);
    writer.Bool(served.shift.has_value());
    writer.U8(served.shift.value_or(0));
    SaveTime(served.until, now, writer);
  }
}

bool Acceptor::Load(Reader& reader, Time now) {
  key_.reset();
  if (reader.Bool()) {
    const auto bytes = reader.Raw(SipKey{}.size());
    if (!reader.ok()) return false;
    key_.emplace();
    std::ranges::copy(bytes, key_->begin());
  }
  if (!offer_.Load(reader)) return false;
  served_.clear();
  const uint32_t count = reader.U32();
  if (count > kMaxServedPorts) return reader.Fail();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    Served served;
    served.guest = reader.GetEndpoint();
    served.guest_port = reader.U16();
    served.mss = reader.U16();
    const bool scaled = reader.Bool();
    const uint8_t shift = reader.U8();
    if (shift > kMaxWindowShift) return reader.Fail();
    if (scaled) served.shift = shift;
    served.until = LoadTime(reader, now);
    served_.push_back(served);
  }
  return reader.ok();
}

}  // namespace stubdomain
