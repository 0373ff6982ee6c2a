// Fuzz target: a saved state with changes, then events.
//
//   u8   bit 0: what follows the events is a whole state, without a checksum;
//        otherwise these are the changes to the state that the events lead to
//   u16  length of the events before, then they, as in state.cc
//   u16  length of the events after, then they
//   ...  the state; or changes, each of them
//          u16  where
//          u8   kind: kSet, kInsert or kErase
//          u8   the byte
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "wire/serial.h"

#include <vector>

#include "check.h"
#include "events.h"
#include "state/crc32.h"

namespace stubdomain {
namespace {

constexpr size_t kChecksumLength = 4;

enum Change : uint8_t { kSet, kInsert, kErase, kChanges };

void ApplyChanges(Input& input, std::vector<uint8_t>* state) {
  while (!input.empty() && !state->empty()) {
    const auto at = state->begin() + input.U16() % state->size();
    const uint8_t kind = input.Below(kChanges);
    const uint8_t byte = input.U8();
    if (kind == kSet) *at = byte;
    if (kind == kInsert) state->insert(at, byte);
    if (kind == kErase) state->erase(at);
  }
}

void AddChecksum(std::vector<uint8_t>* state) {
  Writer writer;
  writer.U32(Crc32(*state));
  state->insert(state->end(), writer.data().begin(), writer.data().end());
}

void Run(Input input) {
  const bool whole = input.Bool();
  Input before(input.Bytes(input.U16()));
  Input after(input.Bytes(input.U16()));

  Glue glue;
  Events events(&glue);
  events.Connect(0);
  events.Connect(1);
  events.Play(before);
  std::vector<uint8_t> state = glue.Save();
  if (whole) {
    const auto rest = input.Rest();
    state.assign(rest.begin(), rest.end());
  } else {
    state.resize(state.size() - kChecksumLength);
    ApplyChanges(input, &state);
  }
  AddChecksum(&state);
  if (!glue.Load(state)) return;
  // What was accepted once is accepted again, and says the same.
  glue.HandOver();
  const std::vector<uint8_t> saved = glue.Save();
  glue.HandOver();
  Check(glue.Save() == saved, "a state is the same when it is loaded again");
  events.Play(after);
}

}  // namespace
}  // namespace stubdomain

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  stubdomain::Run(stubdomain::Input({data, size}));
  return 0;
}
