// All TCP connections of the guest.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/flow_table.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace stubdomain {
namespace {

// A flow whose last frames came within this is not moved behind others for each
// of them: with many flows that alone would cost more than all else.
constexpr Duration kIdleGrain = std::chrono::seconds(1);

// What two numbers give that are mixed well.
uint64_t Fold(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

// In one piece: what is looked up comes from memory together.
struct FlowTable::Entry {
  Entry(unsigned port, const FlowId& id, FlowTable* table)
      : flow(port, id, &table->config_.flow, table->budget_, &table->resend_) {}

  uint64_t number = 0;   // in the order of creation
  bool weak = true;      // in which list it is
  bool unknown = false;  // to the guest: it counts as such
  bool alias = false;    // it is in aliases_
  Side turn_to{};        // with `turn`
  uint64_t turn = 0;     // its place in held_up_; 0: it has none
  size_t unflushed = 0;  // its place in unflushed_, from 1 on; 0: it has none
  size_t starved = 0;    // the same in starved_
  uint64_t kept = 0;     // its part of kept_
  Entries::iterator place;
  Time used{};            // when it was put there
  Time timer = kNever;    // its entry in timers_; kNever: it has none
  Time expires = kNever;  // once the flow is closed
  TcpFlow flow;
};

size_t FlowTable::Hash::operator()(const Key& key) const {
  // Any odd numbers without a pattern do.
  constexpr uint64_t kMix[] = {0x9e3779b97f4a7c15, 0xd1b54a32d192ed03,
                               0x8cb92ba72f3d8dd7, 0xaaaaaaaaaaaaaaab};
  const uint64_t hidden = reinterpret_cast<uintptr_t>(seed);
  const auto guest = key.id.guest.address.words();
  const auto peer = key.id.peer.address.words();
  const uint64_t ports = uint64_t{key.port} << 32 |
                         uint64_t{key.id.guest.port} << 16 | key.id.peer.port;
  return Fold(Fold(guest[0] ^ kMix[0] ^ hidden, peer[0] ^ kMix[1]) ^
                  Fold(guest[1] ^ kMix[2], peer[1] ^ kMix[3] ^ hidden),
              ports ^ kMix[0]);
}

FlowTable::FlowTable(const FlowTableConfig& config, BufferBudget* budget)
    : budget_(budget), aliases_(0, Hash{this}) {
  set_config(config);
}

FlowTable::~FlowTable() = default;

void FlowTable::set_config(const FlowTableConfig& config) {
  config_ = config;
  resend_.per_flow = config.resend;
  resend_.budget.set_limit(config.total_resend);
}

bool FlowTable::Weak(const TcpFlow& flow) {
  return !flow.tracked() || !flow.established() || flow.closed();
}

FlowTable::Result FlowTable::OnFrame(unsigned port, Side from,
                                     const Packet& packet, Time now,
                                     Output& output) {
  const TcpSegment& segment = *packet.tcp();
  Key key{port, {}};
  Endpoint& source = from == Side::kGuest ? key.id.guest : key.id.peer;
  Endpoint& destination = from == Side::kGuest ? key.id.peer : key.id.guest;
  source.address = packet.ip->source;
  source.port = segment.source_port;
  destination.address = packet.ip->destination;
  destination.port = segment.destination_port;
  Entry* entry = nullptr;
  if (!aliases_.empty()) {
    entry = FindByAlias(key, segment);
    // The peer itself has nothing to say to the guest by that name.
    if (entry != nullptr && from == Side::kPeer) return {Verdict::kTaken};
  }
  if (entry == nullptr) entry = FindOrAdd(key, from, segment);
  if (entry == nullptr) return {};
  const Verdict verdict = entry->flow.OnFrame(from, packet, now, output);
  if (stopped_ && entry->flow.phase() == Phase::kFollowing) {
    entry->flow.Adopt(now);
  }
  if (now - entry->used >= kIdleGrain) {
    Entries& list = entry->weak ? weak_ : strong_;
    list.splice(list.end(), list, entry->place);
    entry->used = now;
  }
  Update(entry, now);
  return {verdict, &entry->flow};
}

FlowTable::Entry* FlowTable::FindEntry(const Key& key) const {
  const auto matches = [&key](const Entry& entry) {
    return entry.flow.port() == key.port && entry.flow.id() == key.id;
  };
  if (found_ != nullptr && matches(*found_)) return found_;
  Entry* entry = flows_.Find(HashOf(key), matches);
  if (entry != nullptr) found_ = entry;
  return entry;
}

FlowTable::Entry* FlowTable::FindOrAdd(const Key& key, Side from,
                                       const TcpSegment& segment) {
  if (Entry* found = FindEntry(key)) return found;
  // Only a first SYN makes a flow that can be adopted. Of the others only what
  // the guest has is worth knowing of: anybody can send to it.
  const bool first_syn = segment.has(kSyn) && !segment.has(kAck);
  const bool under_way =
      from == Side::kGuest && segment.has(kAck) && !segment.has(kSyn);
  if (segment.has(kRst) || !(first_syn || under_way) || !MakeRoom()) {
    return nullptr;
  }
  return Add(key);
}

FlowTable::Entry* FlowTable::FindByAlias(const Key& key,
                                         const TcpSegment& segment) {
  const auto found = aliases_.find(key);
  if (found == aliases_.end()) return nullptr;
  Entry* entry = found->second;
  const bool anew = segment.has(kSyn) && !segment.has(kAck);
  if (!anew || !entry->flow.closed() || entry->flow.awaited()) return entry;
  // A connection that bears the name by right; the other is over.
  Remove(entry);
  return nullptr;
}

bool FlowTable::Ambiguous(const Key& key) const {
  const Entry* found = FindEntry(key);
  return aliases_.contains(key) || (found != nullptr && !found->flow.closed());
}

TcpFlow* FlowTable::Accept(unsigned port, const FlowId& id,
                           const Answered& answered, uint16_t guest_port,
                           const Packet& packet, Time now, Output& output) {
  if (Entry* found = FindEntry({port, id})) {
    const TcpFlow& before = found->flow;
    if (before.awaited() || before.phase() != Phase::kFollowing ||
        (before.answered() && !before.closed())) {
      return nullptr;
    }
    Remove(found);
  }
  FlowId guest_id = id;
  guest_id.guest.port = guest_port;
  if (!(guest_id == id) && Ambiguous({port, guest_id})) return nullptr;
  if (!MakeRoom()) return nullptr;
  Entry* entry = Add({port, id});
  entry->flow.Accept(answered, guest_port, now);
  entry->flow.OnFrame(Side::kPeer, packet, now, output);
  Update(entry, now);
  return &entry->flow;
}

bool FlowTable::MakeRoom() {
  if (flows_.size() < config_.max_flows) return true;
  for (Entries* list : {&weak_, &strong_}) {
    for (Entry& entry : *list) {
      if (entry.flow.phase() == Phase::kFollowing && !entry.flow.awaited()) {
        Remove(&entry);
        return flows_.size() < config_.max_flows;
      }
    }
  }
  return false;
}

FlowTable::Entry* FlowTable::Add(const Key& key) {
  weak_.emplace_back(key.port, key.id, this);
  return Enlist();
}

FlowTable::Entry* FlowTable::Enlist() {
  Entry* entry = &weak_.back();
  entry->number = ++last_number_;
  entry->place = std::prev(weak_.end());
  flows_.Add(HashOf({entry->flow.port(), entry->flow.id()}), entry);
  return entry;
}

void FlowTable::Remove(Entry* entry) {
  if (entry->timer != kNever) {
    timers_.erase({entry->timer, entry->number, entry});
  }
  Mark(entry, false, &Entry::unflushed, &unflushed_);
  Mark(entry, false, &Entry::starved, &starved_);
  if (found_ == entry) found_ = nullptr;
  DropTurn(entry);
  if (entry->unknown) --unknown_;
  kept_ -= entry->kept;
  if (entry->alias) DropAlias(entry);
  flows_.Remove(HashOf({entry->flow.port(), entry->flow.id()}), entry);
  (entry->weak ? weak_ : strong_).erase(entry->place);
}

void FlowTable::UpdateAlias(Entry* entry) {
  const TcpFlow& flow = entry->flow;
  const bool alias = flow.renamed();
  if (alias == entry->alias) return;
  entry->alias = alias;
  if (alias) {
    aliases_.emplace(Key{flow.port(), flow.guest_id()}, entry);
  } else {
    DropAlias(entry);
  }
}

void FlowTable::DropAlias(const Entry* entry) {
  std::erase_if(aliases_,
                [entry](const auto& alias) { return alias.second == entry; });
}

void FlowTable::UpdateTurn(Entry* entry) {
  const auto to = entry->flow.held_up();
  if (to && entry->turn != 0 && *to == entry->turn_to) return;
  DropTurn(entry);
  if (!to) return;
  entry->turn = ++last_turn_;
  entry->turn_to = *to;
  held_up_.emplace(Turn{entry->flow.port(), *to, entry->turn}, entry);
}

void FlowTable::DropTurn(Entry* entry) {
  if (entry->turn == 0) return;
  held_up_.erase({entry->flow.port(), entry->turn_to, entry->turn});
  entry->turn = 0;
}

void FlowTable::Update(Entry* entry, Time now) {
  const TcpFlow& flow = entry->flow;
  if (const bool weak = Weak(flow); weak != entry->weak) {
    Entries& from = weak ? strong_ : weak_;
    Entries& to = weak ? weak_ : strong_;
    to.splice(to.end(), from, entry->place);
    entry->weak = weak;
  }
  if (flow.unknown_to_guest() != entry->unknown) {
    entry->unknown = !entry->unknown;
    unknown_ += entry->unknown ? 1 : -1;
  }
  const uint64_t kept = flow.kept();
  kept_ += kept - entry->kept;
  entry->kept = kept;
  UpdateAlias(entry);
  if (!flow.closed()) {
    entry->expires = kNever;
  } else if (entry->expires == kNever) {
    entry->expires = now + kTimeWait;
  }
  const Time timer = std::min(flow.Deadline(), entry->expires);
  // One that moves away, as a keep-alive's does with each frame, is moved when
  // it comes up.
  if (timer < entry->timer || (timer == kNever && entry->timer != kNever) ||
      entry->timer <= now) {
    if (entry->timer != kNever) {
      timers_.erase({entry->timer, entry->number, entry});
    }
    if (timer != kNever) timers_.insert({timer, entry->number, entry});
    entry->timer = timer;
  }
  Mark(entry, flow.needs_flush(), &Entry::unflushed, &unflushed_);
  Mark(entry, flow.starved(), &Entry::starved, &starved_);
  UpdateTurn(entry);
}

void FlowTable::Mark(Entry* entry, bool marked, size_t Entry::*place,
                     Marked* entries) {
  if (marked == (entry->*place != 0)) return;
  if (marked) {
    entries->push_back(entry);
    entry->*place = entries->size();
  } else {
    // The last one takes its place.
    Entry* last = entries->back();
    last->*place = entry->*place;
    (*entries)[last->*place - 1] = last;
    entries->pop_back();
    entry->*place = 0;
  }
}

template <typename Event>
void FlowTable::ForAll(Time now, Event event) {
  std::vector<Entry*> entries;
  entries.reserve(flows_.size());
  for (Entries* list : {&weak_, &strong_}) {
    for (Entry& entry : *list) entries.push_back(&entry);
  }
  for (Entry* entry : entries) {
    event(entry->flow);
    Update(entry, now);
  }
}

// Each of them once, whether the event takes its mark away or not.
template <typename Event>
void FlowTable::ForMarked(const Marked& marked, Time now, Event event) {
  due_ = marked;
  for (Entry* entry : due_) {
    event(entry->flow);
    Update(entry, now);
  }
}

void FlowTable::Record(bool on) {
  if (on == resend_.recording) return;
  resend_.recording = on;
  if (!on) ForEach([](TcpFlow& flow) { flow.DropRecord(); });
}

void FlowTable::Adopt(Time now) {
  stopped_ = true;
  ForAll(now, [&](TcpFlow& flow) { flow.Adopt(now); });
}

void FlowTable::Release(Time now, Output& output) {
  stopped_ = false;
  ForAll(now, [&](TcpFlow& flow) { flow.Release(now, output); });
}

void FlowTable::Replay(Time now, Output& output) {
  ForAll(now, [&](TcpFlow& flow) { flow.Replay(now, output); });
}

void FlowTable::Replay(const TcpFlow& flow, Time now, Output& output) {
  Entry* entry = FindEntry({flow.port(), flow.id()});
  entry->flow.Replay(now, output);
  Update(entry, now);
}

void FlowTable::Flush(Time now, Output& output) {
  if (MayFeed()) {
    fed_ = budget_->news();
    ForMarked(starved_, now, [](TcpFlow& flow) { flow.Feed(); });
  }
  ForMarked(unflushed_, now, [&](TcpFlow& flow) { flow.Flush(now, output); });
}

void FlowTable::GoOn(unsigned port, Side to, Time now, Output& output) {
  while (output.HasRoom(port, to)) {
    const auto first = held_up_.lower_bound({port, to, 0});
    if (first == held_up_.end() || std::get<unsigned>(first->first) != port ||
        std::get<Side>(first->first) != to) {
      return;
    }
    Entry* entry = first->second;
    // Should it be held up again, it stands behind all others.
    DropTurn(entry);
    entry->flow.GoOn(now, output);
    Update(entry, now);
  }
}

Time FlowTable::Deadline() const {
  return timers_.empty() ? kNever : std::get<Time>(*timers_.begin());
}

void FlowTable::OnTimer(Time now, Output& output) {
  std::vector<Entry*> due;
  for (const auto& [time, number, entry] : timers_) {
    if (time > now) break;
    due.push_back(entry);
  }
  for (Entry* entry : due) {
    if (now >= entry->expires) {
      if (!entry->flow.awaited() && entry->flow.phase() == Phase::kFollowing) {
        Remove(entry);
        continue;
      }
      entry->expires = now + kTimeWait;
    }
    entry->flow.OnTimer(now, output);
    Update(entry, now);
  }
}

DetachRefusal FlowTable::Detach(TcpFlow& flow, Time now) {
  const DetachRefusal refusal = flow.Detach(now);
  Update(FindEntry({flow.port(), flow.id()}), now);
  return refusal;
}

DetachRefusal FlowTable::Reattach(TcpFlow& flow, Time now) {
  const DetachRefusal refusal = flow.Reattach();
  Update(FindEntry({flow.port(), flow.id()}), now);
  return refusal;
}

DetachRefusal FlowTable::ConnectGuest(TcpFlow& flow, uint16_t guest_port,
                                      Time now) {
  Entry* entry = FindEntry({flow.port(), flow.id()});
  const DetachRefusal refusal = flow.ConnectGuest(guest_port);
  if (entry->alias) DropAlias(entry);
  entry->alias = false;
  Update(entry, now);
  return refusal;
}

bool FlowTable::Free(const TcpFlow& flow, uint16_t guest_port) const {
  FlowId id = flow.id();
  id.guest.port = guest_port;
  return id == flow.id() || id == flow.guest_id() ||
         !Ambiguous({flow.port(), id});
}

SendRefusal FlowTable::SendInGuestsName(TcpFlow& flow,
                                        std::span<const uint8_t> bytes,
                                        Time now, Output& output) {
  const SendRefusal refusal = flow.SendInGuestsName(bytes, now, output);
  Update(FindEntry({flow.port(), flow.id()}), now);
  return refusal;
}

EditRefusal FlowTable::EditReply(const TcpFlow& flow, uint64_t position,
                                 uint32_t length,
                                 std::span<const uint8_t> replacement, Time now,
                                 Output& output) {
  Entry* entry = FindEntry({flow.port(), flow.id()});
  const EditRefusal refusal =
      entry->flow.EditReply(position, length, replacement, now, output);
  Update(entry, now);
  return refusal;
}

AnswerRefusal FlowTable::Answer(const TcpFlow& flow, uint64_t position,
                                uint32_t length, std::span<const uint8_t> bytes,
                                PeerEnd end, Time now, Output& output) {
  Entry* entry = FindEntry({flow.port(), flow.id()});
  const AnswerRefusal refusal =
      entry->flow.Answer(position, length, bytes, end, now, output);
  Update(entry, now);
  return refusal;
}

void FlowTable::Clear() {
  unknown_ = 0;
  kept_ = 0;
  found_ = nullptr;
  aliases_.clear();
  unflushed_.clear();
  starved_.clear();
  held_up_.clear();
  timers_.clear();
  weak_.clear();
  strong_.clear();
  flows_.Clear();
}

TcpFlow* FlowTable::Find(unsigned port, const FlowId& id) {
  Entry* found = FindEntry({port, id});
  return found == nullptr ? nullptr : &found->flow;
}

void FlowTable::ForEach(const std::function<void(TcpFlow&)>& visit) {
  for (Entries* list : {&weak_, &strong_}) {
    for (Entry& entry : *list) visit(entry.flow);
  }
}

size_t FlowTable::IdleFlowBytes() {
  // A node of a list has two pointers and the element.
  return sizeof(Entry) + 2 * sizeof(void*) + FlowIndex<Entry>::kBytesPerEntry;
}

void FlowTable::Save(Writer& writer) const {
  writer.U32(static_cast<uint32_t>(flows_.size()));
  for (const Entries* list : {&weak_, &strong_}) {
    for (const Entry& entry : *list) entry.flow.Save(writer);
  }
}

bool FlowTable::Load(Reader& reader, Time now) {
  // Flows keep a pointer to the configuration of the table that they will be
  // in, so they are read for this one.
  Entries loaded;
  std::unordered_map<Key, bool, Hash> seen(0, Hash{this});
  const uint32_t count = reader.U32();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    TcpFlow& flow = loaded.emplace_back(0, FlowId{}, this).flow;
    if (!flow.Load(reader, now)) return reader.Fail();
    const bool known = !seen.emplace(Key{flow.port(), flow.id()}, true).second;
    const bool alias = flow.renamed();
    if (known ||
        (alias &&
         !seen.emplace(Key{flow.port(), flow.guest_id()}, true).second)) {
      return reader.Fail();
    }
  }
  if (!reader.ok()) return false;
  Clear();
  for (Entry& entry : loaded) entry.flow.Loaded();
  while (!loaded.empty()) {
    weak_.splice(weak_.end(), loaded, loaded.begin());
    Update(Enlist(), now);
  }
  return true;
}

}  // namespace stubdomain
