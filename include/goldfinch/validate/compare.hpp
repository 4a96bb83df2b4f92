// One tensor against what it should be: how far off, where, and whether that is within a budget.
//
//   e expected, g got, d = g - e, over the elements where both are finite; rms(x) = sqrt(mean(x^2))
//   relative rms   rms(d) / rms(e)                      what budgets are about: a 1 % error of scale is 0.01, a flipped sign 2
//   worst          max |d| / max(|e|, rms(e))           one wrong element among millions, which no mean shows
//   NMSE           sum d^2 / sum (e - mean e)^2         1 where nothing but the mean of e is left of it
//   cosine         <e, g> / (|e| |g|)                   1 where only the scale is wrong; the scale is <e, g> / <e, e>
//   max abs, max rel                                    the largest |d|, and the largest |d| / |e| where e is not 0
//   ULPs           of both numbers rounded to the format: how many numbers of the format lie between them, as a histogram
//
// FAILED: the shapes differ; a NaN or infinity on one side that is not on the other; relative rms above the budget; or worst above
// 16 budgets (errors of rounding are near normal: even of 10^12 elements none is 8 budgets off). MISTRUSTED: not failed, but no
// evidence either: over 90 % zeros on one side, all elements equal, nothing finite, or a budget above 0.3 ("no information": rounding
// may have made it anything, so its size is not judged). Where the format cannot hold the numbers (no_budget), a right run may overflow or
// vanish in it, so nothing but the shape is judged. Sums are in double, by ranges of rows, and do not depend on the number of
// threads. Not for bits: two runs that must be equal are compared by cmp.
#pragma once

#include <array>
#include <cmath>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "goldfinch/validate/budget.hpp"
#include "goldfinch/validate/differences.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

enum class Status { passed, failed, mistrusted, untested };
inline constexpr Status all_statuses[] = {Status::passed, Status::failed, Status::mistrusted, Status::untested};

inline const char* name_of(Status status) {
  constexpr const char* names[] = {"PASSED", "FAILED", "MISTRUSTED", "UNTESTED"};
  return names[static_cast<int>(status)];
}

/// A format that numbers were computed in, by the name that the manifest's budgets have.
struct ComparisonFormat {
  const char* name;
  DType numbers;  // what holds them, and what ULPs are counted in
  /// The budget, as relative rms, where nobody has measured one: what a right run of a whole model of some ten layers stays under, with
  /// numbers stored in the format and sums in float (in the format itself: _own). For f32 that is generous: right runs are near 1e-6.
  double budget;

  constexpr ComparisonFormat(const char* spelled, DType stored, double relative_rms) : name(spelled), numbers(stored), budget(relative_rms) {}
  constexpr ComparisonFormat(DType type);
};

inline constexpr ComparisonFormat comparison_formats[] = {
    {"f64", DType::f64, 1e-9},  {"f32", DType::f32, 1e-4},  {"tf32", DType::f32, 1e-2},     {"bf16", DType::bf16, 5e-2},    {"fp16", DType::f16, 1e-2},
    {"e4m3", DType::f16, 0.3}, {"e5m2", DType::f16, 0.3}, {"bf16_own", DType::bf16, 0.1}, {"fp16_own", DType::f16, 2e-2}};

constexpr ComparisonFormat::ComparisonFormat(DType type)
    : ComparisonFormat(comparison_formats[type == DType::f64 ? 0 : type == DType::f32 ? 1 : type == DType::f16 ? 4 : 3]) {}

/// The format of that name; f16 is fp16. Throws Error listing the names.
inline const ComparisonFormat& comparison_format(const std::string& name) {
  std::string names;
  for (const ComparisonFormat& format : comparison_formats) {
    if (name == format.name || (name == "f16" && format.name == std::string_view("fp16"))) return format;
    names += std::string(names.empty() ? "" : ", ") + format.name;
  }
  fail("the format is '", name, "', expected one of ", names);
}

inline double default_budget(DType format) { return ComparisonFormat(format).budget; }

inline constexpr double no_information = 0.3;  // a budget above this says nothing
inline constexpr double worst_in_budgets = 16;

struct Comparison {
  Status status = Status::untested;
  std::string reason;  // why it is not PASSED

  Shape expected_shape, got_shape;
  double budget = 0;
  // Everything below only where the shapes are equal. Elements are counted in row-major order; -1: none.
  Index count = 0, finite = 0;
  double rms = 0;  // of the expected
  double relative_rms = 0, worst = 0, nmse = 0, cosine = 1, scale = 1;
  double max_abs = 0, max_rel = 0;
  Index worst_at = -1, max_abs_at = -1, max_rel_at = -1;
  std::array<Index, 65> ulps{};  // [0]: equal; [k]: 2^(k-1) to 2^k - 1 apart
  Nonfinite expected_nonfinite, got_nonfinite;
  Index unequal_nonfinite = 0, first_unequal_nonfinite = -1;
  double expected_zeros = 0, got_zeros = 0;  // shares
  bool constant = false;                     // all expected elements are equal
  std::vector<double> along;                 // rms(d) of each of up to 256 ranges of rows, over rms(e)
};

/// "[3, 17]": an element's indices.
inline std::string place_in(const Shape& shape, Index element) {
  Shape at(shape.size());
  for (std::size_t i = shape.size(); i-- > 0; element /= shape[i]) at[i] = element % shape[i];
  return to_string(at);
}

namespace compare_detail {

/// "0.0123": three digits, whatever the size.
inline std::string short_number(double x) {
  std::ostringstream text;
  text.precision(3);
  text << x;
  return text.str();
}

/// The status that the figures give, and the reason.
inline void judge(Comparison& c) {
  const auto set = [&](Status status, const auto&... parts) {
    std::ostringstream text;
    (text << ... << parts);
    c.status = status, c.reason = text.str();
  };
  const auto share = [](double x) { return short_number(100 * x) + " %"; };
  if (c.expected_shape != c.got_shape)
    return set(Status::failed, "shape ", to_string(c.got_shape), ", expected ", to_string(c.expected_shape));
  if (c.budget == no_budget) return set(Status::mistrusted, "no information: the format cannot hold these numbers");
  if (c.unequal_nonfinite > 0)
    return set(Status::failed, c.unequal_nonfinite, " of ", c.count, " elements are NaN or infinite on one side only or differently, first ",
               place_in(c.expected_shape, c.first_unequal_nonfinite), " (got ", c.got_nonfinite.nan, " NaN and ", c.got_nonfinite.infinite,
               " infinite, expected ", c.expected_nonfinite.nan, " and ", c.expected_nonfinite.infinite, ")");
  const bool informative = c.budget <= no_information;
  if (informative && !(c.relative_rms <= c.budget))
    return set(Status::failed, "relative rms ", short_number(c.relative_rms), " above the budget ", short_number(c.budget));
  if (informative && !(c.worst <= worst_in_budgets * c.budget))
    return set(Status::failed, "element ", place_in(c.expected_shape, c.worst_at), " is off by ", short_number(c.worst),
               " of its size or the tensor's rms, more than ", worst_in_budgets, " budgets of ", short_number(c.budget),
               "; the rest is right (relative rms ", short_number(c.relative_rms), ")");
  if (c.finite == 0) return set(Status::mistrusted, c.count == 0 ? "no elements" : "no finite elements");
  if (!informative) return set(Status::mistrusted, "no information: the budget is ", short_number(c.budget));
  if (c.expected_zeros > 0.9) return set(Status::mistrusted, share(c.expected_zeros), " of the expected are zeros");
  if (c.got_zeros > 0.9) return set(Status::mistrusted, share(c.got_zeros), " are zeros");
  if (c.constant) return set(Status::mistrusted, "all expected elements are equal");
  set(Status::passed, "");
}

}  // namespace compare_detail

/// Compares two tensors of any number types. `budget` is a relative rms; `format` is what ULPs are counted in.
inline Comparison compare(const Array& expected, const Array& got, double budget, DType format = DType::f32) {
  using namespace compare_detail;
  Comparison c;
  c.budget = budget, c.expected_shape = expected.shape, c.got_shape = got.shape;
  if (expected.shape != got.shape) return judge(c), c;

  const Ranges ranges(expected.shape);
  Level level = measure(expected, ranges, 1);
  const double unit = unit_for(level);
  if (unit != 1) level = measure(expected, ranges, unit);
  const auto n = static_cast<double>(std::max<Index>(level.finite, 1));
  const double mean = level.sum / n, rms = std::sqrt(level.squares / n);

  std::vector<Differences> parts(static_cast<std::size_t>(ranges.ranges));
  goldfinch::dispatch(format, [&]<class Stored>(Stored*) {
    ranges.for_each([&](Index range, Index first, Index size) {
      double e[4096], g[4096];
      expected.read(first, size, e);
      got.read(first, size, g);
      parts[static_cast<std::size_t>(range)].template add<Stored>(e, g, size, first, unit, mean, rms);
    });
  });
  Differences all;
  for (const Differences& part : parts) {
    all.add(part);
    c.along.push_back(ratio(std::sqrt(part.d2 / static_cast<double>(std::max<Index>(part.finite, 1))), rms));
  }

  c.count = all.elements, c.finite = all.finite, c.rms = rms / unit;
  c.relative_rms = std::sqrt(ratio(all.d2, all.e2)), c.nmse = ratio(all.d2, all.centred);
  c.cosine = all.e2 == 0 && all.g2 == 0 ? 1 : all.e2 == 0 || all.g2 == 0 ? 0 : all.eg / (std::sqrt(all.e2) * std::sqrt(all.g2));
  c.scale = all.e2 == 0 ? 1 : all.eg / all.e2;
  c.max_abs = all.max_abs / unit, c.max_abs_at = all.max_abs_at, c.max_rel = all.max_rel, c.max_rel_at = all.max_rel_at;
  c.worst = all.worst, c.worst_at = all.worst_at, c.ulps = all.ulps;
  c.expected_nonfinite = all.expected, c.got_nonfinite = all.got;
  c.unequal_nonfinite = all.unequal, c.first_unequal_nonfinite = all.first_unequal;
  const auto elements = static_cast<double>(std::max<Index>(all.elements, 1));
  c.expected_zeros = static_cast<double>(all.expected_zeros) / elements, c.got_zeros = static_cast<double>(all.got_zeros) / elements;
  c.constant = all.elements > 1 && level.low == level.high && all.expected.first < 0;
  judge(c);
  return c;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
