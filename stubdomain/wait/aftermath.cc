// What a plan still does with a message once it has woken the guest.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wait/aftermath.h"

#include "state/saved_time.h"

namespace stubdomain {

void Aftermath::Save(Writer& writer, Time now) const {
  stub_.Save(writer, now);
  SaveTime(until_, now, writer);
  writer.U64(bytes_);
}

Aftermath Aftermath::Load(Reader& reader, Time now) {
  Aftermath aftermath(ListenerStub::Load(reader, now), now);
  // Nobody can be made to wait for longer.
  aftermath.until_ = std::min(LoadTime(reader, now), aftermath.until_);
  aftermath.bytes_ = reader.U64();
  if (!aftermath.stub_.Follows()) reader.Fail();
  return aftermath;
}

}  // namespace stubdomain
