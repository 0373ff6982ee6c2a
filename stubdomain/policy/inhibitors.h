// Who does not want the VM to be suspended.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_POLICY_INHIBITORS_H_
#define STUBDOMAIN_POLICY_INHIBITORS_H_

#include <array>
#include <cstdint>

#include "stubdomain/stubdomain.h"
#include "wire/serial.h"

namespace stubdomain {

// A count for the guest and one for the host: neither can take back what the
// other has asked for.
class Inhibitors {
 public:
  // False: SD_MAX_INHIBITS are there.
  bool Add(sd_owner owner) {
    if (counts_[owner] == SD_MAX_INHIBITS) return false;
    ++counts_[owner];
    return true;
  }
  // False: there is none.
  bool Remove(sd_owner owner) {
    if (counts_[owner] == 0) return false;
    --counts_[owner];
    return true;
  }
  void Clear(sd_owner owner) { counts_[owner] = 0; }
  uint32_t count(sd_owner owner) const { return counts_[owner]; }
  uint32_t total() const { return counts_[0] + counts_[1]; }

  void Save(Writer& writer) const {
    for (const uint32_t count : counts_) writer.U32(count);
  }
  // False if what is read is beyond the bound.
  bool Load(Reader& reader) {
    for (uint32_t& count : counts_) {
      count = reader.U32();
      if (count > SD_MAX_INHIBITS) return reader.Fail();
    }
    return reader.ok();
  }

 private:
  std::array<uint32_t, 2> counts_{};
};
static_assert(SD_OWNER_GUEST == 0 && SD_OWNER_HOST == 1);

}  // namespace stubdomain

#endif  // STUBDOMAIN_POLICY_INHIBITORS_H_
