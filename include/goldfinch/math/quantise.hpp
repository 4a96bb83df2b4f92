// Numbers to q8: up to 64 numbers w to one scale s, a bfloat16, and as many integers q from -127 to 127, so that s * q is near w. The
// scale is not max |w| / 127 but the one, of 32 near it, with the least squared error, which is some 13 % less.
//
//   Q8.1   b = the bits of bfloat16 of float of (max |w| / 127)
//   Q8.2   candidates s_i: bfloat16 of the bits b - 2 + i, i = 0 .. 31, kept within 1 (the least above 0) and 0x7f7f (the largest finite)
//   Q8.3   q_i[k] = w[k] * (1 / s_i) rounded to the nearest integer, ties to even, and clamped to -127 .. 127
//   Q8.4   e_i = sequential sum over k of d * d, d = w[k] - s_i * q_i[k];   the first i with the least e_i is taken
//
// All in double, one rounding an operation. Where all w are 0, s = 0 and q = 0. Below b - 2 the largest number would be clipped by too much,
// above b + 29 the steps are too coarse: on normal numbers 1 block in 100 would gain from going on. float(s) * q is exact. Why a
// bfloat16: docs/numerics.md, rule 3.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "goldfinch/core/dtype.hpp"
#include "goldfinch/core/matrix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Writes n <= 64 integers and returns their scale. Throws Error unless all w are finite and within the range of float.
inline BFloat16 quantise(const double* w, Index n, Q8* q) {
  if (n < 0 || n > q8_block) fail("quantise: ", n, " numbers for one scale, expected 0 to ", q8_block);
  for (Index k = 0; k < n; ++k)
    if (!(std::abs(w[k]) <= std::numeric_limits<float>::max())) fail("quantise: number ", k, " is ", w[k], ", expected one within the range of float");
  constexpr int candidates = 32;
  const auto nearest_integer = [](double x) {
    const double rounded = (x + 0x1.8p52) - 0x1.8p52;
    return rounded > 127 ? 127 : rounded < -127 ? -127 : rounded;
  };
  double largest = 0;
  for (Index k = 0; k < n; ++k) largest = std::max(largest, std::abs(w[k]));
  const int b = to_bfloat16(static_cast<float>(largest / 127)).bits;
  const auto bits = [b](int i) { return static_cast<std::uint16_t>(std::clamp(b - 2 + i, 1, 0x7f7f)); };

  double s[candidates], inverse[candidates], e[candidates];  // candidates side by side, so that the sums over k need not wait for one another
  for (int i = 0; i < candidates; ++i) {
    s[i] = static_cast<double>(widen(BFloat16{bits(i)}));
    inverse[i] = 1 / s[i];
    e[i] = 0;
  }
  for (Index k = 0; k < n; ++k)
    for (int i = 0; i < candidates; ++i) {
      const double d = w[k] - s[i] * nearest_integer(w[k] * inverse[i]);
      e[i] = e[i] + d * d;
    }
  const auto best = std::min_element(e, e + candidates) - e;
  for (Index k = 0; k < n; ++k) q[k].q = static_cast<std::int8_t>(nearest_integer(w[k] * inverse[best]));
  return largest > 0 ? BFloat16{bits(static_cast<int>(best))} : BFloat16{0};
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
