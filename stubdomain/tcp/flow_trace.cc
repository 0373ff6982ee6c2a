// For tests: a connection whose story is told segment by segment.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/flow_trace.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <sstream>
#include <utility>

#include "wire/checksum.h"
#include "wire/network_order.h"

namespace stubdomain {
namespace {

constexpr MacAddress kGuestMac{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress kPeerMac{{2, 0, 0, 0, 0, 2}};

Address MachineAddress(bool ipv6, uint8_t number) {
  if (ipv6) {
    std::array<uint8_t, 16> bytes{0xfd};
    bytes[15] = number;
    return Address::Ipv6(bytes);
  }
  return Address::Ipv4(std::array<uint8_t, 4>{10, 0, 2, number});
}

FlowId IdOf(bool ipv6) {
  return {{MachineAddress(ipv6, 15), 40000}, {MachineAddress(ipv6, 2), 80}};
}

constexpr std::pair<char, TcpFlag> kLetters[] = {
    {'S', kSyn}, {'F', kFin}, {'R', kRst}, {'P', kPsh},
    {'U', kUrg}, {'.', kAck}, {'E', kEce}, {'W', kCwr}};

uint8_t FlagsOf(std::string_view letters) {
  uint8_t flags = 0;
  for (const auto& [letter, flag] : kLetters) {
    if (letters.find(letter) != std::string_view::npos) flags |= flag;
  }
  return flags;
}

}  // namespace

Translation TestTranslation() {
  if (std::getenv("STUBDOMAIN_TEST_TRANSLATED") == nullptr) return {};
  return {.peer_seq = 0x12345678,
          .guest_seq = 0x9abcdef0,
          .guest_clock = 0xfedcba98};
}

FlowTrace::FlowTrace(const TraceSetup& setup)
    : budget(setup.budget),
      setup_(setup),
      flow(std::make_unique<TcpFlow>(kPort, IdOf(setup.ipv6), &setup_.config,
                                     &budget, &resend, setup.translation)) {}

void FlowTrace::Handshake() {
  const auto ts = setup_.timestamps
                      ? std::optional(Timestamps{.value = 100, .echo = 0})
                      : std::nullopt;
  const auto reply = setup_.timestamps
                         ? std::optional(Timestamps{.value = 200, .echo = 100})
                         : std::nullopt;
  // The SYN's own sequence number lies before the first payload byte.
  const uint32_t syn = static_cast<uint32_t>(-1);
  const uint16_t window = setup_.guest_window;
  Guest({.seq = syn, .flags = "S", .window = window, .ts = ts});
  Peer({.seq = syn, .flags = "S.", .ts = reply});
  Guest({.window = window,
         .ts = ts ? std::optional(Timestamps{100, 200}) : std::nullopt});
}

Seq FlowTrace::First(Side of, Side reader) const {
  const Translation& translation = setup_.translation;
  if (of == Side::kGuest) {
    return setup_.guest_isn + 1 -
           (reader == Side::kGuest ? translation.guest_seq : 0);
  }
  return setup_.peer_isn + 1 -
         (reader == Side::kPeer ? translation.peer_seq : 0);
}

Frame FlowTrace::Build(Side from, const Said& said) const {
  return BuildFor(from, from, said);
}

Frame FlowTrace::BuildFor(Side from, Side reader, const Said& said) const {
  const bool guest = from == Side::kGuest;
  const Seq own = First(from, reader);
  const Seq other = First(Other(from), reader);
  const FlowId id = IdOf(setup_.ipv6);
  Route route{{kPeerMac, kGuestMac, setup_.vlan}, id.guest, id.peer};
  if (!guest) route = {{kGuestMac, kPeerMac, setup_.vlan}, id.peer, id.guest};
  TcpFields fields;
  fields.seq = own + said.seq;
  fields.flags = FlagsOf(said.flags);
  if ((fields.flags & kAck) != 0) fields.ack = other + said.ack;
  fields.window = said.window;
  fields.urgent = said.urgent;
  fields.options.timestamps = said.ts;
  if (said.ts && reader == Side::kGuest) {
    auto& ts = *fields.options.timestamps;
    const uint32_t clock = setup_.translation.guest_clock;
    if (guest) ts.value -= clock;
    if (!guest && (fields.flags & kAck) != 0) ts.echo -= clock;
  }
  if ((fields.flags & kSyn) != 0) {
    fields.options.mss = guest ? setup_.guest_mss : setup_.peer_mss;
    fields.options.window_shift =
        guest ? setup_.guest_shift : setup_.peer_shift;
    fields.options.sack_permitted = setup_.sack;
  }
  for (const auto& [begin, end] : said.sack) {
    fields.options.sack.Add({other + begin, other + end});
  }
  TcpFrame builder(route, fields, said.data.size());
  std::copy(said.data.begin(), said.data.end(), builder.payload().begin());
  Frame frame = said.gso != 0 ? std::move(builder).FinishGso(said.gso)
                              : std::move(builder).Finish();
  if (said.congested) {
    const std::span<uint8_t> ip(frame.bytes.data() + 14, 20);
    ip[1] = kCongestionExperienced;
    Set16(ip, 10, 0);
    Set16(ip, 10, Checksum().Add(ip).complement());
  }
  if (said.bad_checksum) frame.bytes.back() ^= 0x55;
  return frame;
}

Verdict FlowTrace::Say(Side from, const Said& said) {
  const Frame frame = Build(from, said);
  Packet packet;
  EXPECT_EQ(Parse(frame.bytes, frame.offload, &packet), Malformed::kNo);
  const bool following = flow->phase() == Phase::kFollowing;
  const Verdict verdict = flow->OnFrame(from, packet, now, *this);
  return following && PassedOn(from, said) ? Verdict::kPass : verdict;
}

bool FlowTrace::PassedOn(Side from, const Said& said) {
  const Frame passed = BuildFor(from, Other(from), said);
  if (flow->phase() != Phase::kFollowing || frames_.empty() ||
      frames_.back().bytes != passed.bytes) {
    return false;
  }
  frames_.pop_back();
  const size_t last = sent_.rfind('\n');
  sent_.resize(last == std::string::npos ? 0 : last);
  return true;
}

void FlowTrace::Pass(Duration duration) {
  const Time end = now + duration;
  while (flow->Deadline() <= end) {
    const Time deadline = flow->Deadline();
    const size_t sent = frames_.size();
    if (deadline > now) {
      flow->OnTimer(deadline - Duration(1), *this);
      ASSERT_EQ(frames_.size(), sent) << "something happened too early";
      ASSERT_EQ(flow->Deadline(), deadline);
    }
    now = std::max(now, deadline);
    flow->OnTimer(now, *this);
    ASSERT_GT(flow->Deadline(), now) << "a timer that did nothing";
  }
  now = end;
}

void FlowTrace::SaveAndLoad() {
  Writer writer;
  flow->Save(writer);
  flow.reset();
  Reader reader(writer.data());
  flow =
      std::make_unique<TcpFlow>(0, FlowId{}, &setup_.config, &budget, &resend);
  ASSERT_TRUE(flow->Load(reader, now));
  flow->Loaded();
  EXPECT_EQ(reader.left(), 0u);
}

std::string FlowTrace::Sent() {
  Flush();
  taken_ = std::exchange(frames_, {});
  return std::exchange(sent_, {});
}

void FlowTrace::Emit(unsigned port, Side to, Frame frame) {
  EXPECT_EQ(port, kPort);
  if (!sent_.empty()) sent_ += '\n';
  sent_ += Describe(to, frame);
  frames_.push_back(std::move(frame));
}

std::string FlowTrace::Describe(Side to, const Frame& frame) const {
  Packet packet;
  EXPECT_EQ(Parse(frame.bytes, frame.offload, &packet), Malformed::kNo);
  EXPECT_TRUE(ChecksumOk(packet));
  EXPECT_EQ(packet.link.destination, to == Side::kGuest ? kGuestMac : kPeerMac);
  EXPECT_EQ(packet.link.vlan, setup_.vlan);
  const TcpSegment& segment = *packet.tcp();
  const bool to_guest = to == Side::kGuest;
  const Seq own = First(Other(to), to);
  const Seq other = First(to, to);
  std::ostringstream line;
  line << (to_guest ? "guest: " : "peer: ");
  for (const auto& [letter, flag] : kLetters) {
    if (segment.has(flag)) line << letter;
  }
  line << ' ' << segment.seq - own << ':' << segment.end() - own;
  if (segment.has(kAck)) line << " ack " << segment.ack - other;
  line << " win " << segment.window;
  if (segment.has(kUrg)) line << " urg " << segment.urgent;
  if (const auto& ts = segment.options.timestamps) {
    const uint32_t clock =
        to_guest && segment.has(kAck) ? setup_.translation.guest_clock : 0;
    line << " ts " << ts->value << '/' << ts->echo + clock;
  }
  if (segment.options.sack.count > 0) line << " sack";
  for (const SeqRange& block : segment.options.sack.all()) {
    line << ' ' << block.begin - other << '-' << block.end - other;
  }
  if (frame.offload.gso != SD_GSO_NONE) {
    line << " gso " << frame.offload.gso_size;
  }
  if (!segment.payload.empty() && segment.payload.size() <= 20) {
    line << " '" << std::string(segment.payload.begin(), segment.payload.end())
         << '\'';
  }
  return line.str();
}

KeptTrace::KeptTrace(const std::string& reply, const TraceSetup& setup)
    : FlowTrace(setup) {
  const bool timestamps = setup.timestamps;
  const auto ts = [timestamps](uint32_t value, uint32_t echo) {
    return timestamps ? std::optional(Timestamps{value, echo}) : std::nullopt;
  };
  Handshake();
  Guest({.flags = "P.",
         .data = "request",
         .window = setup.guest_window,
         .ts = ts(110, 200)});
  Peer({.ack = 7, .ts = ts(210, 110)});
  EXPECT_TRUE(flow->quiet());
  EXPECT_EQ(Adopt(), AdoptRefusal::kNone);
  EXPECT_EQ(flow->phase(), Phase::kAdopted);
  EXPECT_EQ(Sent(), "");
  for (size_t at = 0; at < reply.size(); at += 1000) {
    Peer({.seq = static_cast<uint32_t>(at),
          .ack = 7,
          .data = reply.substr(at, 1000),
          .ts = ts(300, 110)});
    Flush();
  }
  EXPECT_EQ(flow->kept(), reply.size());
  Sent();
}

void ExpectLeft(FlowTrace& trace) {
  EXPECT_EQ(trace.flow->phase(), Phase::kFollowing);
  EXPECT_TRUE(trace.flow->level());
  EXPECT_EQ(trace.flow->kept(), 0u);
  EXPECT_EQ(trace.budget.reserved(), 0u);
  EXPECT_EQ(trace.flow->Deadline(), kNever);
}

}  // namespace stubdomain
