// The stub domain's status as text for a person.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "stubctl/status_text.h"

#include <cstdint>
#include <sstream>

#include "protocol/endpoint.h"
#include "protocol/json_reader.h"

namespace stubdomain {

using nlohmann::json;

namespace {

std::string EndpointText(const Endpoint& endpoint) {
  const bool is_v6 = endpoint.host.find(':') != endpoint.host.npos;
  const std::string port = ":" + std::to_string(endpoint.port);
  return is_v6 ? "[" + endpoint.host + "]" + port : endpoint.host + port;
}

uint64_t Figure(JsonReader& reader, const char* key) {
  const auto value = reader.Number(key, 0, UINT64_MAX);
  if (!value) reader.Missing(key);
  return *value;
}

// What a stub waits for: either end, or a part of it, may be any.
std::string EndText(JsonReader& flow, const char* key) {
  const json* end = flow.Object(key);
  if (end == nullptr) return "any";
  JsonReader reader(*end, flow.Place(key));
  const auto host = reader.String("host");
  const auto port = reader.Number("port", 1, UINT16_MAX);
  if (host && port) return EndpointText({*host, static_cast<uint16_t>(*port)});
  if (port) return "port " + std::to_string(*port);
  return host.value_or("any");
}

std::string StubText(const json& stub) {
  JsonReader reader(stub, "stubs");
  const json* flow_json = reader.Object("flow");
  if (flow_json == nullptr) reader.Missing("flow");
  JsonReader flow(*flow_json, "stubs.flow");
  std::ostringstream text;
  text << "stub " << Figure(reader, "stub") << ": " << EndText(flow, "guest")
       << " <- " << EndText(flow, "peer") << ", " << Figure(reader, "bytes");
  // With a plan, no number of bytes is waited for.
  if (const uint64_t wanted = Figure(reader, "wanted"))
    text << " of " << wanted;
  text << " bytes";
  if (const auto accept = reader.String("accept")) {
    text << ", to " << *accept << " who connects";
  }
  if (const auto left = reader.Number("timeout-left", 0, UINT64_MAX)) {
    text << ", " << *left << " ms left";
  }
  text << ", laid by the " << reader.String("owner").value_or("?") << "\n";
  return text.str();
}

}  // namespace

std::string StatusText(const json& status) {
  JsonReader reader(status, "");
  std::ostringstream text;
  text << "suspends:   " << Figure(reader, "suspends") << "\n"
       << "restores:   " << Figure(reader, "restores") << "\n"
       << "interrupts: " << reader.String("interrupts").value_or("?") << "\n"
       << "waits:      " << Figure(reader, "waits") << " through this agent\n"
       << "inhibits:   " << Figure(reader, "inhibits")
       << " through this agent\n";
  if (const json* stubs = reader.Array("stubs")) {
    for (const json& stub : *stubs) text << StubText(stub);
  }
  return text.str();
}

std::string ThreadsText(const json& threads) {
  std::ostringstream text;
  for (const json& thread : threads) {
    JsonReader reader(thread, "threads");
    text << "thread " << Figure(reader, "thread");
    const std::string name = reader.String("name").value_or("");
    if (!name.empty()) text << ": " << name;
    text << "\n";
  }
  return text.str();
}

std::string HistoryText(const json& decisions) {
  std::ostringstream text;
  for (const json& decision : decisions) {
    JsonReader reader(decision, "history");
    text << Figure(reader, "age")
         << " ms ago: " << reader.String("decided").value_or("?")
         << ", because of " << reader.String("why").value_or("?");
    if (const uint64_t registered = Figure(reader, "registered")) {
      text << "; " << Figure(reader, "waiting") << " of " << registered
           << " threads waited, " << Figure(reader, "needed") << " had to";
    }
    if (const uint64_t answered = Figure(reader, "answered")) {
      text << "; " << answered << " of " << Figure(reader, "awaited")
           << " were answered, " << Figure(reader, "replies") << " had to be";
    }
    if (const auto due = reader.Number("due", 0, UINT64_MAX)) {
      text << "; due in " << *due << " ms";
    }
    if (const auto expected = reader.Number("expected", 0, UINT64_MAX)) {
      text << "; a wake was expected in " << *expected << " ms, and "
           << Figure(reader, "least") << " ms are worth it";
    }
    text << "\n";
  }
  return text.str();
}

}  // namespace stubdomain
