// GPTAlpha time mix (gptalpha): full attention with Finch's data-dependent token shift in front and LayerNorms around.
//
//   GA.1   h = tanh((z + dz * time_maa_x) time_maa_w1),   x_g = z + dz * (time_maa_g + h_g time_maa_w2[g])     groups r, k, v
//   GA.2   q = LN(query x_r; ln_r),   k = LN(key x_k; ln_k),   v = LN(value x_v; ln_v)                               [D]
//   GA.3   y = causal attention of rotary(q) over rotary(k), v                                                       [D]
//   GA.4   out = output LN(y; ln_x)                                                                                  [D]
//
// z = LN(x; ln1). Carried between calls: the last row of z, and k (after its norm and rotary) and v of every token.
// Not GOLD: it stores 2 D numbers a token in every layer.
#pragma once

#include "goldfinch/core/trace.hpp"
#include "goldfinch/layers/lora.hpp"
#include "goldfinch/layers/parameters.hpp"
#include "goldfinch/layers/stored_keys.hpp"
#include "goldfinch/math/token_shift.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

template <class Scalar>
class GptAlphaAttention {
 public:
  static constexpr const char* kind = "gptalpha";

  struct State {
    Vector<Scalar> last_z;      // [D]
    StoredKeys<Scalar> stored;  // 2 D numbers a token

    /// Throws unless it is a state of a layer of width D.
    void require(Index D, Index) const {
      require_size(last_z, D, "last_z of a state");
      stored.require(D);
    }
  };
  State initial_state(const Dimensions& n) const {
    return {Vector<Scalar>::Constant(n.D, Scalar(0)), StoredKeys<Scalar>(n.D)};
  }

  GptAlphaAttention(const Dimensions& n, const RotarySettings& rotary) : N_(n.N), rotary_(rotary, n.N) {}

  /// Names, shapes and roles under "blocks.i.att.".
  template <class Visitor>
  void parameters(const Dimensions& n, Visitor&& visit) {
    visit("time_maa_x",    time_maa_x,  Shape{1, 1, n.D},           Role::mix_rate);
    visit("time_maa_r",    time_maa_r,  Shape{1, 1, n.D},           Role::mix_rate);
    visit("time_maa_k",    time_maa_k,  Shape{1, 1, n.D},           Role::mix_rate);
    visit("time_maa_v",    time_maa_v,  Shape{1, 1, n.D},           Role::mix_rate);
    visit("time_maa_w1",   time_maa_w1, Shape{n.D, 3 * n.mix_rank}, Role::lora_in);
    visit("time_maa_w2",   time_maa_w2, Shape{3, n.mix_rank, n.D},  Role::lora_out);
    visit("query.weight",  query,       Shape{n.D, n.D},            Role::matrix);
    visit("key.weight",    key,         Shape{n.D, n.D},            Role::matrix);
    visit("value.weight",  value,       Shape{n.D, n.D},            Role::matrix);
    visit("output.weight", output,      Shape{n.D, n.D},            Role::matrix);
    visit_norm("ln_r", ln_r, n.D, visit);
    visit_norm("ln_k", ln_k, n.D, visit);
    visit_norm("ln_v", ln_v, n.D, visit);
    visit_norm("ln_x", ln_x, n.D, visit);
  }

  /// z [rows, D] -> [rows, D]; each segment's state moves on past its last row.
  Matrix<Scalar> forward(const Matrix<Scalar>& z, const Segments<State>& segments, const Trace<Scalar>& trace = {}) const {
    require_layer_input(kind, z, segments, time_maa_x.size(), N_);
    const auto before = token_shift(z, segments, &State::last_z);
    const auto h = ddlerp_hidden(z, before, time_maa_x, time_maa_w1);                                             // GA.1
    auto [xr, xk, xv] = ddlerp(z, before, h, time_maa_w2, {&time_maa_r, &time_maa_k, &time_maa_v});
    xr = trace("xr", std::move(xr));
    xk = trace("xk", std::move(xk));
    xv = trace("xv", std::move(xv));

    auto [q, k, v] = linear_each<Scalar>({{xr, query}, {xk, key}, {xv, value}});                                  // GA.2
    q = trace("q", layer_norm(std::move(q), ln_r));
    k = trace("k", layer_norm(std::move(k), ln_k));
    v = trace("v", layer_norm(std::move(v), ln_v));

    auto y = trace("attn", attend_stored(std::move(q), k, v, N_, rotary_, segments));                             // GA.3
    return trace("out", linear(layer_norm(y, ln_x), output));                                                     // GA.4
  }

 private:
  Index N_;
  Rotary<Scalar> rotary_;
  Vector<Scalar> time_maa_x, time_maa_r, time_maa_k, time_maa_v;  // [D]
  Weight time_maa_w1;                                            // [D, 3 rank]
  std::vector<Weight> time_maa_w2;                               // 3 of [rank, D]
  Weight query, key, value, output;                              // [D, D]
  Affine<Scalar> ln_r, ln_k, ln_v, ln_x;                         // [D]
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
