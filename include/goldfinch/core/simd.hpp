// Vectors of float and double as the compiler's own vector types (g++, clang): a + b, a * b, x < y ? a : b work elementwise and
// round exactly as the scalar operations do. On other compilers, or with GOLDFINCH_SIMD defined as 0, only the plain loops run.
#pragma once

#include <algorithm>
#include <cstddef>
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

/// m <= rows rows of K numbers, ldx apart, turned to [K][rows], absent rows zero: squares of `width` in registers, what is left one by one.
/// Where they come from they may be misaligned.
template <int width, class Scalar>
void turn_rows(const void* x, std::ptrdiff_t ldx, std::ptrdiff_t m, std::ptrdiff_t K, std::ptrdiff_t rows, Scalar* to) {
  const auto number = [&](std::ptrdiff_t i, std::ptrdiff_t k) { return static_cast<const std::byte*>(x) + (i * ldx + k) * static_cast<std::ptrdiff_t>(sizeof(Scalar)); };
  for (std::ptrdiff_t r = 0; r < rows; r += width) {
    std::ptrdiff_t k = 0;
#ifdef GOLDFINCH_SHUFFLE
    for (; r + width <= m && k + width <= K; k += width) {
      Simd<Scalar, width> square[width];  // perhaps wider than a register, so not to be returned from a function
      for (int i = 0; i < width; ++i) std::memcpy(&square[i], number(r + i, k), sizeof square[i]);
      turn_square(square);
      for (int i = 0; i < width; ++i) std::memcpy(to + (k + i) * rows + r, &square[i], sizeof square[i]);
    }
#endif
    for (; k < K; ++k)
      for (std::ptrdiff_t i = r; i < std::min(r + width, rows); ++i) {
        Scalar& turned = to[k * rows + i];
        if (i < m) std::memcpy(&turned, number(i, k), sizeof turned);
        else turned = Scalar(0);
      }
  }
}

#endif

}  // namespace goldfinch::inline GOLDFINCH_ISA
