// Vectors of float and double as the compiler's own vector types (g++, clang): a + b, a * b, x < y ? a : b work elementwise and
// round exactly as the scalar operations do. On other compilers, or with GOLDFINCH_SIMD defined as 0, only the plain loops run.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

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

#endif

}  // namespace goldfinch::inline GOLDFINCH_ISA
