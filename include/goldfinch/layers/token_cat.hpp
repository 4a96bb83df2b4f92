// TokenCat: the one compressed key cache of a GoldFinch model, for all its GOLD layers together.
//
//   TC.1   c[t] = w_kv_cache_a x[t]                              x: the residual stream between the lower and the upper layers  [R]
//   TC.2   K[t] = rms_norm(w_kv_cache_b [x0[t]; c[t]])           x0: the original embedding (EMB.1)                             [D]
//
// Only c and the token's id are kept: 1 + R entries a token, R = D / 16 by default, where a transformer keeps 2 D in every layer.
// x is not normalised. The sum over [x0; c] starts a new block of 64 at c, so that the half which depends on the id alone can be
// remembered (math/sum.hpp). rms_norm has no weight. One decompressed key serves all GOLD layers; each bends it its own way.
#pragma once

#include <cstdint>

#include "goldfinch/core/paged_rows.hpp"
#include "goldfinch/layers/parameters.hpp"
#include "goldfinch/math/linear.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// What GOLD layers remember of a sequence: an id and a compressed key a token, in pages that copies of the sequence share.
template <class Scalar>
struct KeyCache {
  PagedRows<std::int32_t> ids;   // [T, 1]
  PagedRows<Scalar> compressed;  // [T, R]

  explicit KeyCache(Index R = 0) : ids(1), compressed(R) {}
  Index size() const { return compressed.size(); }
  std::size_t bytes() const { return ids.bytes() + compressed.bytes(); }
};

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

 private:
  Weight a;        // [R, D]
  ConcatWeight b;  // [D, D + R]
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
