// What came for a stopped guest, in words.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_UNMATCHED_DESCRIPTION_H_
#define STUBDOMAIN_UNMATCHED_DESCRIPTION_H_

#include <string>

#include "wire/packet.h"

namespace stubdomain {

// "TCP connection attempt from 192.0.2.1:40000 to 192.0.2.2:22", for a person.
// `packet` has a TCP or UDP body, or is a fragment.
std::string Describe(const Packet& packet);

}  // namespace stubdomain

#endif  // STUBDOMAIN_UNMATCHED_DESCRIPTION_H_
