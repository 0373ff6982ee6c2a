// Strict reading of untrusted JSON: every error names the place.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_GUEST_PROTOCOL_JSON_READER_H_
#define STUBDOMAIN_GUEST_PROTOCOL_JSON_READER_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>

namespace stubdomain {

// Deeper nesting is refused; no message of ours needs half of it.
inline constexpr int kMaxJsonDepth = 16;

class JsonError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Parses one JSON object. Throws JsonError with line and column.
nlohmann::json ParseJsonObject(std::string_view text);

// Takes the members of an object one by one, and then makes sure that there
// were no others. All throw JsonError, with a path such as "flow.peer.port".
class JsonReader {
 public:
  // `json` must outlive the reader. `place` is "" for a whole message.
  JsonReader(const nlohmann::json& json, std::string place);

  std::optional<uint64_t> Number(const char* key, uint64_t min, uint64_t max);
  std::optional<bool> Boolean(const char* key);
  std::optional<std::string> String(const char* key);
  // Null if absent; otherwise an object.
  const nlohmann::json* Object(const char* key);
  // Null if absent; otherwise an array.
  const nlohmann::json* Array(const char* key);

  // "flow.peer" for "peer" in "flow".
  std::string Place(std::string_view key) const;
  // Throws that `key` is missing.
  [[noreturn]] void Missing(const char* key) const;
  // Throws if there is a member that was not asked for.
  void Finish() const;

 private:
  const nlohmann::json* Find(const char* key);
  [[noreturn]] void Expected(const char* key, const std::string& what) const;

  const nlohmann::json& json_;
  const std::string place_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_GUEST_PROTOCOL_JSON_READER_H_
