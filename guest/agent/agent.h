// What the agent does: takes waits from programs to the device, and what
// became of them back. No I/O of its own, so that all of it runs in a test.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_AGENT_H_
#define STUBDOMAIN_GUEST_AGENT_AGENT_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "agent/device.h"
#include "agent/mailbox.h"
#include "agent/proc_net.h"
#include "agent/wall_clock.h"
#include "protocol/messages.h"
#include "protocol/packet.h"

namespace stubdomain {

// Interrupt causes that come faster than they are handled are left to the next
// interrupt after this many.
inline constexpr int kMaxInterruptRounds = 16;

class Agent {
 public:
  // Number of a connection to a program, never used twice.
  using ClientId = uint64_t;

  struct Environment {
    // Hands an answer to a client. `last`: nothing follows, hang up. It must
    // not call the agent.
    std::function<void(ClientId, const Answer&, bool last)> answer;
    std::function<std::optional<SocketEntry>(const Endpoint& guest,
                                             const Endpoint& peer)>
        find_socket;
    // How the agent learns of the device's interrupts, for "status".
    const char* interrupts;
  };

  // `device` and `clock` must outlive the agent.
  Agent(Device& device, WallClock& clock, Environment environment);

  // Says hello to the device, and clears what an agent before this one may
  // have left there. Throws RequestError if the device does not want it.
  void Start();
  // Cancels all waits without telling the clients, and says bye.
  void Stop();

  // A message of a client that runs as user `uid`.
  void OnRequest(ClientId client, uid_t uid, const Packet& packet);
  // The client hung up: its wait is cancelled.
  void OnGone(ClientId client);
  // The device raised its interrupt, or may have.
  void OnInterrupt();

 private:
  void Wait(ClientId client, uid_t uid, const WaitRequest& request,
            const UniqueFd& socket);
  void Listen(ClientId client, uid_t uid, const ListenRequest& request);
  // Hands a wait to the device; `message` says what it is for.
  template <typename Request>
  void Lay(ClientId client, const Request& request, nlohmann::json message);
  void SendStatus(ClientId client);
  void CancelLeftovers();
  void Cancel(uint32_t stub);
  void OnRestored();
  void FetchResults();

  Device& device_;
  WallClock& clock_;
  Mailbox mailbox_;
  const Environment environment_;
  std::map<uint32_t, ClientId> clients_;  // by stub
  std::map<ClientId, uint32_t> stubs_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_AGENT_H_
