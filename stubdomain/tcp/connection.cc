// What is known of a connection from watching it.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/connection.h"

#include <utility>

namespace stubdomain {
namespace {

// Small enough to be told from what lies ahead, large enough for whatever is
// still under way of what was acknowledged.
constexpr int32_t kMaxBehind = 1 << 20;
// A sender may go beyond the window as it is known here: by a byte to probe it
// (RFC 9293, 3.8.6.1), or by as much as the stub once allowed; and what a
// receiver makes of that is its own business.
constexpr int32_t kMaxBeyond = 1 << 20;
// Of a timestamp, from one segment to the next: a wrong one beyond it would
// make all later ones look old.
constexpr int32_t kMaxClockStep = 60000;
// The widest window there is, or the largest buffer.
constexpr int32_t kMaxAhead = 1 << 30;

constexpr uint8_t kSynFlags = kSyn | kAck | kEce | kCwr;

void NoteSyn(const TcpSegment& segment, Stream* stream) {
  const TcpOptions& options = segment.options;
  *stream = Stream{};
  stream->syn_seen = true;
  stream->timestamps = options.timestamps.has_value();
  stream->sack_permitted = options.sack_permitted;
  stream->scaled = options.window_shift.has_value();
  stream->multipath = options.multipath;
  stream->authenticated = options.authenticated;
  stream->window_shift = options.window_shift.value_or(0);
  stream->mss = std::max(options.mss.value_or(stream->mss), kMinMss);
  stream->syn_window = segment.window;
  stream->syn_flags = segment.flags & kSynFlags;
  stream->last = options.timestamps.value_or(Timestamps{});
  stream->isn = segment.seq;
  stream->next = segment.end();
  stream->edge = segment.end();
  stream->seen = segment.length();
}

bool Within(Seq seq, Seq from, int32_t below, int32_t above) {
  return seq - from >= -below && seq - from <= above;
}

}  // namespace

bool Connection::ecn() const {
  const auto agreed = [](const Stream& first, const Stream& second) {
    return first.syn_flags == (kSyn | kEce | kCwr) &&
           second.syn_flags == (kSyn | kAck | kEce);
  };
  return agreed(guest, peer) || agreed(peer, guest);
}

TcpFields Connection::SynOf(Side from) const {
  const Stream& stream = of(from);
  const Stream& other = of(Other(from));
  TcpFields fields;
  fields.seq = stream.isn;
  fields.flags = stream.syn_flags;
  fields.window = stream.syn_window;
  fields.options.mss = stream.mss;
  if (stream.scaled) fields.options.window_shift = stream.window_shift;
  fields.options.sack_permitted = stream.sack_permitted;
  if (stream.timestamps) fields.options.timestamps = stream.last;
  if ((fields.flags & kAck) != 0) fields.ack = other.SeqAt(1);
  return fields;
}

Route Connection::RouteTo(Side side) const {
  return side == Side::kGuest ? Route{to_guest, id.peer, id.guest}
                              : Route{to_peer, id.guest, id.peer};
}

bool Connection::Plausible(Side from, const TcpSegment& segment) const {
  const Stream& stream = of(from);
  return segment.seq - stream.acked_seq() >= -kMaxBehind &&
         segment.end() - stream.edge <= kMaxBeyond;
}

bool Connection::Plain(Side from, const TcpSegment& segment) const {
  const Stream& stream = of(from);
  const auto& timestamps = segment.options.timestamps;
  return segment.length() == segment.payload.size() &&
         !segment.payload.empty() && !segment.has(kRst) &&
         (segment.seq == stream.next || segment.end() <= stream.next) &&
         segment.ack <= of(Other(from)).acked_seq() &&
         (!timestamps ||
          static_cast<int32_t>(timestamps->value - stream.last.value) <
              kMaxClockStep);
}

void Connection::Observe(Side from, const Packet& packet,
                         const TcpSegment& segment) {
  Stream& stream = of(from);
  const Stream& other = of(Other(from));
  if (segment.has(kRst)) {
    // RFC 9293, 3.10.7.3 and 3.10.7.4: before the sender's SYN, its
    // acknowledgement vouches for it.
    const bool valid =
        stream.syn_seen
            ? segment.seq >= stream.acked_seq() &&
                  segment.seq <= Later(stream.next, stream.edge)
            : other.syn_seen && segment.has(kAck) && segment.ack == other.next;
    if (valid) (from == Side::kGuest ? guest_reset : peer_reset) = true;
    return;
  }
  if (segment.has(kSyn)) {
    if (!stream.syn_seen || segment.seq != stream.isn) {
      if (established() && !closed()) return;
      if (!segment.has(kAck) && (stream.syn_seen || closed())) Restart();
      // What was kept has other sequence numbers.
      if (from == Side::kGuest) ForgetSent();
      NoteSyn(segment, &stream);
      // A window in a SYN counts as well; it is all that is known of the
      // buffers until both sides have acknowledged something.
      if (other.syn_seen) {
        stream.edge += other.syn_window;
        of(Other(from)).edge = Later(other.edge, other.next + segment.window);
      }
      if (!segment.has(kAck)) from_syn = true;
    }
    NoteLink(from, packet.link);
    if (segment.has(kAck)) NoteAck(from, segment);
    return;
  }
  if (!stream.syn_seen || !Plausible(from, segment)) return;
  NoteLink(from, packet.link);
  NoteTimestamps(from, segment);
  NoteSent(from, segment);
  if (segment.has(kAck)) NoteAck(from, segment);
}

void Connection::Establish(const Answered& answered) {
  const auto begin = [&](Stream& stream, Seq isn, uint16_t mss,
                         std::optional<uint8_t> shift) {
    stream.syn_seen = true;
    stream.sack_permitted = answered.sack;
    stream.scaled = shift.has_value();
    stream.window_shift = shift.value_or(0);
    stream.mss = std::max(mss, kMinMss);
    stream.isn = isn;
    stream.next = isn + 1;
    stream.edge = isn + 1;
    stream.seen = 1;
    stream.acked = 1;
  };
  begin(guest, answered.guest_isn, answered.guest_mss, answered.guest_shift);
  begin(peer, answered.peer_isn, answered.peer_mss, answered.peer_shift);
  peer.edge += answered.window;
  to_guest = answered.to_guest;
  to_peer = answered.to_guest;
  std::swap(to_peer.source, to_peer.destination);
  from_syn = true;
}

void Connection::ForgetSent() {
  resend.reset();
  kept_request.reset();
}

void Connection::Restart() {
  guest = Stream{};
  peer = Stream{};
  promised = 0;
  ForgetSent();
  from_syn = false;
  guest_reset = false;
  peer_reset = false;
}

void Connection::NoteLink(Side from, const Link& link) {
  (from == Side::kGuest ? to_peer : to_guest) = link;
}

bool Connection::NoteAck(Side by, const TcpSegment& segment) {
  Stream& stream = of(Other(by));
  if (!stream.syn_seen || segment.ack < stream.acked_seq() ||
      segment.ack > stream.next) {
    return false;
  }
  // RFC 7323, 2.2: never scaled in a SYN.
  const uint32_t window = uint32_t{segment.window}
                          << (segment.has(kSyn) ? 0 : window_shift(by));
  const Seq edge = segment.ack + window;
  const bool news = segment.ack != stream.acked_seq() || edge > stream.edge;
  stream.acked = stream.PositionOf(segment.ack);
  stream.seen = std::max(stream.seen, stream.acked);
  stream.edge = Later(stream.edge, edge);
  if (by == Side::kPeer && resend) resend->Release(segment.ack);
  return news;
}

bool Connection::NoteSent(Side from, const TcpSegment& segment) {
  Stream& stream = of(from);
  if (segment.length() == 0) return true;
  if (!Plausible(from, segment)) return false;
  const Seq end = segment.end();
  if (stream.fin_seen() && end > stream.fin_seq() + 1) return false;
  if (segment.has(kFin)) {
    if (!stream.fin_seen() && end <= stream.next) return false;
    if (stream.fin_seen() && end != stream.fin_seq() + 1) return false;
    stream.fin = stream.PositionOf(end - 1);
  }
  stream.next = Later(stream.next, end);
  if (segment.seq <= stream.seen_seq() && end > stream.seen_seq()) {
    stream.seen = stream.PositionOf(end);
  }
  return true;
}

void Connection::NoteTimestamps(Side from, const TcpSegment& segment) {
  if (!segment.options.timestamps) return;
  Stream& stream = of(from);
  const Timestamps& timestamps = *segment.options.timestamps;
  // After a long silence a later value may look like an earlier one; new data
  // is never old, but for a little when the network has changed the order.
  const auto step = static_cast<int32_t>(timestamps.value - stream.last.value);
  const bool newer =
      step >= 0 || (step < -kMaxClockStep && segment.length() > 0 &&
                    segment.end() > stream.next);
  if (newer) stream.last = timestamps;
}

void Connection::Record(const TcpSegment& segment, ResendPool* pool) {
  if (segment.payload.empty() || !guest.syn_seen || guest_reset ||
      segment.end() > guest.next || segment.end() <= guest.acked_seq()) {
    return;
  }
  if (!resend) {
    const Seq begin = guest.SeqAt(std::max<uint64_t>(guest.acked, 1));
    resend = std::make_unique<ResendStore>(begin, pool);
  }
  resend->Keep(segment.seq + (segment.has(kSyn) ? 1 : 0), segment.payload,
               guest.fin_seen() ? guest.fin_seq() : guest.next);
  if (segment.has(kUrg)) resend->set_urgent(segment.seq + segment.urgent);
}

Seq Connection::resendable() const {
  Seq end = guest.SeqAt(std::max<uint64_t>(guest.acked, guest.syn_seen));
  if (resend) end = Later(end, resend->end());
  return guest.fin_seen() && end == guest.fin_seq() ? end + 1 : end;
}

namespace {

void SaveStream(const Stream& stream, Writer& writer) {
  writer.Bool(stream.syn_seen);
  writer.Bool(stream.timestamps);
  writer.Bool(stream.sack_permitted);
  writer.Bool(stream.scaled);
  writer.Bool(stream.multipath);
  writer.Bool(stream.authenticated);
  writer.U8(stream.window_shift);
  writer.U16(stream.mss);
  writer.U16(stream.syn_window);
  writer.U8(stream.syn_flags);
  writer.Put(stream.isn);
  writer.Put(stream.next);
  writer.Put(stream.edge);
  writer.U64(stream.seen);
  writer.U64(stream.acked);
  writer.U64(stream.fin);
  writer.U32(stream.last.value);
  writer.U32(stream.last.echo);
}

bool LoadStream(Reader& reader, Stream* stream) {
  stream->syn_seen = reader.Bool();
  stream->timestamps = reader.Bool();
  stream->sack_permitted = reader.Bool();
  stream->scaled = reader.Bool();
  stream->multipath = reader.Bool();
  stream->authenticated = reader.Bool();
  stream->window_shift = reader.U8();
  stream->mss = reader.U16();
  stream->syn_window = reader.U16();
  stream->syn_flags = reader.U8();
  stream->isn = reader.GetSeq();
  stream->next = reader.GetSeq();
  stream->edge = reader.GetSeq();
  stream->seen = reader.U64();
  stream->acked = reader.U64();
  stream->fin = reader.U64();
  stream->last.value = reader.U32();
  stream->last.echo = reader.U32();
  if (!reader.ok()) return false;

  const Seq acked = stream->acked_seq();
  const uint64_t next = stream->PositionOf(stream->next);
  const bool consistent =
      stream->window_shift <= kMaxWindowShift && stream->mss >= kMinMss &&
      stream->acked < Stream::kNoFin / 2 &&
      Within(stream->next, acked, 0, kMaxAhead + kMaxBeyond) &&
      Within(stream->edge, acked, 0, kMaxAhead) &&
      stream->seen >= stream->acked && stream->seen <= next &&
      (!stream->fin_seen() || (stream->fin > 0 && next == stream->fin + 1)) &&
      (stream->syn_seen
           ? stream->seen > 0 && (stream->syn_flags & ~kSynFlags) == 0
           : (stream->acked == 0 && next == 0 && stream->seen == 0 &&
              !stream->fin_seen()));
  return consistent || reader.Fail();
}

void SaveLink(const Link& link, Writer& writer) {
  writer.Put(link.destination);
  writer.Put(link.source);
  writer.Bool(link.vlan.has_value());
  writer.U16(link.vlan.value_or(0));
}

Link LoadLink(Reader& reader) {
  Link link;
  link.destination = reader.GetMac();
  link.source = reader.GetMac();
  const bool tagged = reader.Bool();
  const uint16_t tag = reader.U16();
  if (tagged) {
    link.vlan = tag;
  } else if (tag != 0) {
    reader.Fail();
  }
  return link;
}

}  // namespace

void Connection::Save(Writer& writer) const {
  writer.U32(port);
  writer.Put(id);
  SaveLink(to_guest, writer);
  SaveLink(to_peer, writer);
  SaveStream(guest, writer);
  SaveStream(peer, writer);
  writer.U64(promised);
  writer.Bool(from_syn);
  writer.Bool(guest_reset);
  writer.Bool(peer_reset);
  writer.Bool(request.head);
  writer.Bool(request.connect);
  writer.Bool(request.ends_head);
  writer.Bool(kept_request != nullptr);
  if (kept_request) kept_request->Save(writer);
  writer.Bool(resend != nullptr);
  if (resend) resend->Save(writer);
}

bool Connection::Load(Reader& reader, ResendPool* pool) {
  port = reader.GetNic();
  id = reader.GetFlowId();
  to_guest = LoadLink(reader);
  to_peer = LoadLink(reader);
  if (!LoadStream(reader, &guest) || !LoadStream(reader, &peer)) return false;
  promised = reader.U64();
  if (promised > peer.acked + kMaxAhead) return reader.Fail();
  from_syn = reader.Bool();
  guest_reset = reader.Bool();
  peer_reset = reader.Bool();
  request.head = reader.Bool();
  request.connect = reader.Bool();
  request.ends_head = reader.Bool();
  if (reader.Bool()) {
    kept_request = std::make_unique<KeptRequest>(&pool->requests);
    kept_request->Load(reader);
  }
  if (reader.Bool()) {
    const Seq begin = guest.SeqAt(std::max<uint64_t>(guest.acked, 1));
    const Seq end = guest.fin_seen() ? guest.fin_seq() : guest.next;
    resend = std::make_unique<ResendStore>(begin, pool);
    if (!guest.syn_seen || !resend->Load(reader, Later(begin, end))) {
      return reader.Fail();
    }
  }
  return reader.ok();
}

}  // namespace stubdomain
