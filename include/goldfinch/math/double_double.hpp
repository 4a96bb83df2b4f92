// Twice the precision of double where the elementary functions need it: a number as an unevaluated sum hi + lo, sums whose
// rounding error is kept, and one division that knows its remainder. From + - * / and bit operations alone, each rounded once
// (docs/numerics.md, rule 1), so that scalars and vectors of any width give the same bits.
//
// V is double or a vector of doubles (Simd<double, n>). Nothing here branches on data. Not a general double-double type: sums
// must not overflow, and error terms below 2^-1074 are lost.
#pragma once

#include <bit>
#include <cstdint>

#include "goldfinch/core/simd.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace elementary {

template <class V>
struct BitsOf {
#if GOLDFINCH_SIMD
  using type = Simd<std::uint64_t, static_cast<int>(sizeof(V) / sizeof(double))>;
#endif
};
template <>
struct BitsOf<double> {
  using type = std::uint64_t;
};

/// The IEEE binary64 encodings of V's elements.
template <class V>
using Bits = typename BitsOf<V>::type;

template <class V>
GOLDFINCH_INLINE Bits<V> to_bits(V x) {
  return std::bit_cast<Bits<V>>(x);
}

template <class V>
GOLDFINCH_INLINE V from_bits(Bits<V> bits) {
  return std::bit_cast<V>(bits);
}

/// c in every element.
template <class V>
GOLDFINCH_INLINE V broadcast(double c) {
  return c - V{};
}

inline constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;

template <class V>
GOLDFINCH_INLINE V magnitude(V x) {
  return from_bits<V>(to_bits(x) & ~sign_bit);
}

/// |x| with the sign of s, NaN and zeros included.
template <class V>
GOLDFINCH_INLINE V with_sign(V x, V s) {
  return from_bits<V>((to_bits(x) & ~sign_bit) | (to_bits(s) & sign_bit));
}

/// x cut to its first 26 bits: products of two such numbers are exact, and products with the other 27 bits, x - upper_half(x).
template <class V>
GOLDFINCH_INLINE V upper_half(V x) {
  return from_bits<V>(to_bits(x) & ~((std::uint64_t{1} << 27) - 1));
}

/// hi + lo, unevaluated; lo is of the order of hi's last bit.
template <class V>
struct Pair {
  V hi, lo;
};

/// a + b exactly, if |a| >= |b| or a is zero.
template <class V>
GOLDFINCH_INLINE Pair<V> fast_two_sum(V a, V b) {
  const V hi = a + b;
  return {hi, b - (hi - a)};
}

/// a + b exactly.
template <class V>
GOLDFINCH_INLINE Pair<V> two_sum(V a, V b) {
  const V hi = a + b, b_seen = hi - a;
  return {hi, (a - (hi - b_seen)) + (b - b_seen)};
}

/// a / b: hi has 26 bits, lo the rest to about 2^-75 of it, so hi + lo is rounded once. lo of a and b is below their last bit,
/// and b far from overflow and underflow.
template <class V>
GOLDFINCH_INLINE Pair<V> divide(Pair<V> a, Pair<V> b) {
  const V reciprocal = 1.0 / b.hi;
  const V q = upper_half(a.hi * reciprocal);
  const V b1 = upper_half(b.hi), b2 = b.hi - b1;
  // q b1 and q b2 are exact; a.hi is within 2^-24 of q b1, so the first difference is exact as well.
  const V remainder = ((a.hi - q * b1) - q * b2) + (a.lo - q * b.lo);
  return {q, remainder * reciprocal};
}

}  // namespace elementary

}  // namespace goldfinch::inline GOLDFINCH_ISA
