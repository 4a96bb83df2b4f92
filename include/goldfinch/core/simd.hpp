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

/// Bytes of a vector register, as wide as this build uses (core/instruction_set.hpp).
inline constexpr int vector_bytes = GOLDFINCH_VECTOR_BYTES;

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
/// Turns the square of numbers whose rows are these n vectors: every stage interleaves the first half of the rows with the second, one
/// instruction a row. The highest bit of a number's row becomes the lowest of its column, and that of its column the lowest of its row.
template <class V, int n, int... k>
GOLDFINCH_INLINE void turn_square(V (&rows)[n], std::integer_sequence<int, k...>) {
#pragma GCC unroll 4
  for (int stage = 1; stage < n; stage *= 2) {
    V turned[n];
#pragma GCC unroll 8
    for (int i = 0; i < n / 2; ++i) {
      turned[2 * i] = __builtin_shufflevector(rows[i], rows[i + n / 2], (k % 2 * n + k / 2)...);
      turned[2 * i + 1] = __builtin_shufflevector(rows[i], rows[i + n / 2], (k % 2 * n + k / 2 + n / 2)...);
    }
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) rows[i] = turned[i];
  }
}
#endif

/// m <= rows rows of K numbers, ldx apart, turned to [K][rows], absent rows zero: squares of 16 bytes in registers, what is left one by one.
/// Where they come from they may be misaligned.
template <class Number>
void turn_rows(const void* x, std::ptrdiff_t ldx, std::ptrdiff_t m, std::ptrdiff_t K, std::ptrdiff_t rows, Number* to) {
  constexpr int n = 16 / static_cast<int>(sizeof(Number));
  const auto number = [&](std::ptrdiff_t i, std::ptrdiff_t k) { return static_cast<const std::byte*>(x) + (i * ldx + k) * static_cast<std::ptrdiff_t>(sizeof(Number)); };
  for (std::ptrdiff_t r = 0; r < rows; r += n) {
    std::ptrdiff_t k = 0;
#ifdef GOLDFINCH_SHUFFLE
    for (; r + n <= m && k + n <= K; k += n) {
      Simd<Number, n> square[n];
#pragma GCC unroll 16
      for (int i = 0; i < n; ++i) square[i] = load_vector<Simd<Number, n>>(number(r + i, k));
      turn_square(square, std::make_integer_sequence<int, n>());
#pragma GCC unroll 16
      for (int i = 0; i < n; ++i) store_vector(to + (k + i) * rows + r, square[i]);
    }
#endif
    for (; k < K; ++k)
      for (std::ptrdiff_t i = r; i < std::min(r + n, rows); ++i) {
        Number& turned = to[k * rows + i];
        if (i < m) std::memcpy(&turned, number(i, k), sizeof turned);
        else turned = Number(0);
      }
  }
}

#endif

}  // namespace goldfinch::inline GOLDFINCH_ISA
