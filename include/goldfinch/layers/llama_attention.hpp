// Llama time mix (llama): plain rotary attention, the baseline.
//
//   LA.1   q = wq z,   k = wk z,   v = wv z                                       [D]
//   LA.2   y = causal attention of rotary(q) over rotary(k), v                    [D]
//   LA.3   out = wo y                                                             [D]
//
// z = LN(x; ln1). Carried between calls: k (after rotary) and v of every token. No token shift, no norm inside, all heads
// have keys of their own.
#pragma once

#include "goldfinch/core/trace.hpp"
#include "goldfinch/layers/parameters.hpp"
#include "goldfinch/layers/stored_keys.hpp"
#include "goldfinch/math/linear.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

template <class Scalar>
class LlamaAttention {
 public:
  static constexpr const char* kind = "llama";

  struct State {
    StoredKeys<Scalar> stored;  // 2 D numbers a token

    /// Throws unless it is a state of a layer of width D.
    void require(Index D, Index) const { stored.require(D); }
  };
  State initial_state(const Dimensions& n) const { return {StoredKeys<Scalar>(n.D)}; }

  LlamaAttention(const Dimensions& n, const RotarySettings& rotary) : N_(n.N), rotary_(rotary, n.N) {}

  /// Names, shapes and roles under "blocks.i.att.".
  template <class Visitor>
  void parameters(const Dimensions& n, Visitor&& visit) {
    visit("wq.weight", wq, Shape{n.D, n.D}, Role::matrix);
    visit("wk.weight", wk, Shape{n.D, n.D}, Role::matrix);
    visit("wv.weight", wv, Shape{n.D, n.D}, Role::matrix);
    visit("wo.weight", wo, Shape{n.D, n.D}, Role::matrix);
  }

  /// z [rows, D] -> [rows, D]; each segment's state moves on past its last row.
  Matrix<Scalar> forward(const Matrix<Scalar>& z, const Segments<State>& segments, const Trace<Scalar>& trace = {}) const {
    require_layer_input(kind, z, segments, wq.K(), N_);
    auto [q, k, v] = linear_each<Scalar>({{z, wq}, {z, wk}, {z, wv}});                                   // LA.1
    q = trace("q", std::move(q));
    k = trace("k", std::move(k));
    v = trace("v", std::move(v));
    const auto y = trace("attn", attend_stored(std::move(q), k, v, N_, rotary_, segments));              // LA.2
    return trace("out", linear(y, wo));                                                                  // LA.3
  }

 private:
  Index N_;
  Rotary<Scalar> rotary_;
  Weight wq, wk, wv, wo;  // [D, D]
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
