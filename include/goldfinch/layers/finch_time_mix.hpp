// Finch time mix (x060, RWKV-6): the recurrent layer that Finch-C2 grew out of.
//
//   F.1   h = tanh((z + dz * time_maa_x) time_maa_w1)                   dz[t] = z[t-1] - z[t]; groups w, k, v, r, g
//   F.2   x_g = z + dz * (time_maa_g + h_g time_maa_w2[g])              for each group g                            [D]
//   F.3   r = receptance x_r,   k = key x_k,   v = value x_v                                                        [D]
//   F.4   g = silu(gate x_g)                                                                                        [D]
//   F.5   w = time_decay + lora(x_w; time_decay_w1, _w2),   d = exp(-exp(w))                  the decay, in (0, 1)  [D]
//   F.6   y = wkv(r, k, v, d, u)                                        u = time_faaaa, the bonus of the newest     [D]
//   F.7   out = output (GN(y; ln_x) * g)                                group norm: each head's N channels alone    [D]
//
// z = LN(x; ln1). Carried between calls: the last row of z, and wkv's S [H N, N] (key rows, value columns).
// The groups stand in another order than in Finch-C2. GN's eps is 1e-5 * head_size_divisor^2, formed in double (6.4e-4 by default).
#pragma once

#include "goldfinch/core/trace.hpp"
#include "goldfinch/layers/finch_c2_time_mix.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {

template <class Scalar>
class FinchTimeMix {
 public:
  static constexpr const char* kind = "x060";

  using State = typename FinchC2TimeMix<Scalar>::State;  // last_z [D], S [H N, N]
  State initial_state(const Dimensions& n) const {
    return {Vector<Scalar>::Constant(n.D, Scalar(0)), Matrix<Scalar>::Constant(n.D, n.N, Scalar(0))};
  }

  FinchTimeMix(const Dimensions& n, double head_size_divisor) : N_(n.N), eps_(layer_norm_eps * head_size_divisor * head_size_divisor) {}

  /// Names, shapes and roles under "blocks.i.att.".
  template <class Visitor>
  void parameters(const Dimensions& n, Visitor&& visit) {
    visit("time_maa_x",        time_maa_x,    Shape{1, 1, n.D},           Role::mix_rate);
    visit("time_maa_w",        time_maa_w,    Shape{1, 1, n.D},           Role::mix_rate);
    visit("time_maa_k",        time_maa_k,    Shape{1, 1, n.D},           Role::mix_rate);
    visit("time_maa_v",        time_maa_v,    Shape{1, 1, n.D},           Role::mix_rate);
    visit("time_maa_r",        time_maa_r,    Shape{1, 1, n.D},           Role::mix_rate);
    visit("time_maa_g",        time_maa_g,    Shape{1, 1, n.D},           Role::mix_rate);
    visit("time_maa_w1",       time_maa_w1,   Shape{n.D, 5 * n.mix_rank}, Role::lora_in);
    visit("time_maa_w2",       time_maa_w2,   Shape{5, n.mix_rank, n.D},  Role::lora_out);
    visit("time_decay",        time_decay,    Shape{1, 1, n.D},           Role::decay);
    visit("time_decay_w1",     time_decay_w1, Shape{n.D, n.decay_rank},   Role::lora_in);
    visit("time_decay_w2",     time_decay_w2, Shape{n.decay_rank, n.D},   Role::lora_out);
    visit("time_faaaa",        time_faaaa,    Shape{n.H(), n.N},          Role::bonus);
    visit("receptance.weight", receptance,    Shape{n.D, n.D},            Role::matrix);
    visit("key.weight",        key,           Shape{n.D, n.D},            Role::matrix);
    visit("value.weight",      value,         Shape{n.D, n.D},            Role::matrix);
    visit("gate.weight",       gate,          Shape{n.D, n.D},            Role::matrix);
    visit("output.weight",     output,        Shape{n.D, n.D},            Role::matrix);
    visit_norm("ln_x", ln_x, n.D, visit);
  }

  /// z [rows, D] -> [rows, D]; each segment's state moves on past its last row.
  Matrix<Scalar> forward(const Matrix<Scalar>& z, const Segments<State>& segments, const Trace<Scalar>& trace = {}) const {
    require_layer_input(kind, z, segments, time_maa_x.size(), N_);
    const auto before = token_shift(z, segments, &State::last_z);
    const auto h = ddlerp_hidden(z, before, time_maa_x, time_maa_w1);                                             // F.1
    auto [xw, xk, xv, xr, xg] = ddlerp(z, before, h, time_maa_w2, {&time_maa_w, &time_maa_k, &time_maa_v, &time_maa_r, &time_maa_g});  // F.2
    xw = trace("xw", std::move(xw));
    xk = trace("xk", std::move(xk));
    xv = trace("xv", std::move(xv));
    xr = trace("xr", std::move(xr));
    xg = trace("xg", std::move(xg));

    auto [r, k, v, g, hw] = linear_each<Scalar>({{xr, receptance}, {xk, key}, {xv, value}, {xg, gate, silu<Scalar>}, {xw, time_decay_w1, tanh<Scalar>}});
    r = trace("r", std::move(r));                                                                                 // F.3
    k = trace("k", std::move(k));
    v = trace("v", std::move(v));
    g = trace("g", std::move(g));                                                                                 // F.4
    const auto w = trace("w", add_to_rows(time_decay, linear(hw, time_decay_w2)));                                // F.5

    auto y = trace("wkv", wkv6(r, k, v, decay(w), &time_faaaa, N_, segments, &State::S));                        // F.6
    for (const auto& s : segments) trace.state("wkv_state", s.state->S, z.cols() / N_);
    return trace("out", linear(hadamard(group_norm(std::move(y), N_, ln_x, eps_), g), output));                   // F.7
  }

 private:
  Index N_;
  Scalar eps_;
  Vector<Scalar> time_maa_x, time_maa_w, time_maa_k, time_maa_v, time_maa_r, time_maa_g;  // [D]
  Weight time_maa_w1;                                                                    // [D, 5 rank]
  std::vector<Weight> time_maa_w2;                                                       // 5 of [rank, D]
  Vector<Scalar> time_decay;                                                             // [D]
  Weight time_decay_w1, time_decay_w2;                                                   // [D, rank], [rank, D]
  Vector<Scalar> time_faaaa;                                                             // [H N]
  Weight receptance, key, value, gate, output;                                           // [D, D]
  Affine<Scalar> ln_x;                                                                   // [D]
};

}  // namespace goldfinch::inline GOLDFINCH_ISA
