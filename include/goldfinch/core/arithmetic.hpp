// The arithmetic that every other header relies on: IEEE, round to nearest even, one rounding an operation (docs/numerics.md,
// rule 1). What a compiler flag can take away is refused here: at compile time where the compiler tells, otherwise by a
// self-test of a few nanoseconds that runs once in every translation unit, before main.
//
// All code lives in an inline namespace named after the instruction set (instruction_set.hpp), so that inline functions of two
// translation units compiled for different processors are different functions and the linker never swaps one for the other. That
// holds for goldfinch, not for Eigen, whose matrices are aligned as the flags say and are handed from function to function: compile
// one program with one set of flags.
#pragma once

#include <atomic>
#include <limits>

#include "goldfinch/core/error.hpp"

#if defined(__FAST_MATH__)
#error "goldfinch: -ffast-math (or -Ofast) changes results; compile without it"
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "goldfinch: this target computes float and double in a wider type (x87?); use -mfpmath=sse or another target"
#endif

namespace goldfinch::inline GOLDFINCH_ISA {

static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559, "goldfinch needs IEEE float and double");

namespace arithmetic {

/// Why the arithmetic of this program is not the contract's, or null. Set before main, read by require().
inline std::atomic<const char*> broken{nullptr};

/// Throws Error if any translation unit was compiled, or the process is running, with arithmetic other than the contract's.
/// Called where models are made and checkpoints are loaded, so that wrong bits are never printed.
inline void require() {
  if (const char* why = broken.load()) fail("this program's arithmetic is not goldfinch's: ", why);
  volatile double smallest = std::numeric_limits<double>::min();
  const double half = smallest * 0.5;
  if (half == 0) fail("this program's arithmetic is not goldfinch's: denormal numbers are flushed to zero (a library set FTZ or DAZ)");
}

}  // namespace arithmetic

}  // namespace goldfinch::inline GOLDFINCH_ISA

// Internal linkage on purpose: this must see the flags of the translation unit that includes it, not of another one.
namespace {

template <class Scalar>
bool goldfinch_contracts(Scalar x) {
  // (1 + u)(1 - u) = 1 - u^2 rounds to 1 for u = epsilon, so the difference is 0 unless the product was kept unrounded.
  volatile Scalar a = 1 + x, b = 1 - x, minus_one = -1;
  const Scalar p = a, q = b, c = minus_one;
  return p * q + c != 0;
}

template <class Scalar>
bool goldfinch_reassociates(Scalar big) {
  volatile Scalar a = 1, b = big;
  const Scalar small = a, large = b;
  return (small + large) - large != 0 || (large + small) - small != large;
}

[[maybe_unused]] const bool goldfinch_arithmetic_checked = [] {
  const char* why = nullptr;
  if (goldfinch_contracts(std::numeric_limits<float>::epsilon()) || goldfinch_contracts(std::numeric_limits<double>::epsilon()))
    why = "products are fused into sums (contraction); compile every file with -ffp-contract=off";
  if (goldfinch_reassociates(1e10f) || goldfinch_reassociates(1e20))
    why = "sums are reordered; compile without -funsafe-math-optimizations and -fassociative-math";
  if (why) goldfinch::arithmetic::broken.store(why);
  return true;
}();

}  // namespace
