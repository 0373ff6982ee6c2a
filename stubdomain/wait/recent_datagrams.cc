// The guest's last datagram to each peer.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/recent_datagrams.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "wire/saved_offload.h"

namespace stubdomain {

void RecentDatagrams::Note(unsigned port, const Packet& packet) {
  const auto& datagram = std::get<UdpDatagram>(packet.body);
  const FlowId id = {
      .guest = {packet.ip->source, datagram.source_port},
      .peer = {packet.ip->destination, datagram.destination_port}};
  const auto known = std::ranges::find_if(sent_, [&](const Sent& sent) {
    return sent.port == port && sent.id == id;
  });
  if (packet.frame.size() > kMaxRecentFrame) {
    // The one before is not what was sent last.
    if (known != sent_.end()) sent_.erase(known);
    return;
  }
  if (known != sent_.end()) {
    sent_.splice(sent_.begin(), sent_, known);
  } else {
    if (sent_.size() >= kMaxRecentDatagrams) sent_.pop_back();
    sent_.push_front({.port = port, .id = id, .frame = {}});
  }
  Frame& frame = sent_.front().frame;
  frame.bytes.assign(packet.frame.begin(), packet.frame.end());
  frame.offload = packet.offload;
}

const RecentDatagrams::Sent* RecentDatagrams::Find(
    const std::function<bool(unsigned, const FlowId&)>& wanted) const {
  const auto at = std::ranges::find_if(
      sent_, [&](const Sent& sent) { return wanted(sent.port, sent.id); });
  return at == sent_.end() ? nullptr : &*at;
}

void RecentDatagrams::Save(
    Writer& writer,
    const std::function<bool(unsigned, const FlowId&)>& wanted) const {
  std::vector<const Sent*> saved;
  for (const Sent& sent : sent_) {
    if (wanted(sent.port, sent.id)) saved.push_back(&sent);
  }
  writer.U32(static_cast<uint32_t>(saved.size()));
  for (const Sent* sent : saved) {
    writer.U32(sent->port);
    SaveOffload(sent->frame.offload, writer);
    writer.Bytes(sent->frame.bytes);
  }
}

bool RecentDatagrams::Load(Reader& reader) {
  Clear();
  const uint32_t count = reader.U32();
  if (count > kMaxRecentDatagrams) return reader.Fail();
  RecentDatagrams loaded;
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    const unsigned port = reader.GetNic();
    const Offload offload = LoadOffload(reader);
    const std::span<const uint8_t> bytes = reader.Bytes();
    Packet packet;
    if (bytes.size() > kMaxRecentFrame ||
        Parse(bytes, offload, &packet) != Malformed::kNo ||
        !std::holds_alternative<UdpDatagram>(packet.body)) {
      return reader.Fail();
    }
    loaded.Note(port, packet);
  }
  // The last that was noted is the first.
  loaded.sent_.reverse();
  sent_ = std::move(loaded.sent_);
  return reader.ok();
}

}  // namespace stubdomain
