// SipHash-2-4: a short keyed hash that nobody without the key can predict.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#include "accept/sip_hash.h"

#include <bit>

namespace stubdomain {
namespace {

uint64_t Get64(std::span<const uint8_t> bytes) {
  uint64_t word = 0;
  for (size_t i = 0; i < 8; ++i) word |= uint64_t{bytes[i]} << 8 * i;
  return word;
}

class State {
 public:
  explicit State(const SipKey& key) {
    const uint64_t low = Get64(std::span(key).first(8));
    const uint64_t high = Get64(std::span(key).last(8));
    v_[0] ^= low;
    v_[1] ^= high;
    v_[2] ^= low;
    v_[3] ^= high;
  }

  void Compress(uint64_t word) {
    v_[3] ^= word;
    Rounds(2);
    v_[0] ^= word;
  }
  uint64_t Finish() {
    v_[2] ^= 0xff;
    Rounds(4);
    return v_[0] ^ v_[1] ^ v_[2] ^ v_[3];
  }

 private:
  void Rounds(int count) {
    for (int i = 0; i < count; ++i) {
      Half(0, 1, 13);
      v_[0] = std::rotl(v_[0], 32);
      Half(2, 3, 16);
      Half(0, 3, 21);
      Half(2, 1, 17);
      v_[2] = std::rotl(v_[2], 32);
    }
  }
  void Half(int a, int b, int by) {
    v_[a] += v_[b];
    v_[b] = std::rotl(v_[b], by) ^ v_[a];
  }

  // "somepseudorandomlygeneratedbytes", as the algorithm has it.
  std::array<uint64_t, 4> v_{0x736f6d6570736575, 0x646f72616e646f6d,
                             0x6c7967656e657261, 0x7465646279746573};
};

}  // namespace

uint64_t SipHash(const SipKey& key, std::span<const uint8_t> data) {
  State state(key);
  uint64_t last = uint64_t{data.size()} << 56;
  for (; data.size() >= 8; data = data.subspan(8)) state.Compress(Get64(data));
  for (size_t i = 0; i < data.size(); ++i) last |= uint64_t{data[i]} << 8 * i;
  state.Compress(last);
  return state.Finish();
}

}  // namespace stubdomain
