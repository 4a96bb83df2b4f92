// The loss of a language model: the cross-entropy of its logits against the token that came, in nats (docs/numerics.md, rule 10).
//
//   LOSS.1   loss(l, target) = (m + log(sum_v exp(l[v] - m))) - l[target]          m = max l
//   LOSS.2   mean            = (sum_t loss[t]) / T
//
// Both in the wider of double and the logits' scalar, with the sums of sum.hpp, in the order of v and of t. With m taken off, no
// exponential overflows and the largest is 1, so the logarithm is that of a number from 1 to V. Perplexity is exp of LOSS.2.
// Probabilities never stand in memory: this is no softmax.
#pragma once

#include <span>

#include "goldfinch/math/elementwise.hpp"
#include "goldfinch/math/sum.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// What losses are computed in.
template <class Scalar>
using LossScalar = typename AtLeastDouble<Scalar>::type;

/// LOSS.1 of one row of V logits (V at least 1), 0 <= target < V. A NaN among the logits gives NaN.
template <class Scalar>
LossScalar<Scalar> cross_entropy_row(const Scalar* logits, Index V, Index target) {
  using Wide = LossScalar<Scalar>;
  Wide m(logits[0]);
  for (Index v = 1; v < V; ++v) m = m < Wide(logits[v]) ? Wide(logits[v]) : m;

  Wide sum(0), e[block];
  for (Index first = 0; first < V; first += block) {
    const Index n = std::min(block, V - first);
    for (Index i = 0; i < n; ++i) e[i] = Wide(logits[first + i]) - m;
    exp(e, e, n);
    Wide c(0);
    for (Index i = 0; i < n; ++i) c = c + e[i];
    sum = sum + c;
  }
  return (m + log(sum)) - Wide(logits[target]);
}

/// Throws unless there is a target for each of T rows of V logits.
inline void require_targets(std::span<const int> targets, Index T, Index V) {
  if (static_cast<Index>(targets.size()) != T) fail("loss: ", targets.size(), " targets for ", T, " rows of logits");
  for (const int target : targets)
    if (target < 0 || target >= V) fail("loss: target ", target, " is out of range: there are ", V, " logits");
}

/// LOSS.1 of every row: logits [T, V], targets [T] -> [T]. Throws Error if there are not as many of both, or a target is not in [0, V).
template <class Scalar>
[[nodiscard]] Vector<LossScalar<Scalar>> cross_entropy(const Matrix<Scalar>& logits, std::span<const int> targets) {
  const Index T = logits.rows(), V = logits.cols();
  require_targets(targets, T, V);
  Vector<LossScalar<Scalar>> losses(T);
  for_rows(T, V, [&](Index t) { losses[t] = cross_entropy_row(logits.row(t).data(), V, targets[static_cast<std::size_t>(t)]); });
  return losses;
}

/// LOSS.2; NaN if there are none.
template <class Scalar>
Scalar mean_loss(const Scalar* losses, Index T) {
  return blocked_sum<Scalar>(T, [&](Index t) { return losses[t]; }) / Scalar(static_cast<double>(T));
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
