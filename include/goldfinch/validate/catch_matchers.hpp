// A matcher for Catch2, version 2 or 3, for tests of another backend against this library:
//
//   CHECK_THAT(mine, goldfinch::within_budget(expected, goldfinch::DType::bf16));          budgets as goldfinch compare has them
//   CHECK_THAT(mine, goldfinch::within_budget(expected, goldfinch::DType::f32, 1e-5));     or a relative rms of one's own
//
// Matrices of float or double, both sides of either. What does not match is described in the words of the command: the reason, and
// what the error looks like. MISTRUSTED is no match here: a test of zeros tests nothing.
#pragma once

#if __has_include(<catch2/matchers/catch_matchers.hpp>)
#include <catch2/matchers/catch_matchers.hpp>
#elif __has_include(<catch_amalgamated.hpp>)
#include <catch_amalgamated.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <string>
#include <type_traits>
#include <utility>

#include "goldfinch/validate/symptoms.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

#if defined(CATCH_VERSION_MAJOR) && CATCH_VERSION_MAJOR == 2
template <class T>
using CatchMatcherBase = Catch::MatcherBase<T>;
#else
template <class T>
using CatchMatcherBase = Catch::Matchers::MatcherBase<T>;
#endif

/// Matches a matrix that is within the budget of the expected one, which it keeps.
template <class Got, class Expected>
class WithinBudget final : public CatchMatcherBase<Matrix<Got>> {
 public:
  WithinBudget(Matrix<Expected> expected, DType format, double budget) : expected_(std::move(expected)), format_(format), budget_(budget) {}

  bool match(const Matrix<Got>& got) const override {
    const Array expected = Array::view(expected_), other = Array::view(got);
    const Comparison c = compare(expected, other, budget_, format_);
    if (c.status == Status::passed) return true;
    seen_ = std::string(name_of(c.status)) + ": " + c.reason;
    if (c.status == Status::failed)
      for (const std::string& symptom : symptoms(expected, other, c)) seen_ += "; " + symptom;
    return false;
  }

  std::string describe() const override {
    return "is within a relative rms of " + compare_detail::short_number(budget_) + " of the expected matrix of shape " +
           to_string(Shape{expected_.rows(), expected_.cols()}) + (seen_.empty() ? "" : "\n" + seen_);
  }

 private:
  Matrix<Expected> expected_;
  DType format_;
  double budget_;
  mutable std::string seen_;  // of the last match that failed: Catch asks for the description afterwards
};

/// Matches matrices of the expected one's own scalar; within_budget<float>(expected_in_double, …) those of another.
template <class Got = void, class Expected>
auto within_budget(Matrix<Expected> expected, DType format, double budget) {
  return WithinBudget<std::conditional_t<std::is_void_v<Got>, Expected, Got>, Expected>(std::move(expected), format, budget);
}
template <class Got = void, class Expected>
auto within_budget(Matrix<Expected> expected, DType format) {
  return within_budget<Got>(std::move(expected), format, default_budget(format));
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
