// The elementary functions of __float128, from libquadmath: a 128-bit reference for checks, and a scalar that layers can run
// with. g++ only, empty elsewhere (GOLDFINCH_FLOAT128 says which); a program that calls one links quadmath. The type has no
// namespace in which a template could find functions later, so these stand before all templates: functions.hpp includes this.
#pragma once

#include "goldfinch/core/error.hpp"

#if defined(__GNUC__) && !defined(__clang__) && defined(__SIZEOF_FLOAT128__) && __has_include(<quadmath.h>)
#define GOLDFINCH_FLOAT128 1
#include <concepts>
#include <quadmath.h>

namespace goldfinch::inline GOLDFINCH_ISA {

__extension__ typedef __float128 Float128;

inline Float128 exp(Float128 x) { return ::expq(x); }
inline Float128 expm1(Float128 x) { return ::expm1q(x); }
inline Float128 log(Float128 x) { return ::logq(x); }
inline Float128 tanh(Float128 x) { return ::tanhq(x); }
inline Float128 sin(Float128 x) { return ::sinq(x); }
inline Float128 cos(Float128 x) { return ::cosq(x); }

// An integer would be converted to 128 bits in silence: it is refused, as it is where there is no such type.
template <std::integral Integer> void exp(Integer) = delete;
template <std::integral Integer> void expm1(Integer) = delete;
template <std::integral Integer> void log(Integer) = delete;
template <std::integral Integer> void tanh(Integer) = delete;
template <std::integral Integer> void sin(Integer) = delete;
template <std::integral Integer> void cos(Integer) = delete;

}  // namespace goldfinch::inline GOLDFINCH_ISA
#else
#define GOLDFINCH_FLOAT128 0
#endif
