// The stub domain of one VM: its serial form.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <array>
#include <utility>

#include "state/crc32.h"
#include "state/saved_time.h"
#include "stub_domain.h"

namespace stubdomain {
namespace {

constexpr std::array<uint8_t, 8> kMagic = {'S', 'T', 'U', 'B',
                                           'D', 'O', 'M', '\n'};
constexpr uint32_t kVersion = 11;
constexpr size_t kCrcLength = 4;

// The order of the parts, each of which there is once.
enum class Part : uint32_t {
  kVm = 1,
  kStubs = 2,
  kEnded = 3,
  kAddresses = 4,
  kHeld = 5,
  kFlows = 6,
  kAcceptor = 7,
  kPolicy = 8,
};

template <class Fill>
void SavePart(Part part, Writer& writer, Fill fill) {
  Writer content;
  fill(content);
  writer.U32(static_cast<uint32_t>(part));
  writer.U64(content.data().size());
  writer.Raw(content.data());
}

// `read` is to use up the part.
template <class Read>
bool LoadPart(Part part, Reader& reader, Read read) {
  if (reader.U32() != static_cast<uint32_t>(part)) return reader.Fail();
  Reader content(reader.Raw(reader.U64()));
  if (!reader.ok() || !read(content) || content.left() != 0) {
    return reader.Fail();
  }
  return content.ok();
}

void SaveEnded(const std::vector<sd_ended>& all, Writer& writer) {
  writer.U32(static_cast<uint32_t>(all.size()));
  for (const sd_ended& ended : all) {
    writer.U32(ended.stub);
    writer.U8(static_cast<uint8_t>(ended.owner));
    writer.U8(static_cast<uint8_t>(ended.outcome));
    writer.U64(ended.bytes);
    writer.Raw({reinterpret_cast<const uint8_t*>(ended.claim.handler),
                sizeof(ended.claim.handler)});
    writer.U32(ended.claim.message);
    writer.U64(ended.claim.offset);
    writer.Bool(ended.answered);
  }
}

bool LoadEnded(Reader& reader, std::deque<Notice>* notices) {
  const uint32_t count = reader.U32();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    const uint32_t stub = reader.U32();
    const uint8_t owner = reader.U8();
    const uint8_t outcome = reader.U8();
    const uint64_t bytes = reader.U64();
    sd_claim claim{};
    const std::span<const uint8_t> name = reader.Raw(sizeof(claim.handler));
    claim.message = reader.U32();
    claim.offset = reader.U64();
    const bool answered = reader.Bool();
    if (!reader.ok() || name.back() != 0) return reader.Fail();
    std::ranges::copy(name, claim.handler);
    if (owner > SD_OWNER_HOST || outcome > SD_CANCELLED) return reader.Fail();
    notices->push_back(WaitEnded{{.stub = stub,
                                  .owner = static_cast<sd_owner>(owner),
                                  .outcome = static_cast<sd_outcome>(outcome),
                                  .bytes = bytes,
                                  .claim = claim,
                                  .answered = answered}});
  }
  return reader.ok();
}

// What stands between magic and checksum.
sd_refusal CheckEnvelope(std::span<const uint8_t> data,
                         std::span<const uint8_t>* content) {
  Reader head(data);
  const std::span<const uint8_t> magic = head.Raw(kMagic.size());
  if (!head.ok() || !std::equal(magic.begin(), magic.end(), kMagic.begin())) {
    return SD_REFUSED_BAD_STATE;
  }
  const uint32_t version = head.U32();
  if (!head.ok() || head.left() < kCrcLength) return SD_REFUSED_BAD_STATE;
  // The rest of another version may look different.
  if (version != kVersion) return SD_REFUSED_BAD_VERSION;
  const std::span<const uint8_t> body = data.first(data.size() - kCrcLength);
  if (Reader(data.last(kCrcLength)).U32() != Crc32(body)) {
    return SD_REFUSED_BAD_STATE;
  }
  *content = body.last(head.left() - kCrcLength);
  return SD_OK;
}

}  // namespace

std::vector<uint8_t> StubDomain::Save(Time now) const {
  Writer writer;
  writer.Raw(kMagic);
  writer.U32(kVersion);
  SavePart(Part::kVm, writer, [&](Writer& part) {
    cycle_.Save(part);
    part.Bool(agent_);
    part.Bool(prepares_);
    SaveTime(gate_opens_, now, part);
    SaveTime(host_proposal_, now, part);
    SaveDepth(host_depth_, part);
    SaveTime(idle_since_, now, part);
    SaveDepth(ordered_, part);
  });
  SavePart(Part::kStubs, writer, [&](Writer& part) {
    stubs_.Save(part, now);
    part.U32(static_cast<uint32_t>(aftermaths_.size()));
    for (const Aftermath& aftermath : aftermaths_) aftermath.Save(part, now);
  });
  SavePart(Part::kEnded, writer, [&](Writer& part) {
    std::vector<sd_ended> all;
    for (const Notice& notice : notices_) {
      if (const auto* ended = std::get_if<WaitEnded>(&notice)) {
        all.push_back(ended->ended);
      }
    }
    SaveEnded(all, part);
  });
  SavePart(Part::kAddresses, writer,
           [&](Writer& part) { own_addresses_.Save(part); });
  SavePart(Part::kHeld, writer, [&](Writer& part) {
    held_.Save(part);
    held_errors_.Save(part);
    recent_.Save(part, [&](unsigned port, const FlowId& id) {
      return stubs_.by_flow().FindFor(ListenerStub::Kind::kPair, port, id) !=
             nullptr;
    });
  });
  SavePart(Part::kFlows, writer,
           [&](Writer& part) { flows_->table.Save(part); });
  SavePart(Part::kAcceptor, writer,
           [&](Writer& part) { acceptor_.Save(part, now); });
  SavePart(Part::kPolicy, writer, [&](Writer& part) {
    threads_.Save(part);
    inhibitors_.Save(part);
    guard_.Save(part, now);
    reply_times_.Save(part);
    meter_.Save(part, now);
  });
  writer.U32(Crc32(writer.data()));
  return writer.Take();
}

sd_refusal StubDomain::Load(std::span<const uint8_t> data, Time now) {
  now = Advance(now);
  std::span<const uint8_t> content;
  if (const sd_refusal refusal = CheckEnvelope(data, &content);
      refusal != SD_OK) {
    return refusal;
  }
  // All is read before anything is replaced.
  StubDomain next(config_, callbacks_, opaque_);
  Reader reader(content);
  const bool ok =
      LoadPart(Part::kVm, reader,
               [&](Reader& part) {
                 const bool cycle_ok = next.cycle_.Load(part, now);
                 next.agent_ = part.Bool();
                 next.prepares_ = part.Bool();
                 next.gate_opens_ = LoadTime(part, now);
                 next.host_proposal_ = LoadTime(part, now);
                 next.host_depth_ = LoadDepth(part).value_or(SD_DEPTH_EVICT);
                 // Deadlines count from there, so it does not lie ahead.
                 next.idle_since_ = std::min(LoadTime(part, now), now);
                 next.ordered_ = LoadDepth(part);
                 return cycle_ok && part.ok();
               }) &&
      LoadPart(Part::kStubs, reader,
               [&](Reader& part) {
                 return next.stubs_.Load(part, now) &&
                        next.LoadAftermaths(part, now);
               }) &&
      LoadPart(Part::kEnded, reader,
               [&](Reader& part) { return LoadEnded(part, &next.notices_); }) &&
      LoadPart(Part::kAddresses, reader,
               [&](Reader& part) { return next.own_addresses_.Load(part); }) &&
      LoadPart(Part::kHeld, reader,
               [&](Reader& part) {
                 return next.held_.Load(part) && next.held_errors_.Load(part) &&
                        next.recent_.Load(part);
               }) &&
      LoadPart(
          Part::kFlows, reader,
          [&](Reader& part) { return next.flows_->table.Load(part, now); }) &&
      LoadPart(Part::kAcceptor, reader,
               [&](Reader& part) { return next.acceptor_.Load(part, now); }) &&
      LoadPart(Part::kPolicy, reader, [&](Reader& part) {
        return next.threads_.Load(part) && next.inhibitors_.Load(part) &&
               next.guard_.Load(part, now) && next.reply_times_.Load(part) &&
               next.meter_.Load(part, now);
      });
  if (!ok || reader.left() != 0) return SD_REFUSED_BAD_STATE;
  if (!config_.scripts &&
      (std::ranges::any_of(
           next.stubs_.all(),
           [](const auto& entry) { return entry.second.HasScript(); }) ||
       std::ranges::any_of(next.aftermaths_, [](const Aftermath& aftermath) {
         return aftermath.stub().HasScript();
       }))) {
    return SD_REFUSED_PLAN_SCRIPT;
  }
  next.now_ = now;
  // These are of this host.
  next.costs_ = costs_;
  next.pressure_ = pressure_;
  next.Resume(now);
  *this = std::move(next);
  return SD_OK;
}

bool StubDomain::LoadAftermaths(Reader& reader, Time now) {
  const uint32_t count = reader.U32();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    aftermaths_.push_back(Aftermath::Load(reader, now));
  }
  return reader.ok();
}

void StubDomain::Resume(Time now) {
  for (const auto& [number, thread] : threads_.all()) UpdateThread(number);
  UpdateRecording();
  if (cycle_.stopped()) flows_->table.Adopt(now);
  SettleAll(now);
}

}  // namespace stubdomain
