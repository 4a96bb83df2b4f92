// The traditional cache: keys and values of every token, kept as they are (GPTAlpha, Llama): 2 D numbers a token and layer.
// GOLD's source of keys and values, which stores D/16 numbers a token for all layers together, is in gold_attention.hpp.
#pragma once

#include "goldfinch/core/paged_rows.hpp"
#include "goldfinch/math/attention.hpp"
#include "goldfinch/math/rotary.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// Keys after rotary (a token's position never changes), and values, one row a token.
template <class Scalar>
struct StoredKeys {
  PagedRows<Scalar> k, v;  // width D each

  explicit StoredKeys(Index D = 0) : k(D), v(D) {}

  /// Appends a token's key and value, D numbers each; if there is no memory, nothing has changed.
  void append(const Scalar* key, const Scalar* value) {
    k.make_room(), v.make_room();
    k.append(key), v.append(value);
  }

  /// Throws unless they are those of a layer of width D.
  void require(Index D) const {
    if (k.width() != D || v.width() != D) fail("stored keys and values of a state have ", k.width(), " and ", v.width(), " numbers a token, expected ", D);
    if (k.size() != v.size()) fail("a state has stored ", k.size(), " keys and ", v.size(), " values, expected as many of each");
  }

  Index size() const { return k.size(); }
  std::size_t bytes_per_token() const { return static_cast<std::size_t>(k.width() + v.width()) * sizeof(Scalar); }
  std::size_t bytes() const { return k.bytes() + v.bytes(); }
};

/// Causal attention of every segment over its own stored keys, to which this call's k and v are appended first.
/// q, k, v [rows, D] before rotary; State has a member `stored`. Returns [rows, D].
template <class Scalar, class State>
Matrix<Scalar> attend_stored(Matrix<Scalar> q, Matrix<Scalar> k, const Matrix<Scalar>& v, Index N, const Rotary<Scalar>& rotary,
                             const Segments<State>& segments) {
  require_shape(k, q.rows(), q.cols(), "attention: k");
  require_shape(v, q.rows(), q.cols(), "attention: v");
  require_heads(q.cols(), N, "attention: a row of q");
  require_segments(segments, q.rows(), [&](const State& s) { s.stored.require(q.cols()); });
  std::vector<Queries> sequences;
  for (const auto& s : segments) {
    StoredKeys<Scalar>& stored = s.state->stored;
    rotary.turn(q, s.first, s.rows, stored.size());
    rotary.turn(k, s.first, s.rows, stored.size());
    for (Index t = s.first; t < s.first + s.rows; ++t) stored.append(k.row(t).data(), v.row(t).data());
    sequences.push_back({s.first, s.rows, stored.size()});
  }
  struct Source {  // a page is a tile, and all are there at once
    const Segments<State>& segments;
    Index tiles(Index first, std::vector<std::vector<KeyTile<Scalar>>>& out) const {
      Index end = first;
      for (std::size_t i = 0; i < segments.size(); ++i) {
        const StoredKeys<Scalar>& stored = segments[i].state->stored;
        for (Index t = first; t < stored.size(); t += block) out[i].push_back({stored.k.row(t), stored.v.row(t), stored.k.width()});
        end = std::max(end, stored.size());
      }
      return (end + block - 1) / block * block;
    }
  };
  Matrix<Scalar> y(q.rows(), q.cols());
  causal_attention(q, sequences, N, Source{segments}, y);
  return y;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
