// All TCP connections of the guest.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "tcp/flow_table.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace stubdomain {

struct FlowTable::Entry {
  std::unique_ptr<TcpFlow> flow;
  uint64_t number = 0;   // in the order of creation
  bool weak = true;      // in which list it is
  bool unknown = false;  // to the guest: it counts as such
  bool alias = false;    // it is in aliases_
  Entries::iterator place;
  Time timer = kNever;    // its entry in timers_; kNever: it has none
  Time expires = kNever;  // once the flow is closed
};

// A multiply-and-fold hash over the bytes that tell connections apart.
size_t FlowTable::Hash::operator()(const Key& key) const {
  uint64_t hash = reinterpret_cast<uintptr_t>(seed);
  const auto mix = [&hash](uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  };
  for (const Endpoint* endpoint : {&key.id.guest, &key.id.peer}) {
    uint64_t words[2] = {};
    const auto bytes = endpoint->address.bytes();
    std::memcpy(words, bytes.data(), bytes.size());
    mix(words[0]);
    mix(words[1]);
    mix(endpoint->port);
  }
  mix(key.port);
  return hash;
}

FlowTable::FlowTable(const FlowTableConfig& config, BufferBudget* budget)
    : config_(config),
      budget_(budget),
      flows_(0, Hash{this}),
      aliases_(0, Hash{this}) {}

FlowTable::~FlowTable() = default;

void FlowTable::set_config(const FlowTableConfig& config) { config_ = config; }

bool FlowTable::Weak(const TcpFlow& flow) {
  return !flow.tracked() || !flow.established() || flow.closed();
}

FlowTable::Result FlowTable::OnFrame(unsigned port, Side from,
                                     const Packet& packet, Time now,
                                     Output& output) {
  const TcpSegment& segment = *packet.tcp();
  const Endpoint source{packet.ip->source, segment.source_port};
  const Endpoint destination{packet.ip->destination, segment.destination_port};
  const Key key{port, from == Side::kGuest ? FlowId{source, destination}
                                           : FlowId{destination, source}};
  Entry* entry = nullptr;
  if (!aliases_.empty()) {
    entry = FindByAlias(key, segment);
    // The peer itself has nothing to say to the guest by that name.
    if (entry != nullptr && from == Side::kPeer) return {Verdict::kTaken};
  }
  if (entry == nullptr) entry = FindOrAdd(key, from, segment);
  if (entry == nullptr) return {};
  const Verdict verdict = entry->flow->OnFrame(from, packet, now, output);
  if (stopped_ && entry->flow->phase() == Phase::kFollowing) {
    entry->flow->Adopt(now);
  }
  Entries& list = entry->weak ? weak_ : strong_;
  list.splice(list.end(), list, entry->place);
  Update(entry, now);
  return {verdict, entry->flow.get()};
}

FlowTable::Entry* FlowTable::FindOrAdd(const Key& key, Side from,
                                       const TcpSegment& segment) {
  if (const auto found = flows_.find(key); found != flows_.end()) {
    return found->second.get();
  }
  // Only a first SYN makes a flow that can be adopted. Of the others only what
  // the guest has is worth knowing of: anybody can send to it.
  const bool first_syn = segment.has(kSyn) && !segment.has(kAck);
  const bool under_way =
      from == Side::kGuest && segment.has(kAck) && !segment.has(kSyn);
  if (segment.has(kRst) || !(first_syn || under_way) || !MakeRoom()) {
    return nullptr;
  }
  return Add(std::make_unique<TcpFlow>(key.port, key.id, &config_.flow, budget_,
                                       &resend_));
}

FlowTable::Entry* FlowTable::FindByAlias(const Key& key,
                                         const TcpSegment& segment) {
  const auto found = aliases_.find(key);
  if (found == aliases_.end()) return nullptr;
  Entry* entry = found->second;
  const bool anew = segment.has(kSyn) && !segment.has(kAck);
  if (!anew || !entry->flow->closed() || entry->flow->awaited()) return entry;
  // A connection that bears the name by right; the other is over.
  Remove(entry);
  return nullptr;
}

bool FlowTable::Ambiguous(const Key& key) const {
  const auto found = flows_.find(key);
  return aliases_.contains(key) ||
         (found != flows_.end() && !found->second->flow->closed());
}

TcpFlow* FlowTable::Accept(unsigned port, const FlowId& id,
                           const Answered& answered, uint16_t guest_port,
                           const Packet& packet, Time now, Output& output) {
  if (const auto found = flows_.find(Key{port, id}); found != flows_.end()) {
    const TcpFlow& before = *found->second->flow;
    if (before.awaited() || before.phase() != Phase::kFollowing ||
        (before.answered() && !before.closed())) {
      return nullptr;
    }
    Remove(found->second.get());
  }
  FlowId guest_id = id;
  guest_id.guest.port = guest_port;
  if (!(guest_id == id) && Ambiguous({port, guest_id})) return nullptr;
  if (!MakeRoom()) return nullptr;
  Entry* entry = Add(TcpFlow::Accept(port, id, answered, guest_port,
                                     &config_.flow, budget_, &resend_, now));
  entry->flow->OnFrame(Side::kPeer, packet, now, output);
  Update(entry, now);
  return entry->flow.get();
}

bool FlowTable::MakeRoom() {
  if (flows_.size() < config_.max_flows) return true;
  for (const Entries* list : {&weak_, &strong_}) {
    for (Entry* entry : *list) {
      if (entry->flow->phase() == Phase::kFollowing &&
          !entry->flow->awaited()) {
        Remove(entry);
        return flows_.size() < config_.max_flows;
      }
    }
  }
  return false;
}

FlowTable::Entry* FlowTable::Add(std::unique_ptr<TcpFlow> flow) {
  auto added = std::make_unique<Entry>();
  Entry* entry = added.get();
  entry->number = ++last_number_;
  entry->place = weak_.insert(weak_.end(), entry);
  const Key key{flow->port(), flow->id()};
  entry->flow = std::move(flow);
  flows_.emplace(key, std::move(added));
  return entry;
}

void FlowTable::Remove(Entry* entry) {
  if (entry->timer != kNever) {
    timers_.erase({entry->timer, entry->number, entry});
  }
  unflushed_.erase(entry->number);
  starved_.erase(entry->number);
  if (entry->unknown) --unknown_;
  if (entry->alias) DropAlias(entry);
  (entry->weak ? weak_ : strong_).erase(entry->place);
  flows_.erase(Key{entry->flow->port(), entry->flow->id()});
}

void FlowTable::UpdateAlias(Entry* entry) {
  const TcpFlow& flow = *entry->flow;
  const bool alias = !(flow.guest_id() == flow.id());
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

void FlowTable::Update(Entry* entry, Time now) {
  const TcpFlow& flow = *entry->flow;
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
  UpdateAlias(entry);
  if (!flow.closed()) {
    entry->expires = kNever;
  } else if (entry->expires == kNever) {
    entry->expires = now + kTimeWait;
  }
  const Time timer = std::min(flow.Deadline(), entry->expires);
  if (timer != entry->timer) {
    if (entry->timer != kNever) {
      timers_.erase({entry->timer, entry->number, entry});
    }
    if (timer != kNever) timers_.insert({timer, entry->number, entry});
    entry->timer = timer;
  }
  const auto mark = [entry](bool marked, std::map<uint64_t, Entry*>* entries) {
    if (marked) {
      entries->emplace(entry->number, entry);
    } else if (!entries->empty()) {
      entries->erase(entry->number);
    }
  };
  mark(flow.needs_flush(), &unflushed_);
  mark(flow.starved(), &starved_);
}

template <typename Event>
void FlowTable::ForAll(Time now, Event event) {
  std::vector<Entry*> entries(weak_.begin(), weak_.end());
  entries.insert(entries.end(), strong_.begin(), strong_.end());
  for (Entry* entry : entries) {
    event(*entry->flow);
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

void FlowTable::Flush(Time now, Output& output) {
  if (MayFeed()) {
    fed_ = budget_->news();
    const auto starved = starved_;
    for (const auto& [number, entry] : starved) {
      entry->flow->Feed();
      Update(entry, now);
    }
  }
  const auto entries = unflushed_;
  for (const auto& [number, entry] : entries) {
    entry->flow->Flush(now, output);
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
      if (!entry->flow->awaited() &&
          entry->flow->phase() == Phase::kFollowing) {
        Remove(entry);
        continue;
      }
      entry->expires = now + kTimeWait;
    }
    entry->flow->OnTimer(now, output);
    Update(entry, now);
  }
}

DetachRefusal FlowTable::Detach(TcpFlow& flow, Time now) {
  const DetachRefusal refusal = flow.Detach(now);
  Update(flows_.at(Key{flow.port(), flow.id()}).get(), now);
  return refusal;
}

DetachRefusal FlowTable::Reattach(TcpFlow& flow, Time now) {
  const DetachRefusal refusal = flow.Reattach();
  Update(flows_.at(Key{flow.port(), flow.id()}).get(), now);
  return refusal;
}

DetachRefusal FlowTable::ConnectGuest(TcpFlow& flow, uint16_t guest_port,
                                      Time now) {
  Entry* entry = flows_.at(Key{flow.port(), flow.id()}).get();
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

EditRefusal FlowTable::EditReply(const TcpFlow& flow, uint64_t position,
                                 uint32_t length,
                                 std::span<const uint8_t> replacement, Time now,
                                 Output& output) {
  Entry* entry = flows_.at(Key{flow.port(), flow.id()}).get();
  const EditRefusal refusal =
      entry->flow->EditReply(position, length, replacement, now, output);
  Update(entry, now);
  return refusal;
}

void FlowTable::Clear() {
  unknown_ = 0;
  aliases_.clear();
  unflushed_.clear();
  starved_.clear();
  timers_.clear();
  weak_.clear();
  strong_.clear();
  flows_.clear();
}

uint64_t FlowTable::kept() const {
  uint64_t sum = 0;
  for (const auto& [key, entry] : flows_) sum += entry->flow->kept();
  return sum;
}

TcpFlow* FlowTable::Find(unsigned port, const FlowId& id) {
  const auto found = flows_.find(Key{port, id});
  return found == flows_.end() ? nullptr : found->second->flow.get();
}

void FlowTable::ForEach(const std::function<void(TcpFlow&)>& visit) {
  for (const Entries* list : {&weak_, &strong_}) {
    for (Entry* entry : *list) visit(*entry->flow);
  }
}

size_t FlowTable::IdleFlowBytes() {
  // A node of the hash table is a pointer, the pair, and its hash; a bucket is
  // a pointer; a node of the list has two and the element.
  constexpr size_t kPointer = sizeof(void*);
  return sizeof(TcpFlow) + sizeof(Entry) +
         sizeof(std::pair<Key, std::unique_ptr<Entry>>) + 3 * kPointer +
         3 * kPointer;
}

void FlowTable::Save(Writer& writer) const {
  writer.U32(static_cast<uint32_t>(flows_.size()));
  for (const Entries* list : {&weak_, &strong_}) {
    for (const Entry* entry : *list) entry->flow->Save(writer);
  }
}

bool FlowTable::Load(Reader& reader, Time now) {
  // Flows keep a pointer to the configuration of the table that they will be
  // in, so they are read for this one.
  std::vector<std::unique_ptr<TcpFlow>> flows;
  std::unordered_map<Key, bool, Hash> seen(0, Hash{this});
  const uint32_t count = reader.U32();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    auto flow = TcpFlow::Load(reader, &config_.flow, budget_, &resend_, now);
    if (!flow) return reader.Fail();
    const bool known =
        !seen.emplace(Key{flow->port(), flow->id()}, true).second;
    const bool alias = !(flow->guest_id() == flow->id());
    if (known ||
        (alias &&
         !seen.emplace(Key{flow->port(), flow->guest_id()}, true).second)) {
      return reader.Fail();
    }
    flows.push_back(std::move(flow));
  }
  if (!reader.ok()) return false;
  Clear();
  for (auto& flow : flows) Update(Add(std::move(flow)), now);
  return true;
}

}  // namespace stubdomain
