// softmax: a row of numbers to probabilities. Attention and the sampler have their own forms, which never hold all of them at once
// (attention.hpp) or need them in another order (generate/sampler.hpp); this is the operator by itself.
//
//   SOFTMAX.1   p[v] = exp(l[v] - m) / sum_v exp(l[v] - m)        m = max l; the sum is that of sum.hpp
#pragma once

#include "goldfinch/math/elementwise.hpp"
#include "goldfinch/math/sum.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// SOFTMAX.1 of every row: x [rows, V] -> [rows, V]. A NaN among a row's numbers gives a row of NaN.
template <class Scalar>
[[nodiscard]] Matrix<Scalar> softmax(Matrix<Scalar> x) {
  if (x.rows() > 0 && x.cols() == 0) fail("softmax: the rows have no numbers, expected one or more");
  return map(std::move(x), [](const Scalar* from, Scalar* to, Index n) {
    Scalar m = from[0];
    for (Index i = 1; i < n; ++i) m = m < from[i] ? from[i] : m;
    for (Index i = 0; i < n; ++i) to[i] = from[i] - m;
    goldfinch::exp(to, to, n);
    const Scalar sum = blocked_sum<Scalar>(n, [&](Index i) { return to[i]; });
    for (Index i = 0; i < n; ++i) to[i] = to[i] / sum;
  });
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
