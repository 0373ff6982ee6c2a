// Finds the waits that a frame may end.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/stubs_by_flow.h"

#include <algorithm>

namespace stubdomain {
namespace {

template <class Map>
void Erase(Map& map, const typename Map::key_type& key,
           const ListenerStub& stub) {
  auto [at, end] = map.equal_range(key);
  while (at != end && at->second != &stub) ++at;
  map.erase(at);
}

}  // namespace

StubsByFlow::Name StubsByFlow::NameOf(unsigned port, const FlowId& id) {
  const auto guest = id.guest.address.words();
  const auto peer = id.peer.address.words();
  const uint64_t ports =
      uint64_t{port} << 32 | uint64_t{id.guest.port} << 16 | id.peer.port;
  return {ports, guest[0], guest[1], peer[0], peer[1]};
}

void StubsByFlow::Add(const ListenerStub& stub) {
  if (stub.kind() == ListenerStub::Kind::kReply) {
    replies_.emplace(NameOf(stub.port(), stub.flow_id()), &stub);
  } else {
    others_.emplace(stub.flow_id().guest.port, &stub);
  }
}

void StubsByFlow::Remove(const ListenerStub& stub) {
  if (stub.kind() == ListenerStub::Kind::kReply) {
    Erase(replies_, NameOf(stub.port(), stub.flow_id()), stub);
  } else {
    Erase(others_, stub.flow_id().guest.port, stub);
  }
}

void StubsByFlow::Clear() {
  replies_.clear();
  others_.clear();
}

std::vector<const ListenerStub*> StubsByFlow::On(const TcpFlow& flow) const {
  std::vector<const ListenerStub*> on;
  const auto take = [&](auto range) {
    for (auto at = range.first; at != range.second; ++at) {
      if (at->second->IsOn(flow)) on.push_back(at->second);
    }
  };
  take(replies_.equal_range(NameOf(flow.port(), flow.id())));
  take(others_.equal_range(flow.id().guest.port));
  std::ranges::sort(on, {}, &ListenerStub::number);
  return on;
}

const ListenerStub* StubsByFlow::FindFor(ListenerStub::Kind kind, unsigned port,
                                         const FlowId& id) const {
  const auto [begin, end] = others_.equal_range(id.guest.port);
  const auto at = std::find_if(begin, end, [&](const auto& entry) {
    return entry.second->IsFor(kind, port, id);
  });
  return at == end ? nullptr : at->second;
}

}  // namespace stubdomain
