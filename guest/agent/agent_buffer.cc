// What the agent does: waits with memory for the reply.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <exception>

#include "agent/agent.h"
#include "agent/log.h"

namespace stubdomain {

using nlohmann::json;

void Agent::OfferBuffer(ClientId client, uint32_t length, int memory,
                        json& message) {
  // Without this nobody knows which byte would come first: see StubdomainWait.
  if (!message.contains("received")) return;
  if (stubs_.contains(client)) {
    throw RequestError(Reason::kInvalid, "one wait per connection");
  }
  if (buffers_.size() >= kMaxBuffers) return;
  // A memory that cannot be had is no reason not to wait.
  try {
    const auto [at, is_new] =
        buffers_.try_emplace(client, memory, length, environment_.translate);
    message["buffer"] = at->second.Message();
  } catch (const RequestError&) {
    throw;
  } catch (const std::exception& error) {
    Log(std::string("memory for a reply: ") + error.what());
  }
}

}  // namespace stubdomain
