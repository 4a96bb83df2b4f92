// From double to the types that tensors are stored in: to the nearest number, ties to even, rounded once. (A double rounded to
// float and then to 16 bits is rounded twice, and wrong where the first rounding makes a tie.)
#pragma once

#include <bit>
#include <type_traits>

#include "goldfinch/core/dtype.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// The float between 0 and x that is nearest to x, with its last bit set if that is not x itself. Rounded on to fewer bits, two or
/// more, it goes where x would go: the last bit keeps it off a tie that x is not on.
inline float round_to_odd(double x) {
  const float nearest = static_cast<float>(x);
  if (static_cast<double>(nearest) == x || x != x) return nearest;
  std::uint32_t bits = std::bit_cast<std::uint32_t>(nearest);
  const double magnitude = x < 0 ? -x : x;
  if (std::bit_cast<float>(bits & 0x7fffffffu) > magnitude) --bits;
  return std::bit_cast<float>(bits | 1u);
}

/// The nearest number of a stored type; overflow gives infinity and NaN stays NaN.
template <class Stored>
Stored narrow(double x) {
  if constexpr (std::is_same_v<Stored, BFloat16>) return to_bfloat16(round_to_odd(x));
  else if constexpr (std::is_same_v<Stored, Float16>) return to_float16(round_to_odd(x));
  else return static_cast<Stored>(x);
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
