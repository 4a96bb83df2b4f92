// Vectors of float and double as the compiler's own vector types (g++, clang): a + b, a * b, x < y ? a : b work elementwise and
// round exactly as the scalar operations do. On other compilers, or with GOLDFINCH_SIMD defined as 0, only the plain loops run.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "goldfinch/core/arithmetic.hpp"

#ifndef GOLDFINCH_SIMD
#ifdef __GNUC__
#define GOLDFINCH_SIMD 1
#else
#define GOLDFINCH_SIMD 0
#endif
#endif

#if defined(__GNUC__)
#define GOLDFINCH_INLINE inline __attribute__((always_inline))
#else
#define GOLDFINCH_INLINE inline
#endif

namespace goldfinch::inline GOLDFINCH_ISA {

/// Whether this scalar has vector kernels here; every other one takes the plain loops.
template <class Scalar>
inline constexpr bool has_fast_kernels = GOLDFINCH_SIMD && (std::is_same_v<Scalar, float> || std::is_same_v<Scalar, double>);

#if GOLDFINCH_SIMD

/// Bytes of the widest vector register of this build.
#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif

/// n elements of type T as one vector; n * sizeof(T) is a power of two and may be narrower or wider than a register.
template <class T, int n>
struct VectorOf {
  typedef T type __attribute__((vector_size(n * sizeof(T))));
};
template <class T, int n>
using Simd = typename VectorOf<T, n>::type;

/// The elements of type T that fill one register.
template <class T>
inline constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));

template <class V>
GOLDFINCH_INLINE V load_vector(const void* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

template <class V>
GOLDFINCH_INLINE void store_vector(void* to, V v) {
  std::memcpy(to, &v, sizeof v);
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define GOLDFINCH_SHUFFLE 1
#endif
#endif

#ifdef GOLDFINCH_SHUFFLE
/// Swaps the off-diagonal quarters, s wide, of every square of 2 s.
template <class V, int n, int s, int... k>
GOLDFINCH_INLINE void swap_quarters(V (&rows)[n], std::integer_sequence<int, k...>) {
#pragma GCC unroll 16
  for (int i = 0; i < n; ++i) {
    if (i & s) continue;
    const V a = rows[i], b = rows[i + s];
    rows[i] = __builtin_shufflevector(a, b, (k & s ? n + k - s : k)...);
    rows[i + s] = __builtin_shufflevector(a, b, (k & s ? n + k : k + s)...);
  }
}

/// Turns the square of numbers whose rows are these vectors.
template <class V, int n, int s = n / 2>
GOLDFINCH_INLINE void turn_square(V (&rows)[n]) {
  swap_quarters<V, n, s>(rows, std::make_integer_sequence<int, n>());
  if constexpr (s > 1) turn_square<V, n, s / 2>(rows);
}
#endif

#endif

}  // namespace goldfinch::inline GOLDFINCH_ISA
