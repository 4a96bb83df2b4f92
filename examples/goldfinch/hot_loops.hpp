// Loops whose speed matters, compiled once and optimised in full (hot_loops.cpp), so that those who call them need not be.
#pragma once

#include "goldfinch/layers/random_weights.hpp"
#include "limits.hpp"

#ifndef GOLDFINCH_HOT_LOOP
#define GOLDFINCH_HOT_LOOP extern template
#endif

namespace goldfinch::inline GOLDFINCH_ISA {
#define GOLDFINCH_RANDOM(Stored) GOLDFINCH_HOT_LOOP void random_numbers<Stored>(const RandomStream&, const Distribution&, Index, Index, Stored*)
GOLDFINCH_RANDOM(double);
GOLDFINCH_RANDOM(float);
GOLDFINCH_RANDOM(BFloat16);
GOLDFINCH_RANDOM(Float16);
#undef GOLDFINCH_RANDOM
}  // namespace goldfinch::inline GOLDFINCH_ISA

namespace limits {
#define GOLDFINCH_READ(streams, prefetch) GOLDFINCH_HOT_LOOP std::uint64_t read_sum<streams, prefetch>(const std::byte*, std::size_t)
GOLDFINCH_READ(1, false);
GOLDFINCH_READ(2, false);
GOLDFINCH_READ(4, false);
GOLDFINCH_READ(8, false);
GOLDFINCH_READ(1, true);
GOLDFINCH_READ(2, true);
GOLDFINCH_READ(4, true);
GOLDFINCH_READ(8, true);
#undef GOLDFINCH_READ
GOLDFINCH_HOT_LOOP double operations<float, 12, false>();
GOLDFINCH_HOT_LOOP double operations<float, 20, false>();
GOLDFINCH_HOT_LOOP double operations<float, 12, true>();
}  // namespace limits
