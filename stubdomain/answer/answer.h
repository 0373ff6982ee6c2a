// Answering in the name of a stopped guest.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_ANSWER_ANSWER_H_
#define STUBDOMAIN_ANSWER_ANSWER_H_

#include <optional>

#include "answer/own_addresses.h"
#include "wire/frame.h"
#include "wire/packet.h"

namespace stubdomain {

// What the guest would answer to an ARP request, a neighbour solicitation or a
// ping that asks for one of its addresses.
std::optional<Frame> AnswerFor(const OwnAddresses& own, unsigned port,
                               const Packet& packet);

}  // namespace stubdomain

#endif  // STUBDOMAIN_ANSWER_ANSWER_H_
