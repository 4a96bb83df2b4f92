// How a layer of the kit is run: filled with the user's tensors, its states taken from NAME_before and given as NAME_after.
#pragma once

#include "goldfinch/layers/finch_time_mix.hpp"
#include "goldfinch/layers/gold_attention.hpp"
#include "goldfinch/layers/stored_keys.hpp"
#include "goldfinch/validate/function_operators.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {
namespace kit {

/// The sizes that a layer is made with, as far as a call knows them.
template <class Scalar>
Dimensions dimensions(const OperatorRun<Scalar>& run) {
  Dimensions n;
  n.D = run.letters.at("D"), n.N = run.letters.get("N", n.D);
  return n;
}

template <class Scalar>
RotarySettings rotary(const OperatorRun<Scalar>& run) {
  const RotarySettings settings{run.number("base", 0), run.number("rescale", 1)};
  if (!(settings.base == 0 || settings.base > 1) || !(settings.rescale > 0)) run.refuse("base is ", settings.base, " and rescale ",
      settings.rescale, ", expected 0 or a number above 1, and one above 0");
  if (settings.base != 0 && run.head_size() % 2 != 0) run.refuse("rotary embedding needs an even head size, not ", run.head_size());
  return settings;
}

/// Whatever of a state is given goes in …
template <class Scalar, class State>
void set_states(const OperatorRun<Scalar>& run, std::vector<State>& states) {
  const auto each = [&](const std::string& name, auto&& use) {
    if (!run.has(name)) return;
    const auto rows = run.matrix(name);
    for (std::size_t b = 0; b < states.size(); ++b) use(states[b], rows, static_cast<Index>(b));
  };
  if constexpr (requires { states[0].last_z; })
    each("last_z_before", [](State& s, const Matrix<Scalar>& rows, Index b) { s.last_z = rows.row(b).transpose(); });
  if constexpr (requires { states[0].S; })
    each("S_before", [](State& s, const Matrix<Scalar>& rows, Index b) { s.S = rows.middleRows(b * s.S.rows(), s.S.rows()); });
  if constexpr (requires { states[0].stored; }) {
    if (run.has("k_before") != run.has("v_before")) run.refuse("holds only one of k_before and v_before");
    if (!run.has("k_before")) return;
    const auto k = run.matrix("k_before"), v = run.matrix("v_before");
    const auto shares = run.shares("stored", k.rows());
    Index at = 0;
    for (std::size_t b = 0; b < states.size(); ++b)
      for (Index t = 0; t < shares[b]; ++t, ++at) states[b].stored.k.append(k.row(at).data()), states[b].stored.v.append(v.row(at).data());
  }
}

/// … and all of it comes out.
template <class Scalar, class State>
void put_states(OperatorRun<Scalar>& run, const std::vector<State>& states) {
  const Index B = static_cast<Index>(states.size()), D = run.letters.at("D");
  if constexpr (requires { states[0].last_z; }) {
    Matrix<Scalar> rows(B, D);
    for (Index b = 0; b < B; ++b) rows.row(b) = states[static_cast<std::size_t>(b)].last_z.transpose();
    run("last_z_after", rows);
  }
  if constexpr (requires { states[0].S; }) {
    const Index N = states[0].S.cols();
    Matrix<Scalar> S(B * D, N);
    for (Index b = 0; b < B; ++b) S.middleRows(b * D, D) = states[static_cast<std::size_t>(b)].S;
    run("S_after", S, {B, D / N, N, N});
  }
  if constexpr (requires { states[0].stored; }) {
    const auto all = [&](const char* name, auto member) {
      Index rows = 0;
      for (const State& s : states) rows += s.stored.size();
      Matrix<Scalar> x(rows, D);
      rows = 0;
      for (const State& s : states) x.middleRows(rows, s.stored.size()) = (s.stored.*member).rows(0, s.stored.size()), rows += s.stored.size();
      run(name, x);
    };
    all("k_after", &StoredKeys<Scalar>::k);
    all("v_after", &StoredKeys<Scalar>::v);
  }
}

/// Fills a layer, carries its states and calls forward(layer, z, segments, trace).
template <class Scalar, class Layer, class Forward>
void run_layer(OperatorRun<Scalar>& run, Layer layer, Forward&& forward) {
  const Dimensions n = dimensions(run);
  layer.parameters(n, [&](const std::string& name, auto& member, const Shape&, Role role) { Fill<Scalar>{run.tensor(name)}(member, role); });
  std::vector<typename Layer::State> states(static_cast<std::size_t>(run.sequences()), layer.initial_state(n));
  set_states(run, states);
  typename OperatorRun<Scalar>::Sink sink(run);
  forward(layer, run.matrix("z"), run.segments(states), Trace<Scalar>(&sink));
  put_states(run, states);
}
inline constexpr auto plain_forward = [](const auto& layer, const auto& z, const auto& segments,
    const auto& trace) { layer.forward(z, segments, trace); };

/// GOLD, whose context comes as ids and compressed keys.
template <class Scalar>
void run_gold(OperatorRun<Scalar>& run) {
  Embedding<Scalar> embedding;
  embedding.parameters(Dimensions{}, [&](const std::string& name, auto& member, const Shape&,
      Role role) { Fill<Scalar>{run.tensor(name)}(member, role); });
  const TokenCat<Scalar> keys = token_cat(run);
  const Index V = run.letters.at("V"), R = run.letters.at("R"), C = run.letters.at("C");
  const auto ids = run.whole_numbers("ids", V - 1), contexts = run.shares("contexts", C), rows = run.shares("lengths", run.letters.at("T"));
  const auto c = run.matrix("c");
  std::vector<KeyCache<Scalar>> caches(contexts.size(), KeyCache<Scalar>(V, R, KeyFormat::native));
  GoldContext<Scalar> context{embedding, keys, {}, 0, {}};
  Index at = 0;
  for (std::size_t b = 0; b < contexts.size(); ++b) {
    if (rows[b] > contexts[b]) run.refuse("sequence ", b, " has ", rows[b], " rows in a context of ", contexts[b]);
    for (Index t = 0; t < contexts[b]; ++t, ++at) caches[b].append(static_cast<std::int32_t>(ids[static_cast<std::size_t>(at)]), c.row(at).data());
    context.caches.push_back(&caches[b]);
  }
  run_layer(run, GoldAttention<Scalar>(dimensions(run), rotary(run)), [&](const auto& layer, const auto& z, const auto& segments, const auto& trace) {
    context.trace = trace;
    layer.forward(z, segments, context, trace);
  });
}

}  // namespace kit
}  // namespace goldfinch::inline GOLDFINCH_ISA
