// SwiGLU: the feed-forward half of a Llama block.
//
//   SG.1   k[t]   = silu(w1 z[t]) * (w3 z[t])                   the gated hidden layer              [F_swiglu]
//   SG.2   out[t] = w2 k[t]                                                                                 [D]
//
// z = LN(x; ln2). No token shift and no state: each row stands for itself. The block's norms are LayerNorms here too.
#pragma once

#include "goldfinch/core/segments.hpp"
#include "goldfinch/core/trace.hpp"
#include "goldfinch/layers/parameters.hpp"
#include "goldfinch/math/linear.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

template <class Scalar>
class SwiGlu {
 public:
  static constexpr const char* kind = "llama";

  struct State {
    void require(Index, Index) const {}
  };
  State initial_state(const Dimensions&) const { return {}; }

  /// Names, shapes and roles under "blocks.i.ffn.".
  template <class Visitor>
  void parameters(const Dimensions& n, Visitor&& visit) {
    visit("w1.weight", w1, Shape{n.F_swiglu, n.D}, Role::matrix);
    visit("w3.weight", w3, Shape{n.F_swiglu, n.D}, Role::matrix);
    visit("w2.weight", w2, Shape{n.D, n.F_swiglu}, Role::matrix);
  }

  /// z [rows, D] -> [rows, D].
  Matrix<Scalar> forward(const Matrix<Scalar>& z, const Segments<State>&, const Trace<Scalar>& trace = {}) const {
    auto [k, g] = linear_each<Scalar>({{z, w1, silu<Scalar>}, {z, w3}});
    k = trace("k", hadamard(std::move(k), g));                                    // SG.1
    return trace("out", linear(k, w2));                                           // SG.2
  }

 private:
  Weight w1, w3;  // [F_swiglu, D]
  Weight w2;      // [D, F_swiglu]
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
