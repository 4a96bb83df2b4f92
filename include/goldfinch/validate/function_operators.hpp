// The operators of the kit that work on rows or numbers by themselves: elementary functions, softmax, the loss, the embedding, TokenCat.
#pragma once

#include "goldfinch/layers/token_cat.hpp"
#include "goldfinch/math/loss.hpp"
#include "goldfinch/math/softmax.hpp"
#include "goldfinch/validate/basic_operators.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {
namespace kit {

/// f by itself, of any numbers.
template <class Scalar>
Operator<Scalar> elementwise(const char* name, const char* equation, const char* label, Matrix<Scalar> (*f)(Matrix<Scalar>)) {
  return {{name, "operator", std::string(name) + " of every number", equation,
      {input("x", "[T, D]", "any numbers"), output("y", "[T, D]", "as x", label)}},
          [f](OperatorRun<Scalar>& run) { run("y", as_stored(f(run.matrix("x")))); }};
}

template <class Scalar>
TokenCat<Scalar> token_cat(const OperatorRun<Scalar>& run) {
  TokenCat<Scalar> layer;
  layer.parameters(Dimensions{}, [&](const std::string& name, auto& member, const Shape&, Role role) {
    if (run.has(name)) Fill<Scalar>{run.tensor(name)}(member, role);
  });
  return layer;
}

template <class Scalar>
void run_embedding(OperatorRun<Scalar>& run) {
  Embedding<Scalar> embedding;
  embedding.parameters(Dimensions{}, [&](const std::string& name, auto& member, const Shape&,
      Role role) { Fill<Scalar>{run.tensor(name)}(member, role); });
  const auto ids = run.whole_numbers("ids", run.letters.at("V") - 1);
  run("x0", embedding.rows(ids.data(), static_cast<Index>(ids.size())));
}

template <class Scalar>
void run_cross_entropy(OperatorRun<Scalar>& run) {
  std::vector<int> targets;
  for (const Index id : run.whole_numbers("targets", run.letters.at("V") - 1)) targets.push_back(static_cast<int>(id));
  const auto of_rows = cross_entropy(run.matrix("logits"), targets);
  using Wide = typename decltype(of_rows)::Scalar;
  const Matrix<Wide> losses = run.formed("losses", Matrix<Wide>(of_rows), {run.letters.at("T")});
  run("mean", Matrix<Wide>(Matrix<Wide>::Constant(1, 1, mean_loss(losses.data(), losses.size()))), {});
}

}  // namespace kit

template <class Scalar>
std::vector<Operator<Scalar>> function_operators() {
  using Run = OperatorRun<Scalar>;
  using kit::rows, kit::elementwise;
  std::vector<Operator<Scalar>> all;

  all.push_back({{"softmax", "operator", "softmax of every row", "SOFTMAX.1  p = exp(x - max) / sum exp(x - max)",
      {rows("x", "one distribution a row"), output("y", "[T, D]", "one token a row", "SOFTMAX.1")}},
                 [](Run& run) { run("y", softmax(run.matrix("x"))); }});
  all.push_back({{"token_cat_compress", "operator", "a token's compressed key", "TC.1  c = w_kv_cache_a x",
                  {rows("x", "residual stream, not normalised; one token a row"), weight("w_kv_cache_a.weight", "[R, D]", "[out, in]"),
                      output("c", "[T, R]", "one token a row", "TC.1")}},
                 [](Run& run) { run("c", kit::token_cat(run).compress(run.matrix("x"))); }});
  all.push_back({{"token_cat_decompress", "operator", "the key that a compressed key stands for", "TC.2  K = rms_norm(w_kv_cache_b [x0; c])",
                  {rows("x0", "original embedding; one token a row"), input("c", "[T, R]", "compressed key; one token a row"),
                   weight("w_kv_cache_b.weight", "[D, D + R]", "[out, in]; first the columns of x0"),
                       output("K", "[T, D]", "one token a row", "TC.2")}},
                 [](Run& run) { run("K", kit::token_cat(run).decompress(run.matrix("x0"), run.matrix("c"))); }});
  all.push_back({{"embedding", "operator", "the original embedding", "EMB.1  x0 = LN(emb[id]; ln0)",
                  {required_setting("ids", "[T]", "token ids"), weight("emb.weight", "[V, D]", "one token id a row"),
                      weight("blocks.0.ln0.weight", "[D]", "scale of each channel"),
                   weight("blocks.0.ln0.bias", "[D]", "shift of each channel"), output("x0", "[T, D]", "one token a row", "EMB.1")}},
                 kit::run_embedding<Scalar>});
  all.push_back({{"cross_entropy", "operator", "loss of each token, in nats",
      "LOSS.1  loss = m + log(sum_v exp(l[v] - m)) - l[target]\nLOSS.2  their mean",
                  {input("logits", "[T, V]", "one token a row"), required_setting("targets", "[T]", "ids of the tokens that came"),
                      output("losses", "[T]", "one a token", "LOSS.1"),
                   output("mean", "[]", "a number", "LOSS.2")}},
                 kit::run_cross_entropy<Scalar>});
  using M = Matrix<Scalar>;
  all.push_back(elementwise<Scalar>("exp", "EXP.3  y = e^x", "EXP.3",
      [](M x) { return map(std::move(x), [](const Scalar* a, Scalar* b, Index n) { goldfinch::exp(a, b, n); }); }));
  all.push_back(elementwise<Scalar>("expm1", "EXP.3  y = e^x - 1", "EXP.3",
      [](M x) { return map(std::move(x), [](const Scalar* a, Scalar* b, Index n) { goldfinch::expm1(a, b, n); }); }));
  all.push_back(elementwise<Scalar>("tanh", "EXP.4  y = tanh x", "EXP.4", [](M x) { return tanh(std::move(x)); }));
  all.push_back(elementwise<Scalar>("sigmoid", "EXP.5  y = 1 / (1 + e^-x)", "EXP.5", [](M x) { return sigmoid(std::move(x)); }));
  all.push_back(elementwise<Scalar>("silu", "EXP.5  y = x sigmoid(x)", "EXP.5", [](M x) { return silu(std::move(x)); }));
  all.push_back(elementwise<Scalar>("relu_squared", "CM.3  y = max(x, 0)^2", "CM.3", [](M x) { return relu_squared(std::move(x)); }));
  all.push_back(elementwise<Scalar>("decay", "FC2.4  y = exp(-exp(x))", "FC2.4", [](M x) { return decay(std::move(x)); }));
  all.push_back(elementwise<Scalar>("one_minus_decay", "FC2.5  y = -expm1(-exp(x))    1 - exp(-exp(x)) without cancelling", "FC2.5",
      [](M x) { return one_minus_decay(std::move(x)); }));
  return all;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
