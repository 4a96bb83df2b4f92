// Floating-point formats described by numbers instead of types: how many bits of exponent and of fraction, and what lies above the
// largest number. One rounding function serves them all, so that a format is chosen at run time.
//
//   f32 8+23   tf32 8+10   bf16 8+7   fp16 5+10   e5m2 5+2       IEEE: denormals, infinities, overflow gives infinity
//   e4m3 4+3                                                     no infinity, one NaN: the largest number is 448, overflow gives it
//
// (e4m3 saturates as converting instructions of accelerators do by default; IEEE's own rule would need an infinity to overflow to.)
// Not a storage format: nothing here packs bits. core/dtype.hpp and core/narrow.hpp do, for the types that files hold.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "goldfinch/core/arithmetic.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// At least 2 and at most 8 bits of exponent, at least 1 and at most 23 of fraction: with them a result rounded to double and then
/// to the format is the exact result rounded once, for + - * / and sqrt (53 >= 2 * 24 + 2).
struct NumberFormat {
  const char* name;
  int exponent_bits, fraction_bits;
  bool has_infinity = true;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  /// 2^emin, the smallest normal number.
  double smallest_normal() const { return std::ldexp(1.0, 1 - bias()); }
  double largest() const {
    const int top = has_infinity ? bias() : bias() + 1;  // without infinities the last exponent holds numbers, and NaN its last fraction
    return std::ldexp(2 - (has_infinity ? 1 : 2) * std::ldexp(1.0, -fraction_bits), top);
  }
  /// Half the distance between 1 and the next number: the largest relative error of one rounding.
  double unit_roundoff() const { return std::ldexp(1.0, -fraction_bits - 1); }
};

inline constexpr NumberFormat number_formats[] = {
    {"f32", 8, 23}, {"tf32", 8, 10}, {"bf16", 8, 7}, {"fp16", 5, 10}, {"e4m3", 4, 3, false}, {"e5m2", 5, 2},
};

/// The format of that name. Throws Error listing the names.
inline const NumberFormat& number_format(const std::string& name) {
  std::string names;
  for (const NumberFormat& format : number_formats) {
    if (name == format.name) return format;
    names += std::string(names.empty() ? "" : ", ") + format.name;
  }
  fail("there is no number format '", name, "'; there are ", names);
}

/// Rounding to one format, ties to even, prepared for many numbers.
class Rounding {
 public:
  explicit Rounding(const NumberFormat& format)
      : float32_(format.exponent_bits == 8 && format.fraction_bits == 23),
        dropped_(52 - format.fraction_bits),
        smallest_normal_(format.smallest_normal()),
        denormal_magic_(std::ldexp(format.smallest_normal(), dropped_)),
        largest_(format.largest()),
        overflow_(format.has_infinity ? std::numeric_limits<double>::infinity() : format.largest()) {}

  /// The nearest number of the format. NaN stays NaN, zeros keep their sign.
  double operator()(double x) const {
    if (float32_) return static_cast<double>(static_cast<float>(x));  // the same, in one instruction
    if (x != x) return x;
    double magnitude = std::fabs(x);
    if (magnitude < smallest_normal_) {
      magnitude = (magnitude + denormal_magic_) - denormal_magic_;  // the sum's last bit is the format's
    } else {
      // Adding just under half of the last kept bit, and that bit itself on a tie, carries exactly where rounding goes up.
      const auto bits = std::bit_cast<std::uint64_t>(magnitude);
      const std::uint64_t kept = std::uint64_t{1} << dropped_;
      magnitude = std::bit_cast<double>((bits + (kept / 2 - 1) + (bits >> dropped_ & 1)) & ~(kept - 1));
      if (magnitude > largest_) magnitude = overflow_;
    }
    return std::copysign(magnitude, x);
  }

 private:
  bool float32_;
  int dropped_;  // fraction bits of a double that the format lacks
  double smallest_normal_, denormal_magic_, largest_, overflow_;
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
