// The traditional cache: keys and values of every token, kept as they are (GPTAlpha, Llama): 2 D numbers a token and layer.
// GOLD's source of keys and values, which stores D/16 numbers a token for all layers together, is in gold_attention.hpp.
#pragma once

#include "goldfinch/core/paged_rows.hpp"
#include "goldfinch/math/attention.hpp"
#include "goldfinch/math/rotary.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Keys before rotary, and values, one row a token. Positions count from the first row.
template <class Scalar>
struct StoredKeys {
  PagedRows<Scalar> k, v;  // width D each

  /// Appends rows first .. first + n - 1 of k and v [rows, D].
  void append(const Matrix<Scalar>& keys, const Matrix<Scalar>& values, Index first, Index n) {
    for (Index t = first; t < first + n; ++t) {
      k.append(keys.row(t).data());
      v.append(values.row(t).data());
    }
  }
};

/// The attention source (math/attention.hpp) over stored keys: rotary is applied as they are read.
template <class Scalar>
struct StoredSource {
  const StoredKeys<Scalar>& stored;
  const Rotary<Scalar>& rotary;

  Index size() const { return stored.k.size(); }
  void tile(Index first, Index n, Matrix<Scalar>& k, Matrix<Scalar>& v) const {
    k = stored.k.rows(first, n);
    v = stored.v.rows(first, n);
    rotary.turn(k, 0, n, first);
  }
};

/// Causal attention of every segment over its own stored keys, to which this call's k and v are appended first.
/// q, k, v [rows, D] before rotary; State has a member `stored`. Returns [rows, D].
template <class Scalar, class State>
Matrix<Scalar> attend_stored(Matrix<Scalar> q, const Matrix<Scalar>& k, const Matrix<Scalar>& v, Index N, const Rotary<Scalar>& rotary,
                             const Segments<State>& segments) {
  Matrix<Scalar> y(q.rows(), q.cols());
  for (const auto& s : segments) {
    StoredKeys<Scalar>& stored = s.state->stored;
    rotary.turn(q, s.first, s.rows, stored.k.size());
    stored.append(k, v, s.first, s.rows);
    causal_attention(q, s.first, s.rows, N, StoredSource<Scalar>{stored, rotary}, y);
  }
  return y;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
