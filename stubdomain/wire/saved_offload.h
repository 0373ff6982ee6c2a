// The serial form of what virtio's header says of a frame.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_SAVED_OFFLOAD_H_
#define STUBDOMAIN_WIRE_SAVED_OFFLOAD_H_

#include "wire/frame.h"
#include "wire/serial.h"

namespace stubdomain {

void SaveOffload(const Offload& offload, Writer& writer);
// Check reader.ok().
Offload LoadOffload(Reader& reader);

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_SAVED_OFFLOAD_H_
