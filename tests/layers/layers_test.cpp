// Every layer once more, from its equations in matrices of long double, on tiny sizes. The golden cases say that whole models are
// right; these say which line of which layer is not.

#include <catch2/catch.hpp>
#include <cmath>

#include "bits.hpp"
#include "goldfinch/layers/fill.hpp"
#include "goldfinch/model/block.hpp"

namespace gf = goldfinch;
using gf::Index, gf::Role, gf::Shape;

namespace {

using Exact = gf::Matrix<long double>;

constexpr Index T = 6;

gf::Dimensions tiny() {
  gf::Dimensions n;
  n.V = 9, n.D = 12, n.N = 4, n.R = 2, n.F = 10, n.F_swiglu = 7;
  n.mix_rank = 3, n.decay_rank = 2, n.value2_rank = 5, n.query_mix_rank = 4, n.kv_mix_rank = 3, n.key_rank = 2, n.value_rank = 6;
  return n;
}

/// A layer's tensors by name: the last dimension across, all others down.
using Values = std::map<std::string, Exact>;

/// Gives a layer random parameters, and returns them.
template <class Layer>
Values fill(Layer& layer, const gf::Dimensions& n) {
  Values values;
  bits::Random random(3);
  layer.parameters(n, [&](const std::string& name, auto& member, const Shape& shape, Role role) {
    const Index cols = shape.back(), rows = gf::element_count(shape) / cols;
    auto data = random.matrix<double>(rows, cols);
    if (role == Role::norm_weight) data.array() += 1.0;
    values[name] = data.cast<long double>();
    const gf::Tensor tensor{gf::DType::f64, shape, reinterpret_cast<const std::byte*>(data.data())};
    gf::Fill<double>{tensor}(member, role);
  });
  return values;
}

template <class F>
Exact map(const Exact& x, F f) {
  return x.unaryExpr([&](long double number) -> long double { return f(number); });
}
Exact tanh(const Exact& x) { return map(x, [](long double y) { return std::tanh(y); }); }
Exact sigmoid(const Exact& x) { return map(x, [](long double y) { return 1 / (1 + std::exp(-y)); }); }
Exact silu(const Exact& x) { return x.cwiseProduct(sigmoid(x)); }

/// The row before each, zeros before the first.
Exact shift(const Exact& z) {
  Exact before = Exact::Zero(z.rows(), z.cols());
  before.bottomRows(z.rows() - 1) = z.topRows(z.rows() - 1);
  return before;
}

/// z + dz * rate; rate has one row, or one for each of z's.
Exact lerp(const Exact& z, const Exact& rate) {
  return z + (shift(z) - z).cwiseProduct(rate.rows() == 1 ? Exact(rate.replicate(z.rows(), 1)) : rate);
}

Exact plus_row(const Exact& x, const Exact& row) { return x + row.replicate(x.rows(), 1); }

/// The normalised rows of x in groups of N columns, scaled and shifted.
Exact norm(Exact x, const Exact& weight, const Exact& bias, Index N, long double eps = 1e-5L) {
  for (Index t = 0; t < x.rows(); ++t)
    for (Index h = 0; h < x.cols(); h += N) {
      const long double m = x.row(t).segment(h, N).sum() / static_cast<long double>(N);
      x.row(t).segment(h, N).array() -= m;
      x.row(t).segment(h, N) /= std::sqrt(x.row(t).segment(h, N).squaredNorm() / static_cast<long double>(N) + eps);
    }
  return plus_row(x * weight.row(0).asDiagonal(), bias);
}
Exact norm(const Exact& x, const Values& p, const std::string& name) {
  return norm(x, p.at(name + ".weight"), p.at(name + ".bias"), x.cols());
}

Exact rms_norm(Exact x) {
  for (Index t = 0; t < x.rows(); ++t) x.row(t) /= std::sqrt(x.row(t).squaredNorm() / static_cast<long double>(x.cols())) + 1e-8L;
  return x;
}

Exact lora(const Exact& z, const Values& p, const std::string& name) { return tanh(z * p.at(name + "_w1")) * p.at(name + "_w2"); }

/// h_g B_g, with the group's rank read off B.
Exact offset(const Exact& h, const Exact& B, Index group, Index groups) {
  const Index rank = B.rows() / groups;
  return h.middleCols(group * rank, rank) * B.middleRows(group * rank, rank);
}
Exact mixed(const Exact& z, const Values& p, const std::string& rate, Index group, Index groups) {
  const Exact h = tanh(lerp(z, p.at("time_maa_x")) * p.at("time_maa_w1"));
  return lerp(z, plus_row(offset(h, p.at("time_maa_w2"), group, groups), p.at("time_maa_" + rate)));
}

/// wkv without a state: what token s left in token t, decayed by the tokens between them; u is the weight of a token's own.
Exact wkv(const Exact& r, const Exact& k, const Exact& v, const Exact& d, Index N, const Exact* u) {
  Exact y = Exact::Zero(r.rows(), r.cols());
  for (Index t = 0; t < r.rows(); ++t)
    for (Index i = 0; i < r.cols(); ++i) {
      const Index h = i / N * N;
      long double kept = r(t, i);
      if (u) y.row(t).segment(h, N) += kept * u->data()[i] * k(t, i) * v.row(t).segment(h, N);
      for (Index s = t - 1; s >= 0; kept *= d(s, i), --s) y.row(t).segment(h, N) += kept * k(s, i) * v.row(s).segment(h, N);
    }
  return y;
}

Exact rotary(Exact x, Index N, long double base) {
  for (Index t = 0; t < x.rows(); ++t)
    for (Index i = 0; i < x.cols(); i += 2) {
      const long double angle =
          static_cast<long double>(t) * std::pow(base, -static_cast<long double>(i % N) / static_cast<long double>(N));
      const long double even = x(t, i), odd = x(t, i + 1);
      x(t, i) = even * std::cos(angle) - odd * std::sin(angle);
      x(t, i + 1) = even * std::sin(angle) + odd * std::cos(angle);
    }
  return x;
}

Exact attention(const Exact& q, const Exact& k, const Exact& v, Index N) {
  Exact y = Exact::Zero(q.rows(), q.cols());
  for (Index h = 0; h < q.cols(); h += N)
    for (Index t = 0; t < q.rows(); ++t) {
      Exact p = (q.row(t).segment(h, N) * k.middleCols(h, N).topRows(t + 1).transpose() / std::sqrt(static_cast<long double>(N)));
      p = map(p, [](long double x) { return std::exp(x); });
      y.row(t).segment(h, N) = p / p.sum() * v.middleCols(h, N).topRows(t + 1);
    }
  return y;
}

/// Runs a layer on z [T, D] from its initial state.
template <class Layer>
gf::Matrix<double> run(const Layer& layer, const Exact& z) {
  auto state = layer.initial_state(tiny());
  return layer.forward(z.cast<double>(), gf::Segments<typename Layer::State>{{0, z.rows(), &state}}, gf::Trace<double>());
}

Exact input() {
  bits::Random random(5);
  return random.matrix<double>(T, tiny().D).cast<long double>();
}

void check_near(const gf::Matrix<double>& actual, const Exact& expected) {
  REQUIRE(actual.rows() == expected.rows());
  REQUIRE(actual.cols() == expected.cols());
  CHECK((actual.cast<long double>() - expected).cwiseAbs().maxCoeff() < 1e-13L * (1 + expected.cwiseAbs().maxCoeff()));
}

}  // namespace

TEST_CASE("CM: the RWKV channel mix is its five equations") {
  gf::RwkvChannelMix<double> layer;
  const auto p = fill(layer, tiny());
  const auto z = input();
  const Exact k =
      map(lerp(z, p.at("time_maa_k")) * p.at("key.weight").transpose(), [](long double x) { return x > 0 ? x * x : 0; });
  const Exact r = sigmoid(lerp(z, p.at("time_maa_r")) * p.at("receptance.weight").transpose());
  check_near(run(layer, z), r.cwiseProduct(k * p.at("value.weight").transpose()));
}

TEST_CASE("SG: SwiGLU gates w3 z by silu(w1 z)") {
  gf::SwiGlu<double> layer;
  const auto p = fill(layer, tiny());
  const auto z = input();
  const Exact k = silu(z * p.at("w1.weight").transpose()).cwiseProduct(z * p.at("w3.weight").transpose());
  check_near(run(layer, z), k * p.at("w2.weight").transpose());
}

TEST_CASE("FC2: the Finch-C2 time mix is its eight equations, with both ablations") {
  const auto n = tiny();
  for (const bool use_v2 : {true, false})
    for (const bool use_one_minus_w : {true, false}) {
      gf::FinchC2TimeMix<double> layer(n, use_v2, use_one_minus_w);
      const auto p = fill(layer, n);
      const auto z = input();
      const Exact r = mixed(z, p, "r", 0, 5) * p.at("receptance.weight").transpose();
      const Exact v = mixed(z, p, "v", 2, 5) * p.at("value.weight").transpose();
      const Exact w = plus_row(lora(mixed(z, p, "w", 3, 5), p, "time_decay"), p.at("time_decay"));
      const Exact d = map(w, [](long double x) { return std::exp(-std::exp(x)); });
      Exact k = mixed(z, p, "k", 1, 5) * p.at("key.weight").transpose();
      if (use_one_minus_w) k = k.cwiseProduct(map(d, [](long double x) { return 1 - x; }));
      Exact y = wkv(r, k, v, d, n.N, use_v2 ? nullptr : &p.at("time_faaaa"));
      const Exact xv2 = mixed(z, p, "v2", 4, 5);
      if (use_v2) y += xv2 * p.at("value.weight").transpose() + lora(xv2, p, "time_value2");
      check_near(run(layer, z), norm(y, p, "ln_x") * p.at("output.weight").transpose());
    }
}

TEST_CASE("F: the Finch time mix is its seven equations") {
  const auto n = tiny();
  gf::FinchTimeMix<double> layer(n, 8);
  const auto p = fill(layer, n);
  const auto z = input();
  const Exact w = plus_row(lora(mixed(z, p, "w", 0, 5), p, "time_decay"), p.at("time_decay"));
  const Exact k = mixed(z, p, "k", 1, 5) * p.at("key.weight").transpose();
  const Exact v = mixed(z, p, "v", 2, 5) * p.at("value.weight").transpose();
  const Exact r = mixed(z, p, "r", 3, 5) * p.at("receptance.weight").transpose();
  const Exact g = silu(mixed(z, p, "g", 4, 5) * p.at("gate.weight").transpose());
  const Exact y = wkv(r, k, v, map(w, [](long double x) { return std::exp(-std::exp(x)); }), n.N, &p.at("time_faaaa"));
  check_near(run(layer, z),
             norm(y, p.at("ln_x.weight"), p.at("ln_x.bias"), n.N, 64e-5L).cwiseProduct(g) * p.at("output.weight").transpose());
}

TEST_CASE("GA: GPTAlpha attention is its four equations, rotary included") {
  const auto n = tiny();
  for (const double base : {0.0, 100.0}) {
    gf::GptAlphaAttention<double> layer(n, {base, 1});
    const auto p = fill(layer, n);
    const auto z = input();
    Exact q = norm(mixed(z, p, "r", 0, 3) * p.at("query.weight").transpose(), p, "ln_r");
    Exact k = norm(mixed(z, p, "k", 1, 3) * p.at("key.weight").transpose(), p, "ln_k");
    const Exact v = norm(mixed(z, p, "v", 2, 3) * p.at("value.weight").transpose(), p, "ln_v");
    if (base > 0) q = rotary(q, n.N, base), k = rotary(k, n.N, base);
    check_near(run(layer, z), norm(attention(q, k, v, n.N), p, "ln_x") * p.at("output.weight").transpose());
  }
}

TEST_CASE("LA: Llama attention is its three equations, rotary included") {
  const auto n = tiny();
  gf::LlamaAttention<double> layer(n, {100, 1});
  const auto p = fill(layer, n);
  const auto z = input();
  const Exact q = rotary(z * p.at("wq.weight").transpose(), n.N, 100), k = rotary(z * p.at("wk.weight").transpose(), n.N, 100);
  check_near(run(layer, z), attention(q, k, z * p.at("wv.weight").transpose(), n.N) * p.at("wo.weight").transpose());
}

TEST_CASE("EMB, TC and GOLD: a GOLD layer on a compressed cache is its equations, rotary included") {
  const auto n = tiny();
  for (const double base : {0.0, 100.0}) {
    gf::Embedding<double> embedding;
    gf::TokenCat<double> token_cat;
    gf::GoldAttention<double> layer(n, {base, 1});
    const auto pe = fill(embedding, n), pt = fill(token_cat, n), p = fill(layer, n);
    const std::int32_t ids[T] = {3, 8, 0, 3, 1, 5};
    Exact rows(T, n.D);
    for (Index t = 0; t < T; ++t) rows.row(t) = pe.at("emb.weight").row(ids[t]);
    const Exact x0 = norm(rows, pe, "blocks.0.ln0");
    check_near(embedding.rows(ids, T), x0);

    bits::Random random(6);
    const Exact x = random.matrix<double>(T, n.D).cast<long double>();
    const Exact c = x * pt.at("w_kv_cache_a.weight").transpose();
    check_near(token_cat.compress(x.cast<double>()), c);
    Exact both(T, n.D + n.R);
    both << x0, c;
    const Exact K = rms_norm(both * pt.at("w_kv_cache_b.weight").transpose());
    check_near(token_cat.decompress(x0.cast<double>(), c.cast<double>()), K);

    const auto z = input();
    Exact q = norm(lerp(z, plus_row(lora(lerp(z, p.at("time_maa_x")), p, "time_maa_q"), p.at("time_maa_q"))) *
                       p.at("query.weight").transpose(),
                   p, "ln_q");
    const Exact o = rms_norm(x0), h = tanh(lerp(o, p.at("time_maa_v_cache")) * p.at("time_maa_kv_w1"));
    Exact k = lerp(K, plus_row(offset(h, p.at("time_maa_kv_w2"), 0, 2), p.at("time_maa_k")));
    Exact v = lerp(o, plus_row(offset(h, p.at("time_maa_kv_w2"), 1, 2), p.at("time_maa_v")));
    k = norm(k + lora(k, p, "time_key"), p, "ln_k");
    v = norm(v + lora(v, p, "time_value"), p, "ln_v");
    if (base > 0) q = rotary(q, n.N, base), k = rotary(k, n.N, base);

    gf::KeyCache<double> cache(n.V, n.R, gf::KeyFormat::native);
    for (Index t = 0; t < T; ++t) {
      const gf::Matrix<double> row = c.row(t).cast<double>();
      cache.append(ids[t], row.data());
    }
    auto state = layer.initial_state(n);
    const gf::GoldContext<double> context{embedding, token_cat, {&cache}, 0, gf::Trace<double>()};
    check_near(layer.forward(z.cast<double>(), {{0, T, &state}}, context, gf::Trace<double>()),
               norm(attention(q, k, v, n.N), p, "ln_x") * p.at("output.weight").transpose());
  }
}

TEST_CASE("FC2.5 one minus the decay does not cancel where the decay is close to one, and FC2.4 forgets where exp(w) overflows") {
  gf::Matrix<double> w(1, 5);
  w << -30, -6, 0, 5, 800;
  const auto d = gf::decay(w), rest = gf::one_minus_decay(w);
  CHECK(rest(0, 0) == Approx(9.357622968839e-14).epsilon(1e-12));
  CHECK(rest(0, 1) == Approx(0.002475682607247459).epsilon(1e-12));
  CHECK(d(0, 2) == Approx(std::exp(-1.0)).epsilon(1e-15));
  CHECK(d(0, 4) == 0);
  CHECK(rest(0, 4) == 1);
}
