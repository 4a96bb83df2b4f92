// Elementwise primitives: one rounding an operation, in the order written (docs/numerics.md, rule 4). Written as plain loops that
// the compiler vectorises; a fused Eigen expression such as a + b * c would leave the rounding to the flags of whoever compiles.
#pragma once

#include <utility>

#include "goldfinch/core/parallel.hpp"
#include "goldfinch/math/functions.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Elements that are worth a thread of their own.
inline constexpr Index elementwise_grain = 16384;

/// Calls body(t) for every row, rows split between threads when there is enough work.
template <class Body>
void for_rows(Index rows, Index cols, Body&& body) {
  parallel_for(rows, std::max<Index>(1, elementwise_grain / std::max<Index>(cols, 1)), [&](Index begin, Index end) {
    for (Index t = begin; t < end; ++t) body(t);
  });
}

/// Applies an array function f(const Scalar* x, Scalar* y, Index n) in place, and returns x.
template <class Scalar, class F>
[[nodiscard]] Matrix<Scalar> map(Matrix<Scalar> x, F&& f) {
  for_rows(x.rows(), x.cols(), [&](Index t) { f(x.row(t).data(), x.row(t).data(), x.cols()); });
  return x;
}

template <class Scalar>
[[nodiscard]] Matrix<Scalar> tanh(Matrix<Scalar> x) {
  return map(std::move(x), [](const Scalar* from, Scalar* to, Index n) { goldfinch::tanh(from, to, n); });
}
template <class Scalar>
[[nodiscard]] Matrix<Scalar> sigmoid(Matrix<Scalar> x) {
  return map(std::move(x), [](const Scalar* from, Scalar* to, Index n) { goldfinch::sigmoid(from, to, n); });
}
template <class Scalar>
[[nodiscard]] Matrix<Scalar> silu(Matrix<Scalar> x) {
  return map(std::move(x), [](const Scalar* from, Scalar* to, Index n) { goldfinch::silu(from, to, n); });
}

/// relu(x)^2 as r * r with r = x < 0 ? 0 : x, so that NaN stays NaN.
template <class Scalar>
void relu_squared(const Scalar* x, Scalar* y, Index n) {
  Index i = 0;
#if GOLDFINCH_SIMD
  if constexpr (has_fast_kernels<Scalar>) {  // where y is x, the compiler leaves it at one number and one mispredicted branch at a time
    using V = Simd<Scalar, lanes<Scalar>>;
    for (; i + lanes<Scalar> <= n; i += lanes<Scalar>) {
      const V v = load_vector<V>(x + i), r = v < V{} ? V{} : v;
      store_vector(y + i, r * r);
    }
  }
#endif
  for (; i < n; ++i) {
    const Scalar r = x[i] < Scalar(0) ? Scalar(0) : x[i];
    y[i] = r * r;
  }
}
template <class Scalar>
[[nodiscard]] Matrix<Scalar> relu_squared(Matrix<Scalar> x) {
  return map(std::move(x), [](const Scalar* from, Scalar* to, Index n) { relu_squared(from, to, n); });
}

/// z + (before - z) * m, m one rate a channel [D]. z, before [rows, D].
template <class Scalar>
[[nodiscard]] Matrix<Scalar> lerp(const Matrix<Scalar>& z, const Matrix<Scalar>& before, const Vector<Scalar>& m) {
  require_shape(before, z.rows(), z.cols(), "lerp: the row before each row");
  require_size(m, z.cols(), "lerp: the vector of rates");
  Matrix<Scalar> y(z.rows(), z.cols());
  for_rows(z.rows(), z.cols(), [&](Index t) {
    const Scalar *a = z.row(t).data(), *b = before.row(t).data(), *rate = m.data();
    Scalar* to = y.row(t).data();
    for (Index i = 0; i < z.cols(); ++i) to[i] = a[i] + (b[i] - a[i]) * rate[i];
  });
  return y;
}

/// z + (before - z) * (m + offset): the data-dependent form, offset [rows, D].
template <class Scalar>
[[nodiscard]] Matrix<Scalar> lerp(const Matrix<Scalar>& z, const Matrix<Scalar>& before, const Vector<Scalar>& m, Matrix<Scalar> offset) {
  require_shape(before, z.rows(), z.cols(), "lerp: the row before each row");
  require_size(m, z.cols(), "lerp: the vector of rates");
  require_shape(offset, z.rows(), z.cols(), "lerp: the offset of the rates");
  for_rows(z.rows(), z.cols(), [&](Index t) {
    const Scalar *a = z.row(t).data(), *b = before.row(t).data(), *rate = m.data();
    Scalar* to = offset.row(t).data();
    for (Index i = 0; i < z.cols(); ++i) to[i] = a[i] + (b[i] - a[i]) * (rate[i] + to[i]);
  });
  return offset;
}

/// x + y, of equal shape.
template <class Scalar>
[[nodiscard]] Matrix<Scalar> add(Matrix<Scalar> x, const Matrix<Scalar>& y) {
  require_shape(y, x.rows(), x.cols(), "add: the second matrix");
  for_rows(x.rows(), x.cols(), [&](Index t) {
    Scalar* to = x.row(t).data();
    const Scalar* b = y.row(t).data();
    for (Index i = 0; i < x.cols(); ++i) to[i] = to[i] + b[i];
  });
  return x;
}

/// v + x, one v [D] for every row.
template <class Scalar>
[[nodiscard]] Matrix<Scalar> add_to_rows(const Vector<Scalar>& v, Matrix<Scalar> x) {
  require_size(v, x.cols(), "add_to_rows: the vector");
  for_rows(x.rows(), x.cols(), [&](Index t) {
    Scalar* to = x.row(t).data();
    for (Index i = 0; i < x.cols(); ++i) to[i] = v[i] + to[i];
  });
  return x;
}

/// x * y, elementwise, of equal shape.
template <class Scalar>
[[nodiscard]] Matrix<Scalar> hadamard(Matrix<Scalar> x, const Matrix<Scalar>& y) {
  require_shape(y, x.rows(), x.cols(), "hadamard: the second matrix");
  for_rows(x.rows(), x.cols(), [&](Index t) {
    Scalar* to = x.row(t).data();
    const Scalar* b = y.row(t).data();
    for (Index i = 0; i < x.cols(); ++i) to[i] = to[i] * b[i];
  });
  return x;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
