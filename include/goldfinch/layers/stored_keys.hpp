// The traditional cache: keys and values of every token, kept as they are (GPTAlpha, Llama): 2 D numbers a token and layer.
// GOLD's source of keys and values, which stores D/16 numbers a token for all layers together, is in gold_attention.hpp.
#pragma once

#include "goldfinch/core/paged_rows.hpp"
#include "goldfinch/math/attention.hpp"
#include "goldfinch/math/rotary.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Keys after rotary (a token's position never changes), and values, one row a token; the source of their own attention.
template <class Scalar>
struct StoredKeys {
  PagedRows<Scalar> k, v;  // width D each

  explicit StoredKeys(Index D = 0) : k(D), v(D) {}

  Index size() const { return k.size(); }
  std::size_t bytes_per_token() const { return static_cast<std::size_t>(k.width() + v.width()) * sizeof(Scalar); }
  std::size_t bytes() const { return k.bytes() + v.bytes(); }

  /// The attention source (math/attention.hpp): a page is a tile.
  void tiles(Index first, std::vector<KeyTile<Scalar>>& out) const {
    for (; first < size(); first += block) out.push_back({k.row(first), v.row(first), k.width()});
  }
};

/// Causal attention of every segment over its own stored keys, to which this call's k and v are appended first.
/// q, k, v [rows, D] before rotary; State has a member `stored`. Returns [rows, D].
template <class Scalar, class State>
Matrix<Scalar> attend_stored(Matrix<Scalar> q, Matrix<Scalar> k, const Matrix<Scalar>& v, Index N, const Rotary<Scalar>& rotary,
                             const Segments<State>& segments) {
  Matrix<Scalar> y(q.rows(), q.cols());
  for (const auto& s : segments) {
    StoredKeys<Scalar>& stored = s.state->stored;
    rotary.turn(q, s.first, s.rows, stored.size());
    rotary.turn(k, s.first, s.rows, stored.size());
    for (Index t = s.first; t < s.first + s.rows; ++t) {
      stored.k.append(k.row(t).data());
      stored.v.append(v.row(t).data());
    }
    causal_attention(q, s.first, s.rows, N, stored, y);
  }
  return y;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
