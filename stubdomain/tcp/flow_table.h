// All TCP connections of the guest.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_TCP_FLOW_TABLE_H_
#define STUBDOMAIN_TCP_FLOW_TABLE_H_

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "tcp/flow_index.h"
#include "tcp/tcp_flow.h"

namespace stubdomain {

// A closed connection is remembered this long, so that a FIN that is sent again
// finds it (RFC 9293's TIME-WAIT is at most this long in practice).
inline constexpr Duration kTimeWait = std::chrono::seconds(60);

struct FlowTableConfig {
  size_t max_flows = 4096;
  uint32_t resend = 1 << 20;  // bytes: see ResendPool
  uint64_t total_resend = 16 << 20;
  FlowConfig flow;
};

// Finds the flow of each frame, makes flows for new connections and forgets
// old ones. When the table is full, a new connection takes the place of the
// flow that was idle longest, by the second, among
//   1. those that cannot be adopted (untracked, half open, closed), else
//   2. those being followed,
// but never of one that is awaited or that is not being followed. If there is
// none, the new connection is not followed and its frames pass.
class FlowTable {
 public:
  // `budget` outlives the table.
  FlowTable(const FlowTableConfig& config, BufferBudget* budget);
  ~FlowTable();
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;

  // A smaller max_flows evicts nothing; it binds the next new connection.
  void set_config(const FlowTableConfig& config);

  // -- events; for all flows, see TcpFlow --

  struct Result {
    Verdict verdict = Verdict::kPass;
    // The flow that the frame belongs to; null if it has none. Valid until the
    // next event.
    TcpFlow* flow = nullptr;
  };
  // `packet` has a TCP body; `from` says on which side of the stub it came.
  Result OnFrame(unsigned port, Side from, const Packet& packet, Time now,
                 Output& output);
  // Whether a suspend is near: see TcpFlow. Off drops what was recorded.
  void Record(bool on);
  // What the stub has answered in the guest's name goes on as a flow, which is
  // handed `packet`, the peer's acknowledgement. Null, and nothing happens, if
  // the table is full or has a connection between these ends that is not over.
  TcpFlow* Accept(unsigned port, const FlowId& id, const Answered& answered,
                  uint16_t guest_port, const Packet& packet, Time now,
                  Output& output);
  // From here to Release() the guest is stopped: flows that could not be
  // adopted are as soon as they can, when a frame of theirs comes.
  void Adopt(Time now);
  void Release(Time now, Output& output);
  void Replay(Time now, Output& output);
  // The same of one, which is of this table.
  void Replay(const TcpFlow& flow, Time now, Output& output);
  void Flush(Time now, Output& output);
  bool needs_flush() const { return !unflushed_.empty() || MayFeed(); }
  // Flows that were held up for lack of room go on, those first that have
  // waited longest, as long as there is room.
  void GoOn(unsigned port, Side to, Time now, Output& output);
  Time Deadline() const;
  void OnTimer(Time now, Output& output);
  // See TcpFlow. `flow` is of this table.
  DetachRefusal Detach(TcpFlow& flow, Time now);
  DetachRefusal Reattach(TcpFlow& flow, Time now);
  // `guest_port` must not be that of another connection to the same peer:
  // check with Free() before.
  DetachRefusal ConnectGuest(TcpFlow& flow, uint16_t guest_port, Time now);
  bool Free(const TcpFlow& flow, uint16_t guest_port) const;
  SendRefusal SendInGuestsName(TcpFlow& flow, std::span<const uint8_t> bytes,
                               Time now, Output& output);
  EditRefusal EditReply(const TcpFlow& flow, uint64_t position, uint32_t length,
                        std::span<const uint8_t> replacement, Time now,
                        Output& output);
  AnswerRefusal Answer(const TcpFlow& flow, uint64_t position, uint32_t length,
                       std::span<const uint8_t> bytes, PeerEnd end, Time now,
                       Output& output);
  // The guest was reset: its connections are gone. Awaited ones too.
  void Clear();

  // -- inspection --

  size_t size() const { return flows_.size(); }
  // Those of which the guest does not know yet.
  size_t unknown_to_guest() const { return unknown_; }
  uint64_t kept() const { return kept_; }
  // Null if it is not followed. A flow that is awaited stays valid until it is
  // no longer awaited, Clear() or Load().
  TcpFlow* Find(unsigned port, const FlowId& id);
  // In a stable order. `visit` must not call into the table.
  void ForEach(const std::function<void(TcpFlow&)>& visit);

  // Memory that one idle flow takes, hash table included; for the figures.
  static size_t IdleFlowBytes();

  // -- serial form --

  void Save(Writer& writer) const;
  // Replaces all flows; none is awaited then. On false nothing has changed.
  bool Load(Reader& reader, Time now);

 private:
  struct Key {
    unsigned port = 0;
    FlowId id;
    friend bool operator==(const Key&, const Key&) = default;
  };
  // Keyed by where the table lies, so that nobody outside can aim at
  // collisions.
  struct Hash {
    const void* seed;
    size_t operator()(const Key& key) const;
  };
  struct Entry;
  using Entries = std::list<Entry>;
  using Due = std::tuple<Time, uint64_t, Entry*>;
  // Entries that an event is due for, in no particular order. Each knows its
  // place.
  using Marked = std::vector<Entry*>;
  // Whom a flow waits to send to, and since when: a number that grows.
  using Turn = std::tuple<unsigned, Side, uint64_t>;

  static bool Weak(const TcpFlow& flow);
  // Whether a connection between these ends could not be told from another.
  bool Ambiguous(const Key& key) const;
  uint64_t HashOf(const Key& key) const { return Hash{this}(key); }
  Entry* FindEntry(const Key& key) const;
  Entry* FindByAlias(const Key& key, const TcpSegment& segment);
  Entry* FindOrAdd(const Key& key, Side from, const TcpSegment& segment);
  bool MakeRoom();
  Entry* Add(const Key& key);
  // It is the last of weak_.
  Entry* Enlist();
  void Remove(Entry* entry);
  // A flow lacks room, and there is more than when it was last looked for.
  bool MayFeed() const { return !starved_.empty() && fed_ != budget_->news(); }
  void UpdateAlias(Entry* entry);
  void DropAlias(const Entry* entry);
  void UpdateTurn(Entry* entry);
  void DropTurn(Entry* entry);
  // To be called after each event of the entry's flow.
  void Update(Entry* entry, Time now);
  template <typename Event>
  void ForAll(Time now, Event event);
  static void Mark(Entry* entry, bool marked, size_t Entry::*place,
                   Marked* entries);
  template <typename Event>
  void ForMarked(const Marked& marked, Time now, Event event);

  FlowTableConfig config_;
  BufferBudget* budget_;
  ResendPool resend_;
  FlowIndex<Entry> flows_;
  // What was found last: frames of a connection come one after the other.
  mutable Entry* found_ = nullptr;
  // Flows that the guest knows by another port than the peer, as the guest
  // does.
  std::unordered_map<Key, Entry*, Hash> aliases_;
  // The longest idle first, by kIdleGrain: those that are evicted first, and
  // the others.
  Entries weak_;
  Entries strong_;
  size_t unknown_ = 0;
  uint64_t kept_ = 0;  // by all flows; asked for with every frame
  std::set<Due> timers_;
  Marked unflushed_;
  Marked starved_;
  Marked due_;        // for ForMarked(), which keeps its memory
  uint64_t fed_ = 0;  // the budget's news when the starved were last offered it
  std::map<Turn, Entry*> held_up_;
  uint64_t last_number_ = 0;
  uint64_t last_turn_ = 0;
  bool stopped_ = false;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_TCP_FLOW_TABLE_H_
