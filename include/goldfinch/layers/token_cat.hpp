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

  /// TC.1: x [rows, D] -> [rows, R].
  Matrix<Scalar> compress(const Matrix<Scalar>& x) const { return linear(x, a); }

  /// TC.2: x0 [rows, D] and c [rows, R] -> [rows, D].
  Matrix<Scalar> decompress(const Matrix<Scalar>& x0, const Matrix<Scalar>& c) const {
    Matrix<Scalar> K = linear(x0, b.left);
    linear_onto(c, b.right, K);
    return rms_norm(std::move(K));
  }

  /// TC.2 for the cache's positions first .. first + n - 1, whose original embeddings are x0: [n, D]. What the cache's pages
  /// remember is taken from there, and they remember what is new and follows without a gap.
  Matrix<Scalar> keys(const Matrix<Scalar>& x0, const KeyCache<Scalar>& cache, Index first) const {
    const Index D = x0.cols(), end = first + x0.rows();
    Matrix<Scalar> K(x0.rows(), D);
    for (Index t = first; t < end;) {
      const Index page = t / block * block;
      RememberedRows<Scalar>* const rows = remembered(cache, t, D);
      const Index known = page + (rows ? rows->rows : 0);
      const Index next = std::min(page + block, end);
      if (t < known) {
        const Index n = std::min(known, next) - t;
        std::copy_n(rows->data() + (t - page) * D, n * D, K.row(t - first).data());
        t += n;
        continue;
      }
      Index stop = next;  // a run of positions that are not remembered
      while (stop < end && remembered_rows(cache, stop, D) == 0) stop = std::min(stop + block, end);
      K.middleRows(t - first, stop - t) = decompress(x0.middleRows(t - first, stop - t), cache.compressed(t, stop - t));
      for (; t < stop; t = std::min(t / block * block + block, stop)) {
        const Index start = t / block * block, n = std::min(start + block, stop) - t;
        RememberedRows<Scalar>* const to = remembered(cache, t, D);
        if (!to || start + to->rows != t) continue;
        std::copy_n(K.row(t - first).data(), n * D, to->data() + (t - start) * D);
        to->rows += n;
      }
    }
    return K;
  }

 private:
  static RememberedRows<Scalar>* remembered(const KeyCache<Scalar>& cache, Index t, Index D) {
    PageMemo<Scalar>* const memo = cache.memo(t);
    return memo ? memo->keys(D) : nullptr;
  }
  static Index remembered_rows(const KeyCache<Scalar>& cache, Index t, Index D) {
    RememberedRows<Scalar>* const rows = remembered(cache, t, D);
    return rows ? rows->rows : 0;
  }

  Weight a;        // [R, D]
  ConcatWeight b;  // [D, D + R]
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
