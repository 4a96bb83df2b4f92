// Vectors of stored weights as vectors of float or double: exact, the same numbers as widen() of dtype.hpp gives one by one.
#pragma once

#include <bit>
#include <type_traits>

#include "goldfinch/core/dtype.hpp"
#include "goldfinch/core/simd.hpp"
#include "goldfinch/math/weight.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if GOLDFINCH_SIMD

namespace goldfinch::inline GOLDFINCH_ISA {
namespace fast {

/// n bfloat16 as n floats: the upper halves of words. By the processor's instruction for it: the compiler's own way (g++ 12) takes each half by
/// itself and puts them together again.
template <int n>
GOLDFINCH_INLINE Simd<float, n> widen_bf16(const BFloat16* from) {
#if GOLDFINCH_VECTOR_BYTES == 64
  if constexpr (n == 16) return std::bit_cast<Simd<float, n>>(_mm512_maskz_slli_epi32(0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, load_vector<__m256i>(from)), 16));
#endif
#if defined(__AVX2__)
  if constexpr (n == 8) return std::bit_cast<Simd<float, n>>(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load_vector<__m128i>(from)), 16));
#endif
#if defined(__SSE2__)
  if constexpr (n == 4) return std::bit_cast<Simd<float, n>>(_mm_unpacklo_epi16(_mm_setzero_si128(), _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#endif
  return std::bit_cast<Simd<float, n>>(__builtin_convertvector(load_vector<Simd<std::uint16_t, n>>(from), Simd<std::uint32_t, n>) << 16);
}

/// n binary16 as n floats; with the processor's conversion where it has one, which is exact too.
template <int n>
GOLDFINCH_INLINE Simd<float, n> widen_f16(const Float16* from) {
#if GOLDFINCH_VECTOR_BYTES == 64
  if constexpr (n == 16) return std::bit_cast<Simd<float, n>>(_mm512_maskz_cvtph_ps(0xffff, load_vector<__m256i>(from)));
#endif
#if defined(__AVX2__) && defined(__F16C__)  // not in x86_64_avx, which some processors have without it
  if constexpr (n == 8) return std::bit_cast<Simd<float, n>>(_mm256_cvtph_ps(load_vector<__m128i>(from)));
  if constexpr (n == 4) return std::bit_cast<Simd<float, n>>(_mm_cvtph_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#endif
  using U = Simd<std::uint32_t, n>;
  const U x = __builtin_convertvector(load_vector<Simd<std::uint16_t, n>>(from), U);
  const U sign = (x & 0x8000u) << 16, magnitude = (x & 0x7fffu) << 13;
  const U finite = std::bit_cast<U>(std::bit_cast<Simd<float, n>>(magnitude) * 0x1p112f);  // see widen(Float16)
  const U special = magnitude | 0x7f800000u;
  return std::bit_cast<Simd<float, n>>(sign | (magnitude >= (0x7c00u << 13) ? special : finite));
}

/// n numbers of q8 as n 32-bit integers: by the processor's instruction for it (the compiler's own way is several times slower), or
/// doubled into bytes 3 and 2 of words and shifted down with their sign.
template <int n>
GOLDFINCH_INLINE Simd<std::int32_t, n> widen_q8(const Q8* from) {
  using I = Simd<std::int32_t, n>;
#if GOLDFINCH_VECTOR_BYTES == 64
  if constexpr (n == 16) return std::bit_cast<I>(_mm512_maskz_cvtepi8_epi32(0xffff, load_vector<__m128i>(from)));
#endif
#if defined(__AVX2__)
  if constexpr (n == 8) return std::bit_cast<I>(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from))));
#endif
#if defined(__SSE2__)
  if constexpr (n == 4) {
    const __m128i bytes = _mm_cvtsi32_si128(load_vector<int>(from)), words = _mm_unpacklo_epi8(bytes, bytes);
    return std::bit_cast<I>(_mm_srai_epi32(_mm_unpacklo_epi16(words, words), 24));
  }
#endif
  return __builtin_convertvector(load_vector<Simd<std::int8_t, n>>(from), I);
}

/// A number of q8 that has been widened, in a panel whose scales have been too.
template <class Scalar>
struct Scaled {
  Scalar x;
};

/// Room for the 32 scales of a block of a panel, before its numbers, in numbers.
template <class Stored>
inline constexpr Index scale_room = Weight::scale_room<Stored>;
template <class Scalar>
inline constexpr Index scale_room<Scaled<Scalar>> = Weight::panel;

/// One register of Scalars from consecutive stored numbers.
template <class Scalar, class Stored>
GOLDFINCH_INLINE Simd<Scalar, lanes<Scalar>> widen_vector(const Stored* from) {
  constexpr int n = lanes<Scalar>;
  using V = Simd<Scalar, n>;
  if constexpr (std::is_same_v<Stored, Scalar> || std::is_same_v<Stored, Scaled<Scalar>>)
    return load_vector<V>(from);
  else if constexpr (std::is_same_v<Stored, BFloat16>)
    return __builtin_convertvector(widen_bf16<n>(from), V);
  else if constexpr (std::is_same_v<Stored, Q8>)
    return __builtin_convertvector(widen_q8<n>(from), V);
  else if constexpr (std::is_same_v<Stored, Float16>)
    return __builtin_convertvector(widen_f16<n>(from), V);
  else
    return __builtin_convertvector(load_vector<Simd<Stored, n>>(from), V);
}

/// One register of the scales that begin at `room`, those of outputs `column` and after.
template <class Scalar, class Stored>
GOLDFINCH_INLINE Simd<Scalar, lanes<Scalar>> load_scales(const Stored* room, Index column) {
  if constexpr (std::is_same_v<Stored, Q8>) return widen_vector<Scalar>(reinterpret_cast<const BFloat16*>(room) + column);
  else return widen_vector<Scalar>(room + column);
}

}  // namespace fast
}  // namespace goldfinch::inline GOLDFINCH_ISA

#endif  // GOLDFINCH_SIMD
