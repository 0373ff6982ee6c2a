// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "agent/mailbox.h"

#include <gtest/gtest.h>

#include "agent/fake_device.h"
#include "protocol/messages.h"

namespace stubdomain {
namespace {

using nlohmann::json;

// "reason: text" of the refusal, or "none".
std::string RefusalOf(Mailbox& mailbox, const json& request) {
  try {
    mailbox.Call(request);
  } catch (const RequestError& error) {
    return std::string(ReasonName(error.reason())) + ": " + error.what();
  }
  return "none";
}

class MailboxTest : public testing::Test {
 protected:
  FakeDevice device_;
  Mailbox mailbox_{device_};
};

TEST_F(MailboxTest, RequestGoesOutAndResponseComesBack) {
  device_.AnswerNext(STUBDOMAIN_RESULT_OK, R"({"stub": 5})");
  EXPECT_EQ(mailbox_.Call({{"op", "wait"}}), (json{{"stub", 5}}));
  EXPECT_EQ(device_.LastRequest(), (json{{"op", "wait"}}));
}

TEST_F(MailboxTest, DevicesRefusalsKeepTheirText) {
  device_.AnswerNext(STUBDOMAIN_RESULT_REFUSED, "no such connection");
  EXPECT_EQ(RefusalOf(mailbox_, {{"op", "wait"}}),
            "refused: no such connection");
  device_.AnswerNext(STUBDOMAIN_RESULT_SYNTAX, "plan.x is unexpected");
  EXPECT_EQ(RefusalOf(mailbox_, {{"op", "wait"}}),
            "invalid: plan.x is unexpected");
}

TEST_F(MailboxTest, ResultsThatMakeNoSenseAreTheDevices) {
  device_.AnswerNext(STUBDOMAIN_RESULT_NONE, "");
  EXPECT_EQ(RefusalOf(mailbox_, {{"op", "wait"}}),
            "device: the device's result was 1: ");
  device_.AnswerNext(99, "x");
  EXPECT_EQ(RefusalOf(mailbox_, {{"op", "wait"}}),
            "device: the device's result was 99: x");
  device_.AnswerNext(STUBDOMAIN_RESULT_OK, "nonsense");
  EXPECT_EQ(RefusalOf(mailbox_, {{"op", "wait"}}).substr(0, 30),
            "device: the device's response:");
}

TEST_F(MailboxTest, ResponseAtTheBoundIsTakenAndBeyondRefused) {
  const std::string frame = R"({"a":""})";
  std::string response =
      R"({"a":")" + std::string(STUBDOMAIN_RESPONSE_MAX - frame.size(), 'x') +
      R"("})";
  device_.AnswerNext(STUBDOMAIN_RESULT_OK, response);
  EXPECT_EQ(RefusalOf(mailbox_, {{"op", "status"}}), "none");
  device_.AnswerNext(STUBDOMAIN_RESULT_OK, response + " ");
  EXPECT_EQ(RefusalOf(mailbox_, {{"op", "status"}}),
            "device: the device's response has 32769 bytes, more than its "
            "mailbox");
}

TEST_F(MailboxTest, RequestAtTheBoundIsSentAndBeyondNot) {
  json request = {{"op", "status"}, {"x", ""}};
  const size_t rest = STUBDOMAIN_REQUEST_MAX - request.dump().size();
  request["x"] = std::string(rest, 'x');
  EXPECT_EQ(RefusalOf(mailbox_, request), "none");
  device_.TakeOps();
  request["x"] = std::string(rest + 1, 'x');
  EXPECT_EQ(RefusalOf(mailbox_, request),
            "invalid: the request is longer than the device's mailbox");
  EXPECT_TRUE(device_.TakeOps().empty());
}

}  // namespace
}  // namespace stubdomain
