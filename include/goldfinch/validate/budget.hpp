// How far off a right implementation may be: two relative rms errors. Measured in budgets.hpp, published in manifests, judged by in
// compare.hpp.
#pragma once

#include <algorithm>
#include <limits>

#include "goldfinch/core/arithmetic.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct Budget {
  double local = 0;       // of the operator, fed the reference's own inputs
  double end_to_end = 0;  // from the inputs of the whole case on
};

inline constexpr double budget_factor = 4;  // times what is measured
inline constexpr double no_budget = std::numeric_limits<double>::infinity();  // where the format cannot hold the numbers

/// In float64, of which only the reference's own error is measured: 1e-9, which leaves room for a deep model, or more where a number of
/// 53 bits cannot tell (angles of far positions).
inline Budget float64_budget(double error) {
  const double budget = std::max(1e-9, budget_factor * error);
  return {budget, budget};
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
