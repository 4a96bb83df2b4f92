// The norms. Sums are those of sum.hpp; every other operation rounds once, in the order written (docs/numerics.md, rule 5).
//
//   NORM.1   layer_norm:  m = sum(x) / D,  e = x - m,  v = sum(e e) / D,  y = (e / sqrt(v + eps)) * weight + bias    biased variance
//   NORM.2   group_norm:  the same over each head's N channels, then weight and bias per channel
//   NORM.3   rms_norm:    y = x / (sqrt(sum(x x) / D) + 1e-8)                      no weight; eps is added to the root, not under it
#pragma once

#include "goldfinch/math/elementwise.hpp"
#include "goldfinch/math/sum.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// The scale and shift of a norm, one each a channel.
template <class Scalar>
struct Affine {
  Vector<Scalar> weight;  // [D]
  Vector<Scalar> bias;    // [D]

  /// Throws unless they are D numbers each.
  void require(Index D) const {
    require_size(weight, D, "the weight of a norm");
    require_size(bias, D, "the bias of a norm");
  }
};

/// The eps of every LayerNorm of the family.
inline constexpr double layer_norm_eps = 1e-5;

/// NORM.1 of one row of n numbers.
template <class Scalar>
void layer_norm_row(const Scalar* x, Index n, const Scalar* weight, const Scalar* bias, Scalar eps, Scalar* y) {
  using std::sqrt;
  const Scalar size(static_cast<double>(n));
  const Scalar m = blocked_sum<Scalar>(n, [&](Index i) { return x[i]; }) / size;
  for (Index i = 0; i < n; ++i) y[i] = x[i] - m;
  const Scalar v = blocked_sum<Scalar>(n, [&](Index i) { return y[i] * y[i]; }) / size;
  const Scalar root = sqrt(v + eps);
  for (Index i = 0; i < n; ++i) y[i] = (y[i] / root) * weight[i] + bias[i];
}

/// NORM.3 of one row of n numbers.
template <class Scalar>
void rms_norm_row(const Scalar* x, Index n, Scalar* y) {
  using std::sqrt;
  const Scalar mean = blocked_sum<Scalar>(n, [&](Index i) { return x[i] * x[i]; }) / Scalar(static_cast<double>(n));
  const Scalar root = sqrt(mean) + Scalar(1e-8);
  for (Index i = 0; i < n; ++i) y[i] = x[i] / root;
}

/// NORM.1: x [rows, D] -> [rows, D].
template <class Scalar>
[[nodiscard]] Matrix<Scalar> layer_norm(const Matrix<Scalar>& x, const Affine<Scalar>& affine) {
  affine.require(x.cols());
  Matrix<Scalar> y(x.rows(), x.cols());
  for_rows(x.rows(), x.cols(), [&](Index t) {
    layer_norm_row(x.row(t).data(), x.cols(), affine.weight.data(), affine.bias.data(), Scalar(layer_norm_eps), y.row(t).data());
  });
  return y;
}

/// NORM.2: x [rows, H N] -> [rows, H N].
template <class Scalar>
[[nodiscard]] Matrix<Scalar> group_norm(Matrix<Scalar> x, Index N, const Affine<Scalar>& affine, Scalar eps) {
  require_heads(x.cols(), N, "group_norm: a row");
  affine.require(x.cols());
  for_rows(x.rows(), x.cols(), [&](Index t) {
    for (Index h = 0; h < x.cols(); h += N)
      layer_norm_row(x.row(t).data() + h, N, affine.weight.data() + h, affine.bias.data() + h, eps, x.row(t).data() + h);
  });
  return x;
}

/// NORM.3: x [rows, D] -> [rows, D].
template <class Scalar>
[[nodiscard]] Matrix<Scalar> rms_norm(Matrix<Scalar> x) {
  for_rows(x.rows(), x.cols(), [&](Index t) { rms_norm_row(x.row(t).data(), x.cols(), x.row(t).data()); });
  return x;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
