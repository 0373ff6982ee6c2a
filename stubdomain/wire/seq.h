// TCP sequence numbers.
//
// Copyright (c) 2026 The Stubdomain authors
// SPDX-License-Identifier: GPL-2.0-or-later

#ifndef STUBDOMAIN_WIRE_SEQ_H_
#define STUBDOMAIN_WIRE_SEQ_H_

#include <cstdint>

namespace stubdomain {

// A sequence number in serial-number arithmetic (RFC 9293, 3.4). Comparisons
// mean something only between numbers less than 2^31 apart, so they are not a
// total order and there is deliberately no operator<=>.
class Seq {
 public:
  constexpr Seq() = default;
  constexpr explicit Seq(uint32_t value) : value_(value) {}

  // For the wire and the serial form only.
  constexpr uint32_t value() const { return value_; }

  friend constexpr bool operator==(Seq, Seq) = default;
  // How far `a` lies behind `b`; negative if it lies before it.
  friend constexpr int32_t operator-(Seq a, Seq b) {
    return static_cast<int32_t>(a.value_ - b.value_);
  }
  friend constexpr Seq operator+(Seq a, uint32_t n) {
    return Seq(a.value_ + n);
  }
  friend constexpr Seq operator-(Seq a, uint32_t n) {
    return Seq(a.value_ - n);
  }
  constexpr Seq& operator+=(uint32_t n) {
    value_ += n;
    return *this;
  }

  friend constexpr bool operator<(Seq a, Seq b) { return a - b < 0; }
  friend constexpr bool operator>(Seq a, Seq b) { return a - b > 0; }
  friend constexpr bool operator<=(Seq a, Seq b) { return a - b <= 0; }
  friend constexpr bool operator>=(Seq a, Seq b) { return a - b >= 0; }

 private:
  uint32_t value_ = 0;
};

constexpr Seq Later(Seq a, Seq b) { return a < b ? b : a; }
constexpr Seq Earlier(Seq a, Seq b) { return a < b ? a : b; }

// Bytes from `begin` to `end`; 0 if `end` does not lie behind `begin`.
constexpr uint32_t Distance(Seq begin, Seq end) {
  return end > begin ? static_cast<uint32_t>(end - begin) : 0;
}

// A half-open range of sequence numbers.
struct SeqRange {
  Seq begin;
  Seq end;

  constexpr uint32_t length() const { return Distance(begin, end); }
  friend constexpr bool operator==(const SeqRange&, const SeqRange&) = default;
};

}  // namespace stubdomain

#endif  // STUBDOMAIN_WIRE_SEQ_H_
