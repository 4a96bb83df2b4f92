// exp, expm1, tanh, sigmoid, silu and log of doubles: the definition of these functions for every build (docs/numerics.md, rule
// 6). The order of operations below is what fixes the bits; libm is never called, because it chooses its own by processor.
//
//   EXP.1   x = n ln2 + r + c         n an integer, |r| < 0.3467, c the rounding error of r
//   EXP.2   m = e^(r+c) - 1           as a pair, to about 2^-56 of itself
//   EXP.3   exp = 2^n (1 + m)         expm1 = (2^n - 1) + 2^n m
//   EXP.4   tanh |x| = -M / (2 + M)   with M = expm1(-2|x|) as a pair
//   EXP.5   sigmoid(x) = e^min(x,0) / (1 + e^-|x|)         silu(x) = x sigmoid(x), the product rounded once
//   LOG.1   x = 2^k (1 + f)           sqrt(1/2) <= 1 + f < sqrt(2), s = f / (2 + f)
//   LOG.2   log = k ln2 + f - f^2/2 + s (f^2/2 + R(s^2))
//
// Errors are below 0.7 ulp, of subnormal results below 0.8 (seen: 0.667, 0.768). Limits are exact: exp and sigmoid underflow
// gradually to +0 and silu to -0 (also at -infinity: the limit, not IEEE's -infinity * 0), log(0) = -infinity, log(x < 0) = NaN,
// tanh and expm1 keep the sign of zero, NaN stays NaN. Coefficients are minimax ones, computed for these intervals and rounded.
#pragma once

#include <limits>

#include "goldfinch/math/double_double.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace elementary {

inline constexpr double log2_e = 0x1.71547652b82fep+0;    // 1 / ln2
inline constexpr double ln2_hi = 0x1.62e42fefa38p-1;      // ln2 to 42 bits: its product with an integer below 2^11 is exact
inline constexpr double ln2_lo = 0x1.ef35793c7673p-45;    // ln2 - ln2_hi
inline constexpr double to_integer = 0x1.8p52 + 2046;     // x + to_integer has round(x) + 2046 as its last bits; 2046 is twice
                                                          // the exponent bias and keeps them positive

/// (e^r - 1 - r - r^2/2) / r^3 on |r| < 0.3466, to 2^-60 of r: near 1/3!, 1/4!, ..., 1/12!
inline constexpr double exp_P[] = {0x1.5555555555559p-3,  0x1.5555555555559p-5,  0x1.111111110f6e1p-7,  0x1.6c16c16c14a7ep-10,
                                   0x1.a01a01afd3981p-13, 0x1.a01a01af6535fp-16, 0x1.71ddf87be622ap-19, 0x1.27e4c7c1e85bbp-22,
                                   0x1.af5e7d9eea5acp-26, 0x1.1f92c2cb1ab15p-29};
/// (log(1+f) - 2s) / s = R(s^2), s = f / (2 + f), R(z) / z on z < 0.0295, to 2^-57: near 2/3, 2/5, ..., 2/15.
inline constexpr double log_R[] = {0x1.5555555555592p-1, 0x1.999999997fdb2p-2, 0x1.24924941f17a6p-2, 0x1.c71c52091001cp-3,
                                   0x1.74663ef98780ap-3, 0x1.39a1b8df71516p-3, 0x1.2f057743c08aep-3};

/// x = n ln2 + r + c. biased is n + 2046.
template <class V>
struct Reduced {
  V r, c;
  Bits<V> biased;
};

/// EXP.1, for |x| < 1000.
template <class V>
GOLDFINCH_INLINE Reduced<V> reduce(V x) {
  const V shifted = x * log2_e + to_integer;
  const V n = shifted - to_integer;
  const V hi = x - n * ln2_hi;  // exact
  const V lo = n * ln2_lo;
  const V r = hi - lo;
  return {r, (hi - r) - lo, to_bits(shifted) & 0xfff};
}

/// EXP.2: e^(r+c) - 1 = r + r^2/2 + r^3 P(r) + c (1 + r), the square in two parts. lo is below 0.01, not yet a rounding error.
template <class V>
GOLDFINCH_INLINE Pair<V> expm1_reduced(V r, V c) {
  const V z = r * r;
  const V even = exp_P[0] + z * (exp_P[2] + z * (exp_P[4] + z * (exp_P[6] + z * exp_P[8])));
  const V odd = exp_P[1] + z * (exp_P[3] + z * (exp_P[5] + z * (exp_P[7] + z * exp_P[9])));
  const V cubic = (z * r) * (even + r * odd);
  const V r1 = upper_half(r), r2 = r - r1;
  const V square = 0.5 * r1 * r1;                   // exact
  const V square_rest = 0.5 * (r + r1) * (r2 + c);  // r^2/2 - square, and c r
  const Pair<V> m = fast_two_sum(r, square);
  return {m.hi, m.lo + (c + (square_rest + cubic))};
}

/// 2^n as a product of two normal numbers, since 2^n itself may be subnormal or beyond the largest double.
template <class V>
struct PowerOfTwo {
  V a, b;
};

template <class V>
GOLDFINCH_INLINE PowerOfTwo<V> power_of_two(Bits<V> biased) {
  const Bits<V> half = biased >> 1;
  return {from_bits<V>(half << 52), from_bits<V>((biased - half) << 52)};
}

/// EXP.3
template <class V>
GOLDFINCH_INLINE V exp_kernel(V x) {
  x = x < -760.0 ? broadcast<V>(-760.0) : x;  // 0 from here on
  x = x > 710.0 ? broadcast<V>(710.0) : x;    // infinity from here on
  const Reduced<V> reduced = reduce(x);
  const PowerOfTwo<V> scale = power_of_two<V>(reduced.biased);
  const Pair<V> m = expm1_reduced(reduced.r, reduced.c);
  const Pair<V> e = fast_two_sum(broadcast<V>(1.0), m.hi);
  return (e.hi + (e.lo + m.lo)) * scale.a * scale.b;
}

/// EXP.3
template <class V>
GOLDFINCH_INLINE V expm1_kernel(V x) {
  V y = x < -60.0 ? broadcast<V>(-60.0) : x;  // -1 from here on
  y = y > 710.0 ? broadcast<V>(710.0) : y;
  const Reduced<V> reduced = reduce(y);
  const Pair<V> m = expm1_reduced(reduced.r, reduced.c);
  // For x > 1 everything is halved until the end, since 2^1024 is no double.
  const V half_power = from_bits<V>((reduced.biased - 1024) << 52);
  const V power = x > 1.0 ? half_power : half_power + half_power;
  const Pair<V> integer = two_sum(power, x > 1.0 ? broadcast<V>(-0.5) : broadcast<V>(-1.0));
  const Pair<V> sum = fast_two_sum(integer.hi, power * m.hi);
  y = sum.hi + (sum.lo + (integer.lo + power * m.lo));
  return with_sign(x > 1.0 ? y + y : y, x);
}

/// EXP.4
template <class V>
GOLDFINCH_INLINE V tanh_kernel(V x) {
  V a = magnitude(x);
  a = a > 22.0 ? broadcast<V>(22.0) : a;  // 1 from here on
  const Reduced<V> reduced = reduce(-2.0 * a);
  const Pair<V> m = expm1_reduced(reduced.r, reduced.c);
  const V power = from_bits<V>((reduced.biased - 1023) << 52);
  const Pair<V> integer = fast_two_sum(broadcast<V>(-1.0), power);
  const Pair<V> sum = fast_two_sum(integer.hi, power * m.hi);
  const Pair<V> M = fast_two_sum(sum.hi, sum.lo + (integer.lo + power * m.lo));
  const Pair<V> two_plus_M = fast_two_sum(broadcast<V>(2.0), M.hi);
  const Pair<V> quotient = divide(M, {two_plus_M.hi, two_plus_M.lo + M.lo});
  return with_sign(quotient.hi + quotient.lo, x);
}

/// EXP.5: sigmoid(x) as quotient * 2^n, before the rounding of either.
template <class V>
struct SigmoidParts {
  Pair<V> quotient;
  PowerOfTwo<V> scale;
};

template <class V>
GOLDFINCH_INLINE SigmoidParts<V> sigmoid_parts(V x) {
  V a = from_bits<V>(to_bits(x) | sign_bit);
  a = a < -760.0 ? broadcast<V>(-760.0) : a;
  const Reduced<V> reduced = reduce(a);
  const PowerOfTwo<V> scale = power_of_two<V>(reduced.biased);
  const Pair<V> m = expm1_reduced(reduced.r, reduced.c);
  const V one = broadcast<V>(1.0);
  Pair<V> e = fast_two_sum(one, m.hi);
  e = fast_two_sum(e.hi, e.lo + m.lo);
  const V power = scale.a * scale.b;
  Pair<V> denominator = fast_two_sum(one, power * e.hi);
  denominator.lo = denominator.lo + power * e.lo;
  const auto negative = x < 0.0;
  const Pair<V> numerator = {negative ? e.hi : one, negative ? e.lo : broadcast<V>(0.0)};
  return {divide(numerator, denominator), {negative ? scale.a : one, negative ? scale.b : one}};
}

/// EXP.5
template <class V>
GOLDFINCH_INLINE V sigmoid_kernel(V x) {
  const SigmoidParts<V> s = sigmoid_parts(x);
  return (s.quotient.hi + s.quotient.lo) * s.scale.a * s.scale.b;
}

/// EXP.5
template <class V>
GOLDFINCH_INLINE V silu_kernel(V x) {
  const SigmoidParts<V> s = sigmoid_parts(x);
  const V y = x < -760.0 ? broadcast<V>(-760.0) : x;  // -0 from here on
  const V y1 = upper_half(y), y2 = y - y1;            // y1 quotient.hi and y2 quotient.hi are exact
  const V product = y1 * s.quotient.hi + (y2 * s.quotient.hi + y * s.quotient.lo);
  return x > 40.0 ? x : with_sign(product * s.scale.a * s.scale.b, x);
}

/// LOG.1 and LOG.2
template <class V>
GOLDFINCH_INLINE V log_kernel(V x) {
  constexpr std::uint64_t root_half = 0x3fe6a09e667f3bcd;  // the bits of sqrt(1/2)
  constexpr std::uint64_t one = 0x3ff0000000000000, fraction = 0x000fffffffffffff;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto subnormal = x < 0x1p-1022;
  const Bits<V> u = to_bits(V(subnormal ? x * 0x1p54 : x)) - root_half;
  // The exponent field of u + one is k + 1023; placed behind 2^52 it is read as a number.
  const V exponent = from_bits<V>(((u + one) >> 52) | to_bits(0x1p52)) - (0x1p52 + 1023);
  const V k = subnormal ? exponent - 54.0 : exponent;
  const V f = from_bits<V>((u & fraction) + root_half) - 1.0;
  const V s = f / (2.0 + f);
  const V z = s * s;
  const V w = z * z;
  const V even = log_R[0] + w * (log_R[2] + w * (log_R[4] + w * log_R[6]));
  const V odd = log_R[1] + w * (log_R[3] + w * log_R[5]);
  const V R = z * (even + z * odd);
  const V f1 = upper_half(f), f2 = f - f1;
  const V square = 0.5 * f1 * f1;             // exact
  const V square_rest = 0.5 * (f + f1) * f2;  // f^2/2 - square
  const Pair<V> linear = fast_two_sum(k * ln2_hi, f);
  const Pair<V> sum = fast_two_sum(linear.hi, -square);
  const V y = sum.hi + (sum.lo + (linear.lo + ((s * (square + (square_rest + R)) - square_rest) + k * ln2_lo)));
  const V above_zero = x < infinity ? y : x;  // and NaN
  const V not_negative = x < 0.0 ? broadcast<V>(std::numeric_limits<double>::quiet_NaN()) : above_zero;
  return x == 0.0 ? broadcast<V>(-infinity) : not_negative;
}

}  // namespace elementary

}  // namespace goldfinch::inline GOLDFINCH_ISA
