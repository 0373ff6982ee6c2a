// Requests to the device through its mailbox: JSON in, JSON out.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/mailbox.h"

#include <string>

#include "hw/stubdomain/regs.h"
#include "protocol/json_reader.h"
#include "protocol/messages.h"

namespace stubdomain {

using nlohmann::json;

json Mailbox::Call(const json& request) {
  const std::string text = request.dump();
  if (text.size() > STUBDOMAIN_REQUEST_MAX) {
    throw RequestError(Reason::kInvalid,
                       "the request is longer than the device's mailbox");
  }
  device_.WriteRequest(text);
  device_.Write(STUBDOMAIN_REG_REQUEST_LENGTH,
                static_cast<uint32_t>(text.size()));
  device_.Write(STUBDOMAIN_REG_DOORBELL, 1);

  const uint32_t result = device_.Read(STUBDOMAIN_REG_RESULT);
  const uint32_t length = device_.Read(STUBDOMAIN_REG_RESPONSE_LENGTH);
  if (length > STUBDOMAIN_RESPONSE_MAX) {
    throw RequestError(Reason::kDevice, "the device's response has " +
                                            std::to_string(length) +
                                            " bytes, more than its mailbox");
  }
  const std::string response = device_.ReadResponse(length);
  switch (result) {
    case STUBDOMAIN_RESULT_OK:
      break;
    case STUBDOMAIN_RESULT_SYNTAX:
      throw RequestError(Reason::kInvalid, response);
    case STUBDOMAIN_RESULT_REFUSED:
      throw RequestError(Reason::kRefused, response);
    case STUBDOMAIN_RESULT_BUSY:
      throw RequestError(Reason::kBusy, response);
    default:
      throw RequestError(Reason::kDevice, "the device's result was " +
                                              std::to_string(result) + ": " +
                                              response);
  }
  try {
    return ParseJsonObject(response);
  } catch (const JsonError& error) {
    throw RequestError(Reason::kDevice,
                       std::string("the device's response: ") + error.what());
  }
}

}  // namespace stubdomain
