// A tap device: the wire's end at a kernel's TCP.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_ENGINE_PROXY_TAP_H_
#define STUBDOMAIN_ENGINE_PROXY_TAP_H_

#include <optional>
#include <string>

#include "owned_frame.h"
#include "protocol/unique_fd.h"

namespace stubdomain {

class Tap {
 public:
  // Attaches to the device `name`, which has vnet_hdr, in a network namespace
  // of iproute2's. With `offload` the kernel hands over partial checksums and
  // GSO frames. Throws std::system_error.
  Tap(const std::string& netns, const std::string& name, bool offload);

  int fd() const { return fd_.get(); }
  // Nothing: no frame is there.
  std::optional<OwnedFrame> Read();
  // A frame that the kernel does not take is lost, as on a wire.
  void Write(const OwnedFrame& frame);

 private:
  UniqueFd fd_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_ENGINE_PROXY_TAP_H_
