// How far off a right implementation may be: two relative rms errors. Measured in budgets.hpp, published in manifests, judged by in
// compare.hpp.
#pragma once

#include "goldfinch/core/arithmetic.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

struct Budget {
  double local = 0;       // of the operator, fed the reference's own inputs
  double end_to_end = 0;  // from the inputs of the whole case on
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
