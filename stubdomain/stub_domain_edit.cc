// The stub domain of one VM: changing what is kept for the guest.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "stub_domain.h"

namespace stubdomain {
namespace {

// Nothing: some of it has gone to the guest.
std::optional<std::string> Kept(TcpFlow& flow, uint64_t begin, size_t length) {
  std::string bytes;
  const bool all = flow.ReadReply(begin, [&](std::span<const uint8_t> piece) {
    piece = piece.first(std::min(piece.size(), length - bytes.size()));
    bytes.append(piece.begin(), piece.end());
    return bytes.size() < length;
  });
  if (!all) return std::nullopt;
  return bytes;
}

const char* TextOf(TransformRefusal refusal) {
  switch (refusal) {
    case TransformRefusal::kNone:
      return nullptr;
    case TransformRefusal::kTooLarge:
      return "the reply is too large to be transformed";
    case TransformRefusal::kNotUnderstood:
      return "the reply is not one whole HTTP response";
    case TransformRefusal::kPart:
      return "a part of what is compressed cannot be decoded";
    case TransformRefusal::kEncoding:
      return "the reply has an encoding that cannot be decoded";
    case TransformRefusal::kContent:
      return "the content is damaged, or too large when it is decoded";
  }
  return nullptr;
}

}  // namespace

const char* StubDomain::Replacement(TcpFlow& flow, const ReplyEdit& edit,
                                    std::string* replacement) {
  if (edit.transform == nullptr) return nullptr;
  if (edit.length > kMaxTransform) return TextOf(TransformRefusal::kTooLarge);
  auto kept = Kept(flow, edit.begin, static_cast<size_t>(edit.length));
  // Then it cannot be changed either.
  if (!kept) return nullptr;
  Transformed transformed = Apply(*edit.transform, *kept);
  *replacement = std::move(transformed.text);
  return TextOf(transformed.refusal);
}

// From the last one to the first, so that the places of the others hold.
void StubDomain::Edit(TcpFlow& flow, std::vector<ReplyEdit> edits, Time now) {
  std::ranges::stable_sort(edits, std::ranges::greater(), &ReplyEdit::begin);
  uint64_t end = flow.peer_bytes();
  for (const ReplyEdit& edit : edits) {
    // Two waits may want to change the same.
    if (edit.begin > end || edit.length > end - edit.begin ||
        edit.length > kMaxFlowBuffer) {
      continue;
    }
    std::string replacement;
    const char* problem = Replacement(flow, edit, &replacement);
    EditRefusal refusal = EditRefusal::kNotKept;
    if (problem == nullptr) {
      refusal = flows_->table.EditReply(
          flow, edit.begin, static_cast<uint32_t>(edit.length),
          {reinterpret_cast<const uint8_t*>(replacement.data()),
           replacement.size()},
          now, outbound_);
    }
    if (refusal == EditRefusal::kNoRoom) {
      problem = "there is no room for what the reply becomes";
    }
    if (problem != nullptr) {
      Alert(edit.stub, {{.claim = edit.claim, .problem = problem}}, now);
    }
    if (refusal != EditRefusal::kNone) continue;
    end = edit.begin;
    NoteEdit(flow, replacement.size() - edit.length);
  }
}

void StubDomain::NoteEdit(const TcpFlow& flow, uint64_t growth) {
  for (const ListenerStub* stub : stubs_.by_flow().On(flow)) {
    stubs_.Change(stub->number(),
                  [growth](ListenerStub& wait) { wait.NoteEdit(growth); });
  }
  for (Aftermath& aftermath : aftermaths_) {
    if (aftermath.stub().IsOn(flow)) aftermath.stub().NoteEdit(growth);
  }
}

}  // namespace stubdomain
