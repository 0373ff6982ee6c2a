// Strict reading of untrusted JSON: every error names the place.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "protocol/json_reader.h"

#include <utility>

namespace stubdomain {

using nlohmann::json;

json ParseJsonObject(std::string_view text) {
  // nlohmann writes a nested value by recursion, so depth is stack.
  const auto check_depth = [](int depth, json::parse_event_t, json&) {
    if (depth > kMaxJsonDepth) {
      throw JsonError("nested deeper than " + std::to_string(kMaxJsonDepth) +
                      " levels");
    }
    return true;
  };
  json parsed;
  try {
    parsed = json::parse(text, check_depth);
  } catch (const json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    const std::string_view what = error.what();
    const size_t end = what.find("] ");
    throw JsonError(
        std::string(end == what.npos ? what : what.substr(end + 2)));
  }
  if (!parsed.is_object()) throw JsonError("expected a JSON object");
  return parsed;
}

JsonReader::JsonReader(const json& object, std::string place)
    : json_(object), place_(std::move(place)) {}

std::string JsonReader::Place(std::string_view key) const {
  return place_.empty() ? std::string(key) : place_ + "." + std::string(key);
}

void JsonReader::Missing(const char* key) const {
  throw JsonError("'" + Place(key) + "' is missing");
}

void JsonReader::Expected(const char* key, const std::string& what) const {
  throw JsonError("'" + Place(key) + "': expected " + what);
}

const json* JsonReader::Find(const char* key) {
  known_.insert(key);
  const auto found = json_.find(key);
  return found == json_.end() ? nullptr : &*found;
}

std::optional<uint64_t> JsonReader::Number(const char* key, uint64_t min,
                                           uint64_t max) {
  const json* value = Find(key);
  if (value == nullptr) return std::nullopt;
  const bool is_whole =
      value->is_number_unsigned() ||
      (value->is_number_integer() && value->get<int64_t>() >= 0);
  if (!is_whole || value->get<uint64_t>() < min ||
      value->get<uint64_t>() > max) {
    Expected(key, "a whole number from " + std::to_string(min) + " to " +
                      std::to_string(max));
  }
  return value->get<uint64_t>();
}

std::optional<bool> JsonReader::Boolean(const char* key) {
  const json* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) Expected(key, "true or false");
  return value->get<bool>();
}

std::optional<std::string> JsonReader::String(const char* key) {
  const json* value = Find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) Expected(key, "a string");
  return value->get<std::string>();
}

const json* JsonReader::Object(const char* key) {
  const json* value = Find(key);
  if (value != nullptr && !value->is_object()) Expected(key, "an object");
  return value;
}

const json* JsonReader::Array(const char* key) {
  const json* value = Find(key);
  if (value != nullptr && !value->is_array()) Expected(key, "an array");
  return value;
}

void JsonReader::Finish() const {
  for (const auto& [key, value] : json_.items()) {
    if (!known_.contains(key)) {
      throw JsonError("'" + Place(key) + "' is not known");
    }
  }
}

}  // namespace stubdomain
