// sin and cos of doubles, for the angles of rotary embeddings: position times frequency, so reduction matters more than speed.
// The definition of these functions for every build (docs/numerics.md, rule 6), from + - * / and bit operations alone.
//
//   TRIG.1   |x| = n pi/2 + r + c      n an integer, |r| <= pi/4, c the rounding error of r
//   TRIG.2   sin(r+c), cos(r+c)        both, by polynomials
//   TRIG.3   sin|x| or cos|x|          one of the two with a sign, by n mod 4; sin takes the sign of x
//
// |x| <= 2^31; beyond that, and for infinities, NaN: a rotation by such an angle is a mistake of the caller. Within, the errors
// stay below 0.85 ulp (the largest seen is 0.794), next to multiples of pi/2 as well: n pi/2 is subtracted to n 2^-144, and no
// double of this range is nearer to such a multiple than 2^-61.
#pragma once

#include <limits>

#include "goldfinch/math/double_double.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace elementary {

inline constexpr double two_over_pi = 0x1.45f306dc9c883p-1;
// pi/2 in four pieces of 22 bits, whose products with n < 2^31 are exact, and the rest.
inline constexpr double half_pi[] = {0x1.921fbp+0, 0x1.5110bp-22, 0x1.184698p-44, 0x1.3198ap-69, 0x1.701b839a25205p-92};

/// (sin r - r) / r^3 = S(r^2) on |r| < 0.7854, to 2^-57 of 1 / r^2: near -1/3!, 1/5!, ..., 1/13!
inline constexpr double sin_S[] = {-0x1.5555555555549p-3, 0x1.111111110f881p-7,   -0x1.a01a019c126d7p-13,
                                   0x1.71de357875ac9p-19, -0x1.ae5e66d58539fp-26, 0x1.5d932f6317055p-33};
/// (cos r - 1 + r^2/2) / r^4 = C(r^2), likewise to 2^-59 of 1 / r^4: near 1/4!, -1/6!, ..., -1/14!
inline constexpr double cos_C[] = {0x1.555555555554cp-5,   -0x1.6c16c16c15184p-10, 0x1.a01a019cb26e8p-16,
                                   -0x1.27e4f80a75373p-22, 0x1.1ee9ec468148bp-29,  -0x1.8faece652735fp-37};

/// sin(|x| + quarters * pi/2), where quarters is 0 or 1.
template <class V>
GOLDFINCH_INLINE V sin_of_magnitude(V x, std::uint64_t quarters) {
  const V a = magnitude(x);
  // TRIG.1
  const V shifted = a * two_over_pi + 0x1.8p52;  // its last bits are n
  const V n = shifted - 0x1.8p52;
  const V first = (a - n * half_pi[0]) - n * half_pi[1];  // exact
  const Pair<V> third = two_sum(first, -(n * half_pi[2]));
  const Pair<V> fourth = two_sum(third.hi, -(n * half_pi[3]));
  const auto [r, c] = fast_two_sum(fourth.hi, (third.lo + fourth.lo) - n * half_pi[4]);
  // TRIG.2: sin = r + r^3 S + c (1 - r^2/2), cos = 1 - r^2/2 + r^4 C - c r, the square in two parts
  const V z = r * r;
  const V S = sin_S[0] + z * (sin_S[1] + z * (sin_S[2] + z * (sin_S[3] + z * (sin_S[4] + z * sin_S[5]))));
  const V C = cos_C[0] + z * (cos_C[1] + z * (cos_C[2] + z * (cos_C[3] + z * (cos_C[4] + z * cos_C[5]))));
  const V sine = r + ((z * r) * S + (c - 0.5 * z * c));
  const V r1 = upper_half(r), r2 = r - r1;
  const V square = 0.5 * r1 * r1;                   // exact
  const V square_rest = 0.5 * (r + r1) * (r2 + c);  // r^2/2 - square, and c r
  const Pair<V> first_two = fast_two_sum(broadcast<V>(1.0), -square);
  const V cosine = first_two.hi + (first_two.lo + ((z * z) * C - square_rest));
  // TRIG.3
  const Bits<V> quadrant = to_bits(shifted) + quarters;
  const V chosen = (quadrant & 1) == 0 ? sine : cosine;
  const V y = from_bits<V>(to_bits(chosen) ^ ((quadrant & 2) << 62));
  return a <= 0x1p31 ? y : broadcast<V>(std::numeric_limits<double>::quiet_NaN());
}

template <class V>
GOLDFINCH_INLINE V sin_kernel(V x) {
  return from_bits<V>(to_bits(sin_of_magnitude(x, 0)) ^ (to_bits(x) & sign_bit));
}

template <class V>
GOLDFINCH_INLINE V cos_kernel(V x) {
  return sin_of_magnitude(x, 1);
}

}  // namespace elementary

}  // namespace goldfinch::inline GOLDFINCH_ISA
