// Reads an object of an untrusted JSON text: every error names the place.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_PLAN_JSON_OBJECT_H_
#define STUBDOMAIN_PLAN_JSON_OBJECT_H_

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stubdomain {

// Why a plan is refused. Caught in CompilePlan().
struct Refused {
  std::string text;
};

[[noreturn]] inline void Refuse(const std::string& place,
                                const std::string& why) {
  throw Refused{place + ": " + why};
}

// The members of an object, each of which has to be asked for.
class JsonObject {
 public:
  JsonObject(const nlohmann::json& value, std::string place)
      : value_(value), place_(std::move(place)) {
    if (!value.is_object()) Refuse(place_, "must be an object");
  }

  const std::string& place() const { return place_; }
  std::string Place(const char* key) const { return place_ + "." + key; }

  // Null if it is absent.
  const nlohmann::json* Find(const char* key) {
    known_.insert(key);
    const auto at = value_.find(key);
    return at == value_.end() ? nullptr : &*at;
  }
  const nlohmann::json& Get(const char* key) {
    const nlohmann::json* value = Find(key);
    if (value == nullptr) Refuse(Place(key), "is missing");
    return *value;
  }
  std::optional<uint64_t> Number(const char* key, uint64_t least,
                                 uint64_t most) {
    const nlohmann::json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number_unsigned() || value->get<uint64_t>() < least ||
        value->get<uint64_t>() > most) {
      Refuse(Place(key), "must be " + std::to_string(least) + " to " +
                             std::to_string(most));
    }
    return value->get<uint64_t>();
  }
  std::optional<std::string> String(const char* key) {
    const nlohmann::json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) Refuse(Place(key), "must be a string");
    return value->get<std::string>();
  }
  std::optional<bool> Boolean(const char* key) {
    const nlohmann::json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_boolean()) Refuse(Place(key), "must be true or false");
    return value->get<bool>();
  }
  // The elements, with their places.
  std::vector<std::pair<const nlohmann::json*, std::string>> List(
      const char* key, size_t most) {
    std::vector<std::pair<const nlohmann::json*, std::string>> elements;
    const nlohmann::json* value = Find(key);
    if (value == nullptr) return elements;
    if (!value->is_array()) Refuse(Place(key), "must be a list");
    if (value->size() > most) {
      Refuse(Place(key), "has more than " + std::to_string(most));
    }
    for (size_t i = 0; i < value->size(); ++i) {
      elements.emplace_back(&(*value)[i],
                            Place(key) + "[" + std::to_string(i) + "]");
    }
    return elements;
  }
  template <typename T, size_t N>
  std::optional<T> OneOf(
      const char* key,
      const std::array<std::pair<std::string_view, T>, N>& names) {
    const auto name = String(key);
    return name ? std::optional(Named(*name, Place(key), names)) : std::nullopt;
  }
  template <typename T, size_t N>
  static T Named(const std::string& name, const std::string& place,
                 const std::array<std::pair<std::string_view, T>, N>& names) {
    for (const auto& [text, value] : names) {
      if (text == name) return value;
    }
    Refuse(place, "'" + name + "' is not known");
  }
  void Finish() const {
    for (const auto& [key, value] : value_.items()) {
      if (!known_.contains(key)) Refuse(place_ + "." + key, "is not known");
    }
  }

 private:
  const nlohmann::json& value_;
  std::string place_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_PLAN_JSON_OBJECT_H_
