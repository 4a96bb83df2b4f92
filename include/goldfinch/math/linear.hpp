// linear: y = x W^T, the one matrix product of this library. Everything that is a projection, a LoRA or the head goes through it.
//
//   LIN.1   y[t][n] = sum_k x[t][k] * W[n][k]        the sum of sum.hpp: blocks of 64 along k, one product a term
//   LIN.2   y[t][n] = y[t][n] + …                    linear_onto: the same, the sum continued from what y holds
//   LIN.3   y[t][n] = y[t][n] + scale[n][b] * c      weights in q8: c is the sum over block b of x[t][k] * q[n][k]
//
// A row of y depends on that row of x alone, so full, chunked and batched calls give the same bits. The plain loop is the
// definition for every scalar; linear_fast.hpp computes float and double with the same bits at the speed of the machine.
#pragma once

#include <algorithm>
#include <array>

#include "goldfinch/math/functions.hpp"
#include "goldfinch/math/linear_fast.hpp"
#include "goldfinch/math/sum.hpp"
#include "goldfinch/math/weight.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

namespace plain {

/// x [T, K] with rows ldx apart, y [T, N] with rows ldy apart; y is continued from.
template <class Scalar>
void linear_onto(Index T, const Scalar* x, Index ldx, const Weight& W, Scalar* y, Index ldy) {
  for (Index t = 0; t < T; ++t)
    for (Index n = 0; n < W.N(); ++n)
      for (Index first = 0; first < W.K(); first += block) {
        Scalar c(0);
        for (Index k = first; k < std::min(first + block, W.K()); ++k) c = c + x[t * ldx + k] * W.element<Scalar>(n, k);
        if (W.has_scales()) c = W.scale<Scalar>(n, first / block) * c;
        y[t * ldy + n] = y[t * ldy + n] + c;
      }
}

}  // namespace plain

/// The rows of any matrix or expression, each contiguous: those of a Matrix, of its columns a .. b (Eigen's middleCols) or of its rows as they
/// are; a column-major or otherwise strided matrix, Eigen's default among them, is copied.
template <class Scalar>
using RowsOf = Eigen::Ref<const Matrix<Scalar>, 0, Eigen::OuterStride<>>;

/// LIN.2, or LIN.1 if y is `fresh`; then f. x [T, K], y [T, N], another matrix. Throws Error where shapes do not fit.
template <class X>
void linear_onto(const X& input, const Weight& W, Matrix<typename X::Scalar>& y, bool fresh = false, ArrayFunction<typename X::Scalar> f = nullptr) {
  using Scalar = typename X::Scalar;
  static_assert(!std::is_integral_v<Scalar>, "linear: x has integers, which are not the numbers of a layer");
  const RowsOf<Scalar> x(input);
  require_cols(x, W.K(), "the input of a linear layer");
  require_shape(y, x.rows(), W.N(), "the output of a linear layer");
  if (x.size() > 0 && x.data() == y.data()) fail("the output of a linear layer is its input, expected another matrix");
#if GOLDFINCH_SIMD
  if constexpr (has_fast_kernels<Scalar>)
    if (fast::has_kernel<Scalar>(W)) {
      const fast::Product<Scalar> product{x.data(), x.outerStride(), &W, y.data(), y.cols(), fresh, f};
      return fast::linear_onto<Scalar>(x.rows(), {&product, 1});
    }
#endif
  if (fresh) y.setConstant(Scalar(0));
  plain::linear_onto(x.rows(), x.data(), x.outerStride(), W, y.data(), y.cols());
  if (f) f(y.data(), y.data(), y.size());
}

/// LIN.1: x [T, K] -> f(x W^T) [T, N]: a function of every number, `tanh<Scalar>` say, applied while the result is at hand; or null.
template <class X>
[[nodiscard]] Matrix<typename X::Scalar> linear(const X& x, const Weight& W, ArrayFunction<typename X::Scalar> f = nullptr) {
  Matrix<typename X::Scalar> y(x.rows(), W.N());
  linear_onto(x, W, y, true, f);
  return y;
}

/// What linear_each takes: x, W and perhaps f of one product. For use in its argument list only: it refers to what it was made from.
template <class Scalar>
struct LinearOf {
  template <class X>
  LinearOf(const X& rows, const Weight& by, ArrayFunction<Scalar> then = nullptr) : x(rows), W(by), f(then) {
    static_assert(std::is_same_v<Scalar, typename X::Scalar>, "linear_each: x has numbers of another type");
    require_cols(rows, W.K(), "the input of a linear layer");
  }
  LinearOf(const LinearOf&) = delete;  // a copied x lies in here

  RowsOf<Scalar> x;
  const Weight& W;
  ArrayFunction<Scalar> f;
};

/// LIN.1 of several products of as many rows, of which none needs the result of another: a step of decoding reads their weights in one go
/// and waits for its threads once. One y [rows, N] each.
template <class Scalar, std::size_t n>
[[nodiscard]] std::array<Matrix<Scalar>, n> linear_each(const LinearOf<Scalar> (&products)[n]) {
  for (const auto& p : products)
    if (p.x.rows() != products[0].x.rows()) fail("linear_each: the inputs have ", products[0].x.rows(), " and ", p.x.rows(), " rows, expected as many of each");
  std::array<Matrix<Scalar>, n> y;
#if GOLDFINCH_SIMD
  if constexpr (has_fast_kernels<Scalar>) {
    std::array<fast::Product<Scalar>, n> all;
    for (std::size_t i = 0; i < n; ++i) {
      const auto& p = products[i];
      y[i].resize(p.x.rows(), p.W.N());
      all[i] = {p.x.data(), p.x.outerStride(), &p.W, y[i].data(), p.W.N(), true, p.f};
    }
    if (std::all_of(all.begin(), all.end(), [](const auto& p) { return fast::has_kernel<Scalar>(*p.W); })) {
      fast::linear_onto<Scalar>(products[0].x.rows(), all);
      return y;
    }
  }
#endif
  for (std::size_t i = 0; i < n; ++i) y[i] = linear(products[i].x, products[i].W, products[i].f);
  return y;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
