// The stub domain of one VM: replies that go into the guest's memory.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>

#include "stub_domain.h"

namespace stubdomain {

// What the guest was sent already is in its socket, or will be: only a reply of
// which that is nothing can be read from another place before the rest.
const sd_buffer* StubDomain::BufferOf(const ListenerStub& stub) const {
  if (stub.buffer() == nullptr) return nullptr;
  const TcpFlow* flow = FlowOf(stub);
  if (flow == nullptr || AnyAftermathOn(*flow) ||
      flow->unsent() != stub.before()) {
    return nullptr;
  }
  return stub.buffer();
}

uint32_t StubDomain::NextBuffer(uint32_t after, sd_buffer* buffer) const {
  const auto& answered = stubs_.all_answered();
  for (auto at = answered.upper_bound(after); at != answered.end(); ++at) {
    const sd_buffer* found = BufferOf(at->second);
    if (found == nullptr) continue;
    *buffer = *found;
    return at->first;
  }
  return 0;
}

size_t StubDomain::TakeReply(uint32_t number, std::span<uint8_t> bytes,
                             Time now) {
  now = Advance(now);
  const auto at = stubs_.all_answered().find(number);
  if (at == stubs_.all_answered().end()) return 0;
  const sd_buffer* buffer = BufferOf(at->second);
  if (buffer == nullptr) return 0;
  bytes = bytes.first(std::min<size_t>(bytes.size(), buffer->length));
  const uint64_t begin = at->second.before();
  TcpFlow& flow = *FlowOf(at->second);
  size_t taken = 0;
  flow.ReadReply(begin, [&](std::span<const uint8_t> piece) {
    piece = piece.first(std::min(piece.size(), bytes.size() - taken));
    std::ranges::copy(piece, bytes.begin() + static_cast<ptrdiff_t>(taken));
    taken += piece.size();
    return taken < bytes.size();
  });
  if (taken == 0 ||
      flows_->table.EditReply(flow, begin, static_cast<uint32_t>(taken), {},
                              now, outbound_) != EditRefusal::kNone) {
    return 0;
  }
  NoteEdit(flow, 0 - uint64_t{taken});
  // What follows is the rest of a reply that another wait has.
  stubs_.DropBuffers(flow);
  return taken;
}

}  // namespace stubdomain
