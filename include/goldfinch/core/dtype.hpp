// The number types that tensors are stored in, and exact widening from them. bf16 and f16 numbers are numbers of float, so a
// model gives the same bits whether its weights are stored in 16 bits or as the same numbers in 32 (docs/numerics.md, rule 3).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "goldfinch/core/arithmetic.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

static_assert(std::endian::native == std::endian::little, "files are little-endian, and read and written as they are in memory");

/// q8: integers from -127 to 127 that share a scale by 64 (math/weight.hpp); u8: bytes, in session files.
enum class DType { f64, f32, bf16, f16, q8, u8 };

inline constexpr DType all_dtypes[] = {DType::f64, DType::f32, DType::bf16, DType::f16};  // of numbers that stand for themselves

/// Numbers of a row of q8 that share a scale, a bfloat16.
inline constexpr std::ptrdiff_t q8_block = 64;

/// Bytes of one number, without its share of a scale.
constexpr int size_of(DType type) {
  constexpr int sizes[] = {8, 4, 2, 2, 1, 1};
  return sizes[static_cast<int>(type)];
}

/// "f32", as flags and messages spell it. (safetensors spells it in capitals.)
constexpr const char* name_of(DType type) {
  constexpr const char* names[] = {"f64", "f32", "bf16", "f16", "q8", "u8"};
  return names[static_cast<int>(type)];
}

/// The type of numbers that stand for themselves with that name, or none.
inline std::optional<DType> dtype_named(std::string_view name) {
  for (const DType type : all_dtypes)
    if (name == name_of(type)) return type;
  return std::nullopt;
}

/// A bfloat16 as stored: the upper half of a float.
struct BFloat16 {
  std::uint16_t bits;
};

/// An IEEE binary16 as stored.
struct Float16 {
  std::uint16_t bits;
};

/// A number of q8 as stored, -127 to 127.
struct Q8 {
  std::int8_t q;
};

inline float widen(BFloat16 x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16); }

inline float widen(Float16 x) {
  const std::uint32_t sign = static_cast<std::uint32_t>(x.bits & 0x8000u) << 16;
  const std::uint32_t magnitude = x.bits & 0x7fffu;
  if (magnitude >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);  // infinity, NaN
  // Exponent and fraction moved into place give the number times 2^-112, denormals included; the product is exact.
  return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112f));
}

inline float widen(Q8 x) { return x.q; }  // without its scale

inline float widen(float x) { return x; }
inline double widen(double x) { return x; }

/// Nearest bfloat16, ties to even; overflow gives infinity and NaN stays NaN.
inline BFloat16 to_bfloat16(float x) {
  std::uint32_t u = std::bit_cast<std::uint32_t>(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return {static_cast<std::uint16_t>(u >> 16 | 0x40u)};
  return {static_cast<std::uint16_t>((u + 0x7fffu + (u >> 16 & 1u)) >> 16)};
}

/// Nearest binary16, ties to even; overflow gives infinity and NaN stays NaN.
inline Float16 to_float16(float x) {
  const std::uint32_t u = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t sign = u >> 16 & 0x8000u, magnitude = u & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return {static_cast<std::uint16_t>(sign | 0x7e00u)};
  if (magnitude >= 0x477ff000u) return {static_cast<std::uint16_t>(sign | 0x7c00u)};  // 65520 and above
  if (magnitude < 0x38800000u) {  // below 2^-14: adding 1/2 leaves the denormal's fraction in the low bits, rounded by the addition
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return {static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000u))};
  }
  const std::uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
  return {static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13))};
}

/// Calls f with a null pointer to the C++ type of numbers that stand for themselves: dispatch(t, [&]<class Stored>(Stored*) { … }). Throws
/// Error for the other types.
template <class F>
decltype(auto) dispatch(DType type, F&& f) {
  switch (type) {
    case DType::f64: return f(static_cast<double*>(nullptr));
    case DType::f32: return f(static_cast<float*>(nullptr));
    case DType::bf16: return f(static_cast<BFloat16*>(nullptr));
    case DType::f16: return f(static_cast<Float16*>(nullptr));
    case DType::q8:
    case DType::u8: break;
  }
  fail("numbers of type ", name_of(type), " do not stand for themselves");
}

/// Element i of an array that may be misaligned, in its stored type.
template <class Stored>
Stored load(const std::byte* data, std::size_t i) {
  Stored x;
  std::memcpy(&x, data + i * sizeof(Stored), sizeof x);
  return x;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
