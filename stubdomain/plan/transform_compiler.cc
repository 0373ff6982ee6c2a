// From the JSON text of a plan to how replies are prepared.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "plan/transform_compiler.h"

#include <string>
#include <utility>

namespace stubdomain {

std::shared_ptr<const Transform> ReadTransform(JsonObject& object) {
  Transform transform;
  transform.assemble = object.Boolean("assemble").value_or(false);
  transform.decode = object.Boolean("decode").value_or(false);
  for (const auto& [name, place] : object.List("strip", kMaxStrip)) {
    if (!name->is_string()) Refuse(place, "must be a string");
    transform.strip.push_back(name->get<std::string>());
    if (!MayStrip(transform.strip.back())) {
      Refuse(place, "the program needs it to find the end of the reply");
    }
  }
  if (!transform.assemble && !transform.decode && transform.strip.empty()) {
    Refuse(object.place(), "needs one of assemble, decode and strip");
  }
  return std::make_shared<const Transform>(std::move(transform));
}

}  // namespace stubdomain
