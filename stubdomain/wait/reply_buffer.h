// Memory of the guest that a reply may be written into.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WAIT_REPLY_BUFFER_H_
#define STUBDOMAIN_WAIT_REPLY_BUFFER_H_

#include "stubdomain/stubdomain.h"
#include "wire/serial.h"

namespace stubdomain {

// See sd_buffer for what must hold.
bool IsSound(const sd_buffer& buffer);

void SaveBuffer(const sd_buffer& buffer, Writer& writer);
// Check reader.ok() afterwards.
sd_buffer LoadBuffer(Reader& reader);

}  // namespace stubdomain

#endif  // STUBDOMAIN_WAIT_REPLY_BUFFER_H_
