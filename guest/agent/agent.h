// What the agent does: takes waits from programs to the device, and what
// became of them back. No I/O of its own, so that all of it runs in a test.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_AGENT_AGENT_H_
#define STUBDOMAIN_GUEST_AGENT_AGENT_H_

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "agent/detached_socket.h"
#include "agent/device.h"
#include "agent/hooks.h"
#include "agent/mailbox.h"
#include "agent/pinned_buffer.h"
#include "agent/proc_net.h"
#include "agent/program_threads.h"
#include "agent/wall_clock.h"
#include "protocol/messages.h"
#include "protocol/packet.h"

namespace stubdomain {

// Interrupt causes that come faster than they are handled are left to the next
// interrupt after this many.
inline constexpr int kMaxInterruptRounds = 16;
// A new socket is tried for that long while the peer has bytes of the old one
// to acknowledge, and how often.
inline constexpr std::chrono::seconds kMaxBusy{30};
inline constexpr int kBusyIntervalMs = 10;
// Waits with memory for their reply, which the kernel cannot move meanwhile.
// Who comes beyond finds its reply in the socket.
inline constexpr size_t kMaxBuffers = 64;

class Agent {
 public:
  // Number of a connection to a program, never used twice.
  using ClientId = uint64_t;
  using Clock = std::chrono::steady_clock;

  struct Environment {
    // Hands an answer to a client. `last`: nothing follows, hang up. `fd` goes
    // along if it is not -1; the agent keeps its own. It must not call the
    // agent.
    std::function<void(ClientId, const Answer&, bool last, int fd)> answer;
    std::function<std::optional<SocketEntry>(const Endpoint& guest,
                                             const Endpoint& peer)>
        find_socket;
    // How the agent learns of the device's interrupts, for "status".
    const char* interrupts;
    // Runs the administrator's hooks, for a bounded time.
    std::function<void(Hook)> run_hooks = [](Hook) {};
    // There are some for the time before a suspend.
    bool prepares = false;
    std::function<std::vector<ProcessThread>(pid_t)> list_threads =
        [](pid_t process) { return ListThreads(process); };
    std::function<Clock::time_point()> now = Clock::now;
    PinnedBuffer::Translate translate = PhysicalAddress;
  };

  // `device` and `clock` must outlive the agent.
  Agent(Device& device, WallClock& clock, Environment environment);

  // Says hello to the device, and clears what an agent before this one may
  // have left there. Throws RequestError if the device does not want it.
  void Start();
  // Cancels all waits and says bye. Only clients without their socket are told:
  // they get it back.
  void Stop();

  // Who sends a message.
  struct Caller {
    uid_t uid;
    pid_t pid;
  };
  void OnRequest(ClientId client, const Caller& caller, const Packet& packet);
  // The client hung up: its wait is cancelled. A connection without its socket
  // is closed, as if the client had still had it.
  void OnGone(ClientId client);
  // The device raised its interrupt, or may have.
  void OnInterrupt();
  // A connection waits for its new socket: call GiveBack() every
  // kBusyIntervalMs.
  bool giving_back() const { return !returning_.empty(); }
  void GiveBack();
  // See ProgramThreads.
  bool watching() const { return program_threads_.watching(); }
  void Look() { program_threads_.Look(); }

 private:
  struct Thread {
    uint32_t number;  // the device's
    uid_t owner;
    std::string name;
  };
  // A connection without its socket.
  struct Detached {
    DetachedSocket socket;
    nlohmann::json flow;  // StubdomainFlow
    uid_t owner;
    uint64_t forgotten;  // see ForgottenBytes, of the old socket
  };
  // One that is to get a socket again.
  struct Returning {
    ClientId client;
    Ended ended;
    Detached detached;
    Clock::time_point give_up;
  };

  void Wait(ClientId client, const Caller& caller, const WaitRequest& request,
            std::span<const UniqueFd> sockets);
  // Adds to a wait message that the reply may be written to `memory`.
  void OfferBuffer(ClientId client, uint32_t length, int memory,
                   nlohmann::json& message);
  // What the device is to be told about a wait, or how it is over already.
  std::variant<nlohmann::json, Ended> ProbeFlow(uid_t uid,
                                                const WaitRequest& request);
  std::variant<nlohmann::json, Ended> Probe(int socket, uint64_t wanted,
                                            std::optional<uint64_t> received);
  void Listen(ClientId client, uid_t uid, const ListenRequest& request);
  // A wait for which the connection is taken from its socket.
  void DetachAndWait(ClientId client, uid_t uid, const WaitRequest& request,
                     nlohmann::json message, int socket);
  // Whether the user may say that the thread waits.
  void CheckThread(uid_t uid, uint32_t thread) const;
  // Asks the device for something that may have ended by itself.
  void Undo(const nlohmann::json& request);
  // Hands a wait to the device; each of `messages` says what it is for, and the
  // first that ends ends them all. Lays all or none.
  template <typename Request>
  void Lay(ClientId client, const Request& request,
           std::vector<nlohmann::json> messages);
  // Returns the stub's number.
  uint32_t LayOne(const nlohmann::json& message);
  // Takes back all stubs of the client but `ended`.
  void CancelOthers(ClientId client, uint32_t ended);
  // The client's connection, if it has no socket, is to get one; false: it has.
  bool BeginReturn(ClientId client, const Ended& ended);
  // Throws RequestError: kBusy, try again.
  UniqueFd Reattach(const Detached& detached);
  // Registers a thread with the device; returns its number.
  uint32_t Enlist(const std::string& name);
  // The client's wait, if it is one of a program's thread, is over.
  void EndThreadsWait(ClientId client);
  // These hold until the client is gone.
  void Register(ClientId client, uid_t uid, const RegisterRequest& request);
  void Inhibit(ClientId client);
  void CancelWait(ClientId client);
  // Takes back all stubs of the client, which it then has no more. Returns the
  // first; nothing if it had none.
  std::optional<uint32_t> TakeBack(ClientId client);
  void SendStatus(ClientId client);
  void SendHistory(ClientId client);
  void CancelLeftovers();
  void Cancel(uint32_t stub);
  void OnSuspending();
  void OnRestored();
  void FetchResults();

  Device& device_;
  WallClock& clock_;
  Mailbox mailbox_;
  const Environment environment_;
  std::map<uint32_t, ClientId> clients_;  // by stub
  // In the order of the client's sockets.
  std::map<ClientId, std::vector<uint32_t>> stubs_;
  std::map<ClientId, Detached> detached_;
  std::map<ClientId, PinnedBuffer> buffers_;
  std::map<ClientId, Thread> threads_;
  ProgramThreads program_threads_;
  std::map<ClientId, ProgramThreads::Place> waiting_threads_;
  std::set<ClientId> inhibitors_;
  std::list<Returning> returning_;
  ForgottenBytes forgotten_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_AGENT_AGENT_H_
