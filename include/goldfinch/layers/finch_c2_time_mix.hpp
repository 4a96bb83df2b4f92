// Finch-C2 time mix (x060c2): the recurrent lower half of GoldFinch. Finch without gate and group norm, with a second value.
//
//   FC2.1   h = tanh((z + dz * time_maa_x) time_maa_w1)                 dz[t] = z[t-1] - z[t]; groups r, k, v, w, v2
//   FC2.2   x_g = z + dz * (time_maa_g + h_g time_maa_w2[g])            for each group g                            [D]
//   FC2.3   r = receptance x_r,   v = value x_v                                                                     [D]
//   FC2.4   w = time_decay + lora(x_w; time_decay_w1, _w2),   e = exp(w),   d = exp(-e)       the decay, in (0, 1)  [D]
//   FC2.5   k = (key x_k) * (1 - d)                                     1 - d is -expm1(-e): it cancels for w < -6  [D]
//   FC2.6   v2 = value x_v2 + lora(x_v2; time_value2_w1, _w2)           the same value weight, a second input       [D]
//   FC2.7   y = wkv(r, k, v, d) + v2                                    no bonus u: time_faaaa is stored and unused [D]
//   FC2.8   out = output LN(y; ln_x)                                    one LayerNorm over all D channels           [D]
//
// z = LN(x; ln1). Carried between calls: the last row of z, and wkv's S [H N, N] (key rows, value columns).
// Ablations of the paper: use_v2 = false drops FC2.6 (its tensors stay in the file) and gives wkv the bonus u = time_faaaa;
// use_one_minus_w = false drops the factor 1 - d. Where exp(w) overflows, d is 0: the state forgets at once.
#pragma once

#include "goldfinch/core/trace.hpp"
#include "goldfinch/layers/lora.hpp"
#include "goldfinch/layers/parameters.hpp"
#include "goldfinch/math/norms.hpp"
#include "goldfinch/math/token_shift.hpp"
#include "goldfinch/math/wkv6.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

/// d = exp(-exp(w)), elementwise: the decay of wkv from its logarithm's logarithm.
template <class Scalar>
[[nodiscard]] Matrix<Scalar> decay(Matrix<Scalar> w) {
  return map(std::move(w), [](const Scalar* from, Scalar* to, Index n) {
    goldfinch::exp(from, to, n);
    for (Index i = 0; i < n; ++i) to[i] = -to[i];
    goldfinch::exp(to, to, n);
  });
}

/// 1 - d = -expm1(-exp(w)), elementwise.
template <class Scalar>
[[nodiscard]] Matrix<Scalar> one_minus_decay(Matrix<Scalar> w) {
  return map(std::move(w), [](const Scalar* from, Scalar* to, Index n) {
    goldfinch::exp(from, to, n);
    for (Index i = 0; i < n; ++i) to[i] = -to[i];
    goldfinch::expm1(to, to, n);
    for (Index i = 0; i < n; ++i) to[i] = -to[i];
  });
}

template <class Scalar>
class FinchC2TimeMix {
 public:
  static constexpr const char* kind = "x060c2";

  struct State {
    Vector<Scalar> last_z;  // [D]
    Matrix<Scalar> S;       // [H N, N], head after head, key rows, value columns

    /// Throws unless it is a state of a layer of width D with heads of N.
    void require(Index D, Index N) const {
      require_size(last_z, D, "last_z of a state");
      require_shape(S, D, N, "S of a state");
    }
  };
  State initial_state(const Dimensions& n) const {
    return {Vector<Scalar>::Constant(n.D, Scalar(0)), Matrix<Scalar>::Constant(n.D, n.N, Scalar(0))};
  }

  FinchC2TimeMix(const Dimensions& n, bool use_v2, bool use_one_minus_w) : N_(n.N), use_v2_(use_v2), use_one_minus_w_(use_one_minus_w) {}

  /// Names, shapes and roles under "blocks.i.att.".
  template <class Visitor>
  void parameters(const Dimensions& n, Visitor&& visit) {
    visit("time_maa_x",        time_maa_x,     Shape{1, 1, n.D},              Role::mix_rate);
    visit("time_maa_r",        time_maa_r,     Shape{1, 1, n.D},              Role::mix_rate);
    visit("time_maa_k",        time_maa_k,     Shape{1, 1, n.D},              Role::mix_rate);
    visit("time_maa_v",        time_maa_v,     Shape{1, 1, n.D},              Role::mix_rate);
    visit("time_maa_w",        time_maa_w,     Shape{1, 1, n.D},              Role::mix_rate);
    visit("time_maa_v2",       time_maa_v2,    Shape{1, 1, n.D},              Role::mix_rate);
    visit("time_maa_w1",       time_maa_w1,    Shape{n.D, 5 * n.mix_rank},    Role::lora_in);
    visit("time_maa_w2",       time_maa_w2,    Shape{5, n.mix_rank, n.D},     Role::lora_out);
    visit("time_decay",        time_decay,     Shape{1, 1, n.D},              Role::decay);
    visit("time_decay_w1",     time_decay_w1,  Shape{n.D, n.decay_rank},      Role::lora_in);
    visit("time_decay_w2",     time_decay_w2,  Shape{n.decay_rank, n.D},      Role::lora_out);
    visit("time_value2_w1",    time_value2_w1, Shape{n.D, n.value2_rank},     Role::lora_in);
    visit("time_value2_w2",    time_value2_w2, Shape{n.value2_rank, n.D},     Role::lora_out);
    visit("time_faaaa",        time_faaaa,     Shape{n.H(), n.N},             Role::bonus);
    visit("receptance.weight", receptance,     Shape{n.D, n.D},               Role::matrix);
    visit("key.weight",        key,            Shape{n.D, n.D},               Role::matrix);
    visit("value.weight",      value,          Shape{n.D, n.D},               Role::matrix);
    visit("output.weight",     output,         Shape{n.D, n.D},               Role::matrix);
    visit_norm("ln_x", ln_x, n.D, visit);
  }

  /// z [rows, D] -> [rows, D]; each segment's state moves on past its last row.
  Matrix<Scalar> forward(const Matrix<Scalar>& z, const Segments<State>& segments, const Trace<Scalar>& trace = {}) const {
    require_layer_input(kind, z, segments, time_maa_x.size(), N_);
    const auto before = token_shift(z, segments, &State::last_z);
    const auto h = ddlerp_hidden(z, before, time_maa_x, time_maa_w1);                                             // FC2.1
    auto [xr, xk, xv, xw] = ddlerp(z, before, h, time_maa_w2, {&time_maa_r, &time_maa_k, &time_maa_v, &time_maa_w});  // FC2.2
    xr = trace("xr", std::move(xr));
    xk = trace("xk", std::move(xk));
    xv = trace("xv", std::move(xv));
    xw = trace("xw", std::move(xw));

    auto [r, v, k, hw] = linear_each<Scalar>({{xr, receptance}, {xv, value}, {xk, key}, {xw, time_decay_w1, tanh<Scalar>}});
    r = trace("r", std::move(r));                                                                                 // FC2.3
    v = trace("v", std::move(v));
    const auto w = trace("w", add_to_rows(time_decay, linear(hw, time_decay_w2)));                                // FC2.4
    const auto d = decay(w);
    if (use_one_minus_w_) k = hadamard(std::move(k), one_minus_decay(w));                                         // FC2.5
    k = trace("k", std::move(k));

    auto y = trace("wkv", wkv6(r, k, v, d, use_v2_ ? nullptr : &time_faaaa, N_, segments, &State::S));           // FC2.7
    for (const auto& s : segments) trace.state("wkv_state", s.state->S, z.cols() / N_);
    Matrix<Scalar> xv2;
    if (use_v2_ || trace) xv2 = trace("xv2", lerp(z, before, time_maa_v2, ddlerp_offset(h, time_maa_w2, 4)));
    if (use_v2_) {
      auto [v2, h2] = linear_each<Scalar>({{xv2, value}, {xv2, time_value2_w1, tanh<Scalar>}});                   // FC2.6
      v2 = trace("v2", add(std::move(v2), linear(h2, time_value2_w2)));
      y = add(std::move(y), v2);
    }
    return trace("out", linear(layer_norm(y, ln_x), output));                                                     // FC2.8
  }

 private:
  Index N_;
  bool use_v2_, use_one_minus_w_;
  Vector<Scalar> time_maa_x, time_maa_r, time_maa_k, time_maa_v, time_maa_w, time_maa_v2;  // [D]
  Weight time_maa_w1;                                                                     // [D, 5 rank]
  std::vector<Weight> time_maa_w2;                                                        // 5 of [rank, D]
  Vector<Scalar> time_decay;                                                              // [D]
  Weight time_decay_w1, time_decay_w2;                                                    // [D, rank], [rank, D]
  Weight time_value2_w1, time_value2_w2;                                                  // [D, rank], [rank, D]
  Vector<Scalar> time_faaaa;                                                              // [H N]
  Weight receptance, key, value, output;                                                  // [D, D]
  Affine<Scalar> ln_x;                                                                    // [D]
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
