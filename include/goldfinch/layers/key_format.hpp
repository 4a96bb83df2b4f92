// How the compressed keys of the cache are kept. Every key that attention reads has been through the format, those of the current
// call included, so that no result depends on when a key was written.
//
//   native   the numbers as computed, in the scalar of the model
//   bf16     bfloat16 of float: rounded to float first (which changes nothing in a model of floats), then to the nearest, ties to even
//   int8     one scale a token:           s = bfloat16(max |c| / 127),  q = round(c / s) in [-127, 127],  c' = s * q
//   int4     one scale a group of 32:     s = bfloat16(max |c| / 7),    q = round(c / s) in [-7, 7],      c' = s * q
//
// Scales never span tokens: a token's bytes depend on that token alone. max / 127 is rounded to float before it is rounded to
// bfloat16, as numbers in bf16 are; c / s is a quotient of doubles, rounded to the nearest integer, ties to even; s * q is exact in float.
#pragma once

#include <array>
#include <cmath>
#include <string>

#include "goldfinch/core/dtype.hpp"
#include "goldfinch/core/matrix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

enum class KeyFormat { native, bf16, int8, int4 };

inline constexpr std::array<const char*, 4> key_format_names = {"native", "bf16", "int8", "int4"};

constexpr const char* name_of(KeyFormat format) { return key_format_names[static_cast<std::size_t>(format)]; }

/// The format of that name. Throws Error listing the names.
inline KeyFormat key_format(const std::string& name) {
  for (std::size_t i = 0; i < key_format_names.size(); ++i)
    if (name == key_format_names[i]) return static_cast<KeyFormat>(i);
  fail("there is no cache format '", name, "'; there are native, bf16, int8 and int4");
}

/// Numbers that share a scale.
constexpr Index key_group(KeyFormat format, Index R) { return format == KeyFormat::int4 ? 32 : R; }

/// Bytes of a compressed key of R numbers; scalar_bytes is the size of one native number.
constexpr Index key_bytes(KeyFormat format, Index R, Index scalar_bytes) {
  switch (format) {
    case KeyFormat::native: return R * scalar_bytes;
    case KeyFormat::bf16: return R * 2;
    case KeyFormat::int8: return R + 2;
    case KeyFormat::int4: break;
  }
  return (R + 1) / 2 + 2 * ((R + 31) / 32);
}

/// Writes c [R] in bf16, int8 or int4: first the scales, then the numbers (int4: the first of two in the low half of a byte).
template <class Scalar>
void encode_key(KeyFormat format, const Scalar* c, Index R, std::byte* to) {
  const auto put = [](std::byte* at, BFloat16 x) { std::memcpy(at, &x, 2); };
  if (format == KeyFormat::bf16) {
    for (Index i = 0; i < R; ++i) put(to + 2 * i, to_bfloat16(static_cast<float>(c[i])));
    return;
  }
  const Index group = key_group(format, R), groups = group > 0 ? (R + group - 1) / group : 0;
  const double limit = format == KeyFormat::int8 ? 127 : 7;
  std::byte* const numbers = to + 2 * groups;
  std::fill(numbers, to + key_bytes(format, R, 0), std::byte{0});
  for (Index g = 0; g < groups; ++g) {
    const Index first = g * group, last = std::min(first + group, R);
    double largest = 0;
    for (Index i = first; i < last; ++i) {
      const double a = std::abs(static_cast<double>(c[i]));
      if (!(a <= largest) && largest == largest) largest = a;  // NaN stays, so that the whole group becomes NaN
    }
    const BFloat16 scale = to_bfloat16(static_cast<float>(largest / limit));
    put(to + 2 * g, scale);
    const double s = static_cast<double>(widen(scale));
    if (!(s > 0) || !std::isfinite(s)) continue;  // q = 0: all zero, or NaN or infinity times zero
    for (Index i = first; i < last; ++i) {
      const double rounded = (static_cast<double>(c[i]) / s + 0x1.8p52) - 0x1.8p52;
      const int q = static_cast<int>(std::clamp(rounded, -limit, limit));
      if (format == KeyFormat::int8) numbers[i] = static_cast<std::byte>(q);
      else numbers[i / 2] |= static_cast<std::byte>((q & 15) << (i % 2 * 4));
    }
  }
}

/// Reads what encode_key wrote: c [R].
template <class Scalar>
void decode_key(KeyFormat format, const std::byte* from, Index R, Scalar* c) {
  const auto get = [](const std::byte* at) { return widen(load<BFloat16>(at, 0)); };
  if (format == KeyFormat::bf16) {
    for (Index i = 0; i < R; ++i) c[i] = static_cast<Scalar>(get(from + 2 * i));
    return;
  }
  const Index group = key_group(format, R), groups = group > 0 ? (R + group - 1) / group : 0;
  const std::byte* const numbers = from + 2 * groups;
  for (Index i = 0; i < R; ++i) {
    const float s = get(from + 2 * (i / group));
    const int q = format == KeyFormat::int8 ? static_cast<std::int8_t>(numbers[i])
                                            : static_cast<std::int8_t>(static_cast<unsigned>(numbers[i / 2]) >> (i % 2 * 4) << 4) >> 4;
    c[i] = static_cast<Scalar>(s * static_cast<float>(q));
  }
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
