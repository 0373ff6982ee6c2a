// One TCP connection of the guest: followed, adopted, replayed.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/tcp_flow.h"

#include <algorithm>
#include <utility>

namespace stubdomain {
namespace {

// What says so is looked at whole, whoever vouches for the checksum.
constexpr uint8_t kLasting = kSyn | kFin | kRst;

}  // namespace

TcpFlow::TcpFlow(unsigned port, const FlowId& id, const FlowConfig* config,
                 BufferBudget* budget, ResendPool* resend,
                 const Translation& translation)
    : translation_(translation),
      config_(config),
      budget_(budget),
      resend_(resend) {
  connection_.port = port;
  connection_.id = id;
}

void TcpFlow::Accept(const Answered& answered, uint16_t guest_port, Time now) {
  if (guest_port != id().guest.port) translation_.guest_port = guest_port;
  connection_.Establish(answered);
  MakeAdoption(now);
  handshake_ = std::make_unique<GuestHandshake>(&connection_, &translation_);
}

FlowId TcpFlow::guest_id() const {
  FlowId id = connection_.id;
  if (translation_.guest_port != 0) id.guest.port = translation_.guest_port;
  return id;
}

Phase TcpFlow::phase() const {
  if (opening_) return Phase::kAdopted;
  if (!adoption_) return Phase::kFollowing;
  switch (adoption_->guest()) {
    case Adoption::Guest::kStopped:
      return Phase::kAdopted;
    case Adoption::Guest::kRuns:
      return Phase::kReleased;
    case Adoption::Guest::kReady:
      return Phase::kReplaying;
  }
  return Phase::kFollowing;
}

Verdict TcpFlow::OnFrame(Side from, const Packet& packet, Time now,
                         Output& output) {
  const bool anew = packet.tcp()->has(kSyn) && !packet.tcp()->has(kAck);
  if (detached_ && from == Side::kGuest && !anew) return Verdict::kTaken;
  if (handshake_ && from == Side::kGuest) {
    OnAnswer(packet, now, output);
    return Verdict::kTaken;
  }
  if (translation_.none()) return Handle(from, packet, now, output);
  Frame frame{{packet.frame.begin(), packet.frame.end()}, packet.offload};
  ShiftTcp(packet, translation_.In(from, id().guest.port), &frame);
  Packet translated;
  Parse(frame.bytes, frame.offload, &translated);
  if (BeginsAnew(from, *translated.tcp())) {
    translation_ = Translation{};
    return Handle(from, packet, now, output);
  }
  TranslatedOutput sent(&translation_, id().guest.port, &output);
  if (Handle(from, translated, now, sent) == Verdict::kPass) {
    sent.Emit(port(), Other(from), std::move(frame));
  }
  return Verdict::kTaken;
}

void TcpFlow::OnAnswer(const Packet& packet, Time now, Output& output) {
  if (!ChecksumOk(packet)) return;
  const auto result = handshake_->OnGuest(*packet.tcp());
  if (result == GuestHandshake::Result::kEstablished) {
    connection_.NoteLink(Side::kGuest, packet.link);
  }
  Progress(result, now, output);
}

void TcpFlow::Progress(GuestHandshake::Result result, Time now,
                       Output& output) {
  if (result == GuestHandshake::Result::kWaiting) return;
  handshake_.reset();
  Translated(output, [&](Output& sent) {
    if (result == GuestHandshake::Result::kEstablished) {
      adoption_->Attach(now, sent);
    } else {
      if (!peer_reset()) adoption_->Refuse(sent);
      connection_.guest_reset = true;
    }
    LeaveIfLevel(now, sent);
  });
}

bool TcpFlow::IsUnderWay(const IcmpError& error) const {
  const Stream& guest = connection_.guest;
  return guest.syn_seen && error.seq >= guest.acked_seq() &&
         error.seq <= guest.next;
}

void TcpFlow::OnError(const IcmpError& error) {
  if (error.mtu == 0) return;
  // Nobody is made to send smaller segments than any path takes.
  const bool ipv6 = id().peer.address.family() == Family::kIpv6;
  const uint32_t least = ipv6 ? 1280 : 552;
  const uint32_t headers = ipv6 ? 60 : 40;
  const auto mss = static_cast<uint16_t>(
      std::min(std::max(error.mtu, least) - headers, 65535u));
  connection_.peer.mss = std::min(connection_.peer.mss, mss);
}

bool TcpFlow::TranslateQuote(const Packet& packet, Frame* frame) const {
  if (translation_.none()) return false;
  const TcpShift in = translation_.In(Side::kGuest, id().guest.port);
  ShiftQuote(packet, 0 - in.seq, static_cast<uint16_t>(0 - in.source_port),
             frame);
  return true;
}

bool TcpFlow::BeginsAnew(Side from, const TcpSegment& segment) const {
  const bool forgotten = adoption_ && from == Side::kGuest;
  return segment.has(kSyn) && !segment.has(kAck) &&
         segment.seq != connection_.of(from).isn && (closed() || forgotten);
}

Verdict TcpFlow::Handle(Side from, const Packet& packet, Time now,
                        Output& output) {
  const TcpSegment& segment = *packet.tcp();
  // Reading the whole payload is only worth it where a wrong bit would do
  // lasting harm to what is known.
  if (!connection_.Plain(from, segment) && !ChecksumOk(packet)) {
    return phase() == Phase::kFollowing ? Verdict::kPass : Verdict::kTaken;
  }
  if (opening_ && from == Side::kPeer) {
    return HandleOpening(packet, now, output);
  }
  const bool reborn = from == Side::kGuest && segment.has(kSyn) &&
                      !segment.has(kAck) &&
                      segment.seq != connection_.guest.isn;
  if (adoption_ && reborn) {
    // The guest has forgotten the connection: nobody will read what was kept.
    Unadopt();
    connection_.guest_reset = true;
  }
  if (adoption_ && closed() && BeginsAnew(from, segment)) {
    // The peer may use the ports again; what becomes of it is the guest's
    // business.
    Unadopt();
  }
  if (!adoption_ && from == Side::kPeer && established() && !closed() &&
      connection_.Overruns(segment)) {
    // The peer makes use of room that only the stub has.
    adoption_.emplace(&connection_, Adoption::Guest::kReady, config_, budget_,
                      now);
  }
  if (!adoption_) {
    if (watched_ && from == Side::kPeer && ChecksumOk(packet)) {
      NotePassing(segment);
    }
    if (from == Side::kPeer && !awaited_ && connection_.kept_request &&
        !segment.payload.empty()) {
      connection_.kept_request->Forget();
    }
    connection_.Observe(from, packet, segment);
    if (from == Side::kGuest) Record(packet);
    return Verdict::kPass;
  }
  if (from == Side::kPeer) {
    adoption_->OnPeer(packet, segment, now, output);
  } else {
    adoption_->OnGuest(packet, segment, now, output);
    Record(packet);
  }
  LeaveIfLevel(now, output);
  return Verdict::kTaken;
}

Verdict TcpFlow::HandleOpening(const Packet& packet, Time now, Output& output) {
  if (opening_->OnPeer(packet, *packet.tcp())) {
    opening_.reset();
    MakeAdoption(now);
    adoption_->Flush(now, output);
  }
  return Verdict::kTaken;
}

void TcpFlow::MakeAdoption(Time now) {
  adoption_.emplace(&connection_, Adoption::Guest::kStopped, config_, budget_,
                    now);
}

AdoptRefusal TcpFlow::unfit() const {
  if (connection_.reset()) return AdoptRefusal::kReset;
  if (!connection_.from_syn) return AdoptRefusal::kNoSyn;
  if (connection_.multipath()) return AdoptRefusal::kMultipath;
  if (connection_.authenticated()) return AdoptRefusal::kAuthenticated;
  return AdoptRefusal::kNone;
}

AdoptRefusal TcpFlow::Adopt(Time now) {
  if (opening_) return AdoptRefusal::kNone;
  if (handshake_) handshake_->Pause();
  if (adoption_) {
    adoption_->Pause(now);
    return AdoptRefusal::kNone;
  }
  if (const AdoptRefusal refusal = unfit(); refusal != AdoptRefusal::kNone) {
    return refusal;
  }
  if (connection_.opening()) {
    opening_ = std::make_unique<Opening>(&connection_, now);
  } else if (connection_.synchronized()) {
    MakeAdoption(now);
  } else {
    return AdoptRefusal::kUnanswered;
  }
  return AdoptRefusal::kNone;
}

void TcpFlow::Release(Time now, Output& output) {
  if (phase() != Phase::kAdopted || handshake_ || detached_) return;
  Translated(output, [&](Output& sent) {
    if (opening_) {
      opening_->Leave(sent);
      opening_.reset();
      return;
    }
    adoption_->Resume(Adoption::Guest::kRuns, now, sent);
    LeaveIfLevel(now, sent);
  });
}

void TcpFlow::Replay(Time now, Output& output) {
  if (handshake_ && handshake_->Deadline() == kNever) {
    handshake_->Start(now, output);
    return;
  }
  if (phase() != Phase::kReleased || held_) return;
  Translated(output, [&](Output& sent) {
    adoption_->Resume(Adoption::Guest::kReady, now, sent);
    LeaveIfLevel(now, sent);
  });
}

void TcpFlow::Flush(Time now, Output& output) {
  if (!adoption_) return;
  Translated(output, [&](Output& sent) { adoption_->Flush(now, sent); });
}

bool TcpFlow::needs_flush() const {
  return adoption_ && adoption_->needs_flush();
}

Time TcpFlow::Deadline() const {
  if (opening_) return opening_->Deadline();
  if (!adoption_) return kNever;
  return std::min(adoption_->Deadline(),
                  handshake_ ? handshake_->Deadline() : kNever);
}

void TcpFlow::OnTimer(Time now, Output& output) {
  if (now < Deadline()) return;
  Translated(output, [&](Output& sent) {
    if (opening_) return opening_->OnTimer(now, sent);
    adoption_->OnTimer(now, sent);
    LeaveIfLevel(now, sent);
  });
  if (handshake_) Progress(handshake_->OnTimer(now, output), now, output);
}

bool TcpFlow::PassesUnread(const Packet& packet) const {
  const TcpSegment& segment = *packet.tcp();
  const bool trusted = packet.offload.needs_csum || packet.offload.data_valid ||
                       connection_.Plain(Side::kGuest, segment);
  return trusted && !handshake_ && phase() == Phase::kFollowing &&
         translation_.none() && !resend_->recording &&
         (segment.flags & kLasting) == 0 && !WantsRequest(segment);
}

bool TcpFlow::WantsRequest(const TcpSegment& segment) const {
  const auto size = static_cast<uint32_t>(segment.payload.size());
  if (size == 0) return false;
  return connection_.kept_request
             ? connection_.kept_request->Wants(size, peer_bytes())
             : size <= kMaxRequest;
}

void TcpFlow::Record(const Packet& packet) {
  if (resend_->recording && ChecksumOk(packet)) {
    connection_.Record(*packet.tcp(), resend_);
  }
}

void TcpFlow::LeaveIfLevel(Time now, Output& output) {
  // Of a connection that is over before the guest knows of it, it need not
  // know at all.
  const bool never_known =
      handshake_ && handshake_->Deadline() == kNever && adoption_->reset();
  if (never_known) connection_.peer_reset = true;
  if (connection_.guest_reset || connection_.peer_reset) {
    Unadopt();
  } else if (adoption_->MayLeave()) {
    adoption_->Leave(now, output);
    Unadopt();
  }
}

void TcpFlow::Unadopt() {
  adoption_.reset();
  handshake_.reset();
  detached_ = false;
}

bool TcpFlow::quiet() const {
  const Stream& guest = connection_.guest;
  const Stream& peer = connection_.peer;
  return guest.next == guest.acked_seq() &&
         (adoption_ ? adoption_->level() : peer.next == peer.acked_seq());
}

bool TcpFlow::covered() const {
  return connection_.resendable() == connection_.guest.next;
}

uint64_t TcpFlow::peer_bytes() const {
  return connection_.peer.BytesUpTo(connection_.peer.seen);
}

uint64_t TcpFlow::unsent() const {
  if (!adoption_) return peer_bytes();
  return connection_.peer.BytesUpTo(
      connection_.peer.PositionOf(adoption_->unsent()));
}

bool TcpFlow::peer_closed() const {
  return connection_.peer.seen > connection_.peer.fin;
}

bool TcpFlow::peer_reset() const {
  return connection_.peer_reset || (adoption_ && adoption_->reset()) ||
         (opening_ && opening_->refused());
}

uint64_t TcpFlow::kept() const { return adoption_ ? adoption_->kept() : 0; }
bool TcpFlow::level() const { return !adoption_ || adoption_->level(); }
bool TcpFlow::full() const { return adoption_ && adoption_->full(); }
bool TcpFlow::starved() const { return adoption_ && adoption_->starved(); }

void TcpFlow::Feed() {
  if (adoption_) adoption_->Feed();
}

std::optional<Side> TcpFlow::held_up() const {
  return adoption_ ? adoption_->held_up() : std::nullopt;
}

void TcpFlow::GoOn(Time now, Output& output) {
  Translated(output, [&](Output& sent) {
    adoption_->GoOn(now, sent);
    LeaveIfLevel(now, sent);
  });
}

void TcpFlow::Save(Writer& writer) const {
  connection_.Save(writer);
  translation_.Save(writer);
  writer.Bool(opening_ != nullptr);
  if (opening_) opening_->Save(writer);
  writer.Bool(adoption_.has_value());
  if (!adoption_) return;
  adoption_->Save(writer);
  writer.Bool(detached_);
  writer.Bool(handshake_ != nullptr);
  if (handshake_) handshake_->Save(writer);
}

bool TcpFlow::Load(Reader& reader, Time now) {
  if (!connection_.Load(reader, resend_) || !translation_.Load(reader)) {
    return false;
  }
  if (reader.Bool()) {
    if (!tracked() || !connection_.opening()) reader.Fail();
    opening_ = std::make_unique<Opening>(&connection_, now);
    opening_->Load(reader);
  }
  if (reader.Bool()) {
    if (!tracked() || !connection_.synchronized()) {
      reader.Fail();
      return false;
    }
    MakeAdoption(now);
    if (!adoption_->Load(reader, now)) return false;
    detached_ = reader.Bool();
    if (reader.Bool()) {
      handshake_ =
          std::make_unique<GuestHandshake>(&connection_, &translation_);
      handshake_->Load(reader, now);
    }
    if ((detached_ || handshake_) &&
        adoption_->guest() != Adoption::Guest::kStopped) {
      reader.Fail();
    }
  }
  return reader.ok();
}

}  // namespace stubdomain
