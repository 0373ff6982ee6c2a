// Answering handshakes in the guest's name.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_ACCEPT_ACCEPTOR_H_
#define STUBDOMAIN_ACCEPT_ACCEPTOR_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "accept/guest_offer.h"
#include "accept/sip_hash.h"
#include "accept/syn_cookie.h"
#include "tcp/connection.h"
#include "wire/packet.h"
#include "wire/serial.h"
#include "wire/time.h"

namespace stubdomain {

// Ports of the guest whose SYNs were answered a short time ago. Beyond the
// bound the one that was used longest ago is forgotten.
inline constexpr size_t kMaxServedPorts = 64;

// Answers SYNs with SYN cookies, and knows the acknowledgements of its answers.
// Of a SYN it keeps nothing but its port, so that no flood of them takes any
// memory. A peer whose answer was lost asks again; a peer whose
// acknowledgement was lost is known by its first bytes.
class Acceptor {
 public:
  void Seed(const SipKey& key) { key_ = key; }
  bool seeded() const { return key_.has_value(); }

  // A segment that the guest sends: what it offers, the answers offer.
  void Learn(const IpHeader& ip, const TcpSegment& segment) {
    offer_.Learn(ip, segment);
  }

  // The answer to a SYN. `guest_port` is where the connection is to be handed
  // to; `window` is what the stub can keep of it. Seeded.
  Frame Answer(const FlowId& id, const Packet& syn, uint16_t guest_port,
               uint16_t window, Time now);

  struct Accepted {
    Answered answered;
    uint16_t guest_port;
  };
  // What a segment of a peer acknowledges, if it is an answer that is not too
  // old. `window` is as above. False quickly where nothing was answered.
  std::optional<Accepted> Check(const FlowId& id, const Packet& packet,
                                uint16_t window, Time now);
  bool serves() const { return !served_.empty(); }
  bool Serves(const Endpoint& guest, Time now);

  void Save(Writer& writer, Time now) const;
  // False: malformed.
  bool Load(Reader& reader, Time now);

 private:
  // As promised in the answers, whatever the guest offers elsewhere meanwhile.
  struct Served {
    Endpoint guest;
    uint16_t guest_port = 0;
    uint16_t mss = 0;
    std::optional<uint8_t> shift;
    Time until{};
  };

  void Forget(Time now);
  Served* Find(const Endpoint& guest);
  Served& Serve(const Endpoint& guest, uint16_t guest_port, Time now);

  std::optional<SipKey> key_;
  GuestOffer offer_;
  std::vector<Served> served_;  // the one that was used longest ago first
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_ACCEPT_ACCEPTOR_H_
