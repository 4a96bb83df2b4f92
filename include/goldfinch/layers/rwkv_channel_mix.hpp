// RWKV channel mix (x060): the feed-forward half of a Finch, Finch-C2, GOLD or GPTAlpha block.
//
//   CM.1   xk[t] = z[t] + (z[t-1] - z[t]) * time_maa_k          token shift at a fixed rate per channel     [D]
//   CM.2   xr[t] = z[t] + (z[t-1] - z[t]) * time_maa_r                                                      [D]
//   CM.3   k[t]  = relu(key xk[t])^2                            the hidden layer                            [F]
//   CM.4   r[t]  = sigmoid(receptance xr[t])                    how much of it each channel lets in         [D]
//   CM.5   out[t] = r[t] * (value k[t])                                                                     [D]
//
// z = LN(x; ln2), one row a token; * between vectors is elementwise. Carried between calls: the last row of z; before the
// first token it is zero. Nothing here sees more than one earlier token: distance is the business of the time mix.
// Llama's SwiGLU (swiglu.hpp) is the other channel mix. Equations: Peng et al. 2024, "Eagle and Finch"; unchanged in GoldFinch.
#pragma once

#include "goldfinch/core/trace.hpp"
#include "goldfinch/layers/parameters.hpp"
#include "goldfinch/math/elementwise.hpp"
#include "goldfinch/math/linear.hpp"
#include "goldfinch/math/token_shift.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

template <class Scalar>
class RwkvChannelMix {
 public:
  static constexpr const char* kind = "x060";

  /// What the next call needs, and nothing else.
  struct State {
    Vector<Scalar> last_z;  // [D]

    /// Throws unless it is a state of a layer of width D.
    void require(Index D, Index) const { require_size(last_z, D, "last_z of a state"); }
  };
  State initial_state(const Dimensions& n) const { return {Vector<Scalar>::Constant(n.D, Scalar(0))}; }

  /// Names, shapes and roles, as in the published checkpoints under "blocks.i.ffn.".
  template <class Visitor>
  void parameters(const Dimensions& n, Visitor&& visit) {
    visit("time_maa_k",        time_maa_k, Shape{1, 1, n.D}, Role::mix_rate);
    visit("time_maa_r",        time_maa_r, Shape{1, 1, n.D}, Role::mix_rate);
    visit("key.weight",        key,        Shape{n.F, n.D},  Role::matrix);
    visit("receptance.weight", receptance, Shape{n.D, n.D},  Role::matrix);
    visit("value.weight",      value,      Shape{n.D, n.F},  Role::matrix);
  }

  /// z [rows, D] -> [rows, D]; each segment's state moves on to its last row.
  Matrix<Scalar> forward(const Matrix<Scalar>& z, const Segments<State>& segments, const Trace<Scalar>& trace = {}) const {
    require_layer_input(kind, z, segments, time_maa_k.size(), 1);
    const auto before = token_shift(z, segments, &State::last_z);                 // z[t-1]
    const auto xk = trace("xk", lerp(z, before, time_maa_k));                     // CM.1
    const auto xr = trace("xr", lerp(z, before, time_maa_r));                     // CM.2
    auto [k, r] = linear_each<Scalar>({{xk, key, relu_squared<Scalar>}, {xr, receptance, sigmoid<Scalar>}});
    k = trace("k", std::move(k));                                                 // CM.3
    r = trace("r", std::move(r));                                                 // CM.4
    return trace("out", hadamard(std::move(r), linear(k, value)));                // CM.5
  }

 private:
  Vector<Scalar> time_maa_k, time_maa_r;  // [D]
  Weight key;                             // [F, D]
  Weight receptance;                      // [D, D]
  Weight value;                           // [D, F]
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
