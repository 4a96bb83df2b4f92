// The sums and maxima that a comparison of two tensors consists of (compare.hpp says what they mean), taken in two passes over ranges
// of rows: of the expected alone, then of both. Every range is summed in order by one thread and the ranges are added in order, so the
// figures do not depend on the number of threads.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "goldfinch/core/narrow.hpp"
#include "goldfinch/core/parallel.hpp"
#include "goldfinch/validate/array.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// NaN and infinities of one side.
struct Nonfinite {
  Index nan = 0, infinite = 0;
  Index first = -1;  // element, in row-major order; -1: none
};

namespace compare_detail {

/// How many numbers of the format lie from one to the other, after rounding to it. -0 is 0.
template <class Stored>
std::uint64_t ulps_between(double a, double b) {
  const auto ordinal = [](double x) -> std::int64_t {
    const Stored narrowed = narrow<Stored>(x);
    if constexpr (sizeof(Stored) == 8) {
      const auto bits = std::bit_cast<std::int64_t>(narrowed);
      return bits < 0 ? std::numeric_limits<std::int64_t>::min() - bits : bits;
    } else if constexpr (sizeof(Stored) == 4) {
      const auto bits = std::bit_cast<std::int32_t>(narrowed);
      return bits < 0 ? -(std::int64_t{bits} & 0x7fffffff) : bits;
    } else {
      return narrowed.bits & 0x8000 ? -(narrowed.bits & 0x7fff) : narrowed.bits;
    }
  };
  const std::int64_t x = ordinal(a), y = ordinal(b);
  return x > y ? static_cast<std::uint64_t>(x) - static_cast<std::uint64_t>(y) : static_cast<std::uint64_t>(y) - static_cast<std::uint64_t>(x);
}

/// The rows of a tensor cut into at most 256 ranges, each read in blocks. A dimension of 1 in front is no row.
struct Ranges {
  Index rows = 1, row_size, ranges;

  explicit Ranges(const Shape& shape) {
    const Index count = element_count(shape);
    for (const Index n : shape)
      if (rows == 1) rows = n;
    row_size = rows > 0 ? count / rows : 0;
    ranges = count > 0 ? std::min<Index>(rows, 256) : 0;
  }

  /// Calls body(range, first element, elements) with pieces of at most 4096 elements, ranges in parallel.
  template <class Body>
  void for_each(Body&& body) const {
    constexpr Index worth_a_thread = 32768;  // elements
    parallel_for(ranges, ranges * worth_a_thread / std::max<Index>(rows * row_size, 1) + 1, [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        const Index last = rows * (r + 1) / ranges * row_size;
        for (Index at = rows * r / ranges * row_size; at < last; at += 4096) body(r, at, std::min<Index>(4096, last - at));
      }
    });
  }
};

/// What the first pass finds: of the expected alone.
struct Level {
  double sum = 0, squares = 0, low = std::numeric_limits<double>::infinity(), high = -low;
  Index finite = 0;

  void add(const double* e, Index n, double unit) {
    double s = 0, q = 0;
    for (Index i = 0; i < n; ++i) {
      const double x = e[i] * unit;
      if (!std::isfinite(x)) continue;
      s += x, q += x * x, ++finite;
      low = std::min(low, x), high = std::max(high, x);
    }
    sum += s, squares += q;
  }
  void add(const Level& other) {
    sum += other.sum, squares += other.squares, finite += other.finite;
    low = std::min(low, other.low), high = std::max(high, other.high);
  }
};

/// What the second pass finds, of one range of rows.
struct Differences {
  Index finite = 0, elements = 0, expected_zeros = 0, got_zeros = 0;
  double d2 = 0, eg = 0, e2 = 0, g2 = 0, centred = 0;
  double max_abs = 0, max_rel = 0, worst = 0;
  Index max_abs_at = -1, max_rel_at = -1, worst_at = -1;
  Nonfinite expected, got;
  Index unequal = 0, first_unequal = -1;
  std::array<Index, 65> ulps{};

  static void count(Nonfinite& side, double x, Index at) {
    ++(std::isnan(x) ? side.nan : side.infinite);
    if (side.first < 0) side.first = at;
  }

  template <class Stored>
  void add(const double* expected_numbers, const double* got_numbers, Index n, Index first, double unit, double mean, double rms) {
    for (Index i = 0; i < n; ++i) {
      const double e = expected_numbers[i] * unit, g = got_numbers[i] * unit;
      const Index at = first + i;
      ++elements, expected_zeros += e == 0, got_zeros += g == 0;
      const bool e_finite = std::isfinite(expected_numbers[i]), g_finite = std::isfinite(got_numbers[i]);
      if (!e_finite || !g_finite) {
        if (!e_finite) count(expected, expected_numbers[i], at);
        if (!g_finite) count(got, got_numbers[i], at);
        const bool equal = expected_numbers[i] == got_numbers[i] || (std::isnan(expected_numbers[i]) && std::isnan(got_numbers[i]));
        if (!equal && unequal++ == 0) first_unequal = at;
        continue;
      }
      ++finite;
      const double d = g - e, off = std::abs(d), size = std::abs(e);
      d2 += d * d, eg += e * g, e2 += e * e, g2 += g * g, centred += (e - mean) * (e - mean);
      const auto keep = [&](double value, double& most, Index& where) {
        if (value > most) most = value, where = at;
      };
      keep(off, max_abs, max_abs_at);
      if (size > 0) keep(off / size, max_rel, max_rel_at);
      if (off > 0) keep(off / std::max(size, rms), worst, worst_at);
      ++ulps[static_cast<std::size_t>(std::bit_width(ulps_between<Stored>(expected_numbers[i], got_numbers[i])))];
    }
  }

  void add(const Differences& o) {
    finite += o.finite, elements += o.elements, expected_zeros += o.expected_zeros, got_zeros += o.got_zeros;
    d2 += o.d2, eg += o.eg, e2 += o.e2, g2 += o.g2, centred += o.centred;
    if (o.max_abs > max_abs) max_abs = o.max_abs, max_abs_at = o.max_abs_at;
    if (o.max_rel > max_rel) max_rel = o.max_rel, max_rel_at = o.max_rel_at;
    if (o.worst > worst) worst = o.worst, worst_at = o.worst_at;
    for (const auto& [to, from] : {std::pair(&expected, &o.expected), std::pair(&got, &o.got)}) {
      to->nan += from->nan, to->infinite += from->infinite;
      if (to->first < 0) to->first = from->first;
    }
    unequal += o.unequal;
    if (first_unequal < 0) first_unequal = o.first_unequal;
    for (std::size_t i = 0; i < ulps.size(); ++i) ulps[i] += o.ulps[i];
  }
};

/// The power of two that brings the expected to a size whose squares neither overflow nor vanish; 1 for ordinary numbers.
inline double unit_for(const Level& level) {
  const double largest = level.finite > 0 ? std::max(std::abs(level.low), std::abs(level.high)) : 0;
  return largest > 0 && (largest < 0x1p-300 || largest > 0x1p300) ? std::ldexp(1.0, std::clamp(-std::ilogb(largest), -1022, 1022)) : 1.0;
}

inline Level measure(const Array& expected, const Ranges& ranges, double unit) {
  std::vector<Level> parts(static_cast<std::size_t>(ranges.ranges));
  ranges.for_each([&](Index range, Index first, Index n) {
    double e[4096];
    expected.read(first, n, e);
    parts[static_cast<std::size_t>(range)].add(e, n, unit);
  });
  Level all;
  for (const Level& part : parts) all.add(part);
  return all;
}

/// Zero where both are zero; infinite where only the second is.
inline double ratio(double a, double b) { return a == 0 ? 0 : b == 0 ? std::numeric_limits<double>::infinity() : a / b; }

}  // namespace compare_detail

}  // namespace goldfinch::inline GOLDFINCH_ISA
