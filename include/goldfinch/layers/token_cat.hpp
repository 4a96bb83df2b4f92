// TokenCat: the one compressed key cache of a GoldFinch model, for all its GOLD layers together.
//
//   TC.1   c[t] = w_kv_cache_a x[t]                              x: the residual stream between the lower and the upper layers  [R]
//   TC.2   K[t] = rms_norm(w_kv_cache_b [x0[t]; c[t]])           x0: the original embedding (EMB.1)                             [D]
//
// Only c and the token's id are kept: 1 + R entries a token, R = D / 16 by default, where a transformer keeps 2 D in every layer.
// x is not normalised. The sum over [x0; c] starts a new block of 64 at c, so that the half which depends on the id alone can be
// remembered (math/sum.hpp). rms_norm has no weight. One decompressed key serves all GOLD layers; each bends it its own way.
#pragma once

#include "goldfinch/layers/key_cache.hpp"
#include "goldfinch/layers/parameters.hpp"
#include "goldfinch/math/linear.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

template <class Scalar>
class TokenCat {
 public:
  template <class Visitor>
  void parameters(const Dimensions& n, Visitor&& visit) {
    visit("w_kv_cache_a.weight", a, Shape{n.R, n.D},       Role::matrix);
    visit("w_kv_cache_b.weight", b, Shape{n.D, n.D + n.R}, Role::matrix);
  }

  Index key_size() const { return b.right.K(); }  // R

  /// TC.1: x [rows, D] -> [rows, R].
  Matrix<Scalar> compress(const Matrix<Scalar>& x) const { return linear(x, a); }

  /// TC.2: x0 [rows, D] and c [rows, R] -> [rows, D].
  Matrix<Scalar> decompress(const Matrix<Scalar>& x0, const Matrix<Scalar>& c) const { return finish(linear(x0, b.left), c); }

  /// TC.2 for the cache's positions first .. first + n - 1, whose original embeddings are x0 [n, D]; the half that depends on ids
  /// alone is taken from the memo where that knows it, and remembered where not.
  Matrix<Scalar> decompress(const Matrix<Scalar>& x0, const KeyCache<Scalar>& cache, Index first) const {
    ExpansionMemo<Scalar>* const memo = cache.expansion();
    if (!memo) return decompress(x0, cache.compressed(first, x0.rows()));
    require_cols(x0, memo->D(), "TokenCat: the original embedding");
    const auto ids = cache.ids(first, x0.rows());
    Matrix<Scalar> K(x0.rows(), x0.cols());
    std::vector<Index> unknown;
    for (Index t = 0; t < K.rows(); ++t) {
      if (const Scalar* const half = memo->half(ids[static_cast<std::size_t>(t)])) std::copy_n(half, K.cols(), K.row(t).data());
      else unknown.push_back(t);
    }
    if (!unknown.empty()) {
      const Matrix<Scalar> halves = linear(Matrix<Scalar>(x0(unknown, Eigen::all)), b.left);
      for (std::size_t i = 0; i < unknown.size(); ++i) {
        const Scalar* const half = halves.row(static_cast<Index>(i)).data();
        memo->remember(ids[static_cast<std::size_t>(unknown[i])], half);
        std::copy_n(half, K.cols(), K.row(unknown[i]).data());
      }
    }
    return finish(std::move(K), cache.compressed(first, x0.rows()));
  }

 private:
  /// The terms of c, and the norm.
  Matrix<Scalar> finish(Matrix<Scalar> K, const Matrix<Scalar>& c) const {
    linear_onto(c, b.right, K);
    return rms_norm(std::move(K));
  }

  Weight a;        // [R, D]
  ConcatWeight b;  // [D, D + R]
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
