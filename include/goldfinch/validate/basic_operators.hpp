// The operators of the kit that layers are made of: recurrence, token shift, linear maps, norms, attention, on tensors of the user's.
// Rows are tokens, of any number of sequences one after another. What works on single rows or numbers is in function_operators.hpp.
#pragma once

#include "goldfinch/layers/finch_c2_time_mix.hpp"
#include "goldfinch/math/attention.hpp"
#include "goldfinch/math/rotary.hpp"
#include "goldfinch/validate/operator_run.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {
namespace kit {

template <class Scalar, class Member>
Member filled(const OperatorRun<Scalar>& run, const std::string& name, Role role) {
  Member member;
  Fill<Scalar>{run.tensor(name)}(member, role);
  return member;
}

template <class Scalar>
Affine<Scalar> affine(const OperatorRun<Scalar>& run, const std::string& prefix = "") {
  return {run.vector(prefix + "weight"), run.vector(prefix + "bias")};
}

/// What an operator returns, in an emulated format; every other scalar as it is.
template <class Scalar>
Matrix<Scalar> as_stored(Matrix<Scalar> x) {
  if constexpr (requires { x.data()->stored(); })
    for (Index i = 0; i < x.size(); ++i) x.data()[i] = x.data()[i].stored();
  return x;
}

inline TensorSpec rows(const char* name, const char* what) { return input(name, "[T, D]", what); }

template <class Scalar>
struct WkvState {
  Matrix<Scalar> S;  // [H N, N]
};
template <class Scalar>
struct RowState {
  Vector<Scalar> last;  // [D]
};

/// One row a sequence.
template <class Scalar>
std::vector<RowState<Scalar>> row_states(const OperatorRun<Scalar>& run, const std::string& name) {
  std::vector<RowState<Scalar>> states(static_cast<std::size_t>(run.sequences()), {Vector<Scalar>::Constant(run.letters.at("D"), Scalar(0))});
  if (!run.has(name)) return states;
  const auto given = run.matrix(name);
  for (std::size_t b = 0; b < states.size(); ++b) states[b].last = given.row(static_cast<Index>(b)).transpose();
  return states;
}
template <class Scalar>
void put_row_states(OperatorRun<Scalar>& run, const std::string& name, const std::vector<RowState<Scalar>>& states) {
  Matrix<Scalar> rows(static_cast<Index>(states.size()), run.letters.at("D"));
  for (std::size_t b = 0; b < states.size(); ++b) rows.row(static_cast<Index>(b)) = states[b].last.transpose();
  run(name, rows);
}

template <class Scalar>
void run_wkv6(OperatorRun<Scalar>& run) {
  const Index D = run.letters.at("D"), N = run.head_size(), B = run.sequences();
  if (run.has("w") == run.has("d")) run.refuse("holds ", run.has("w") ? "both" : "neither", " of the tensors w and d, expected one of them");
  const auto r = run.matrix("r"), k = run.matrix("k"), v = run.matrix("v");
  const auto d = run.has("d") ? run.matrix("d") : run.formed("decay", decay(run.matrix("w")), {r.rows(), D});
  const Vector<Scalar> u = run.has("u") ? run.vector("u") : Vector<Scalar>();
  std::vector<WkvState<Scalar>> states(static_cast<std::size_t>(B), {Matrix<Scalar>::Constant(D, N, Scalar(0))});
  if (run.has("S_before")) {
    const auto S = run.matrix("S_before");
    for (Index b = 0; b < B; ++b) states[static_cast<std::size_t>(b)].S = S.middleRows(b * D, D);
  }
  run("y", wkv6(r, k, v, d, run.has("u") ? &u : nullptr, N, run.segments(states), &WkvState<Scalar>::S));
  Matrix<Scalar> S(B * D, N);
  for (Index b = 0; b < B; ++b) S.middleRows(b * D, D) = states[static_cast<std::size_t>(b)].S;
  run("S_after", S, {B, D / N, N, N});
}

template <class Scalar>
void run_ddlerp(OperatorRun<Scalar>& run) {
  const auto z = run.matrix("z");
  auto states = row_states(run, "last_z_before");
  const auto before = run("before", token_shift(z, run.segments(states), &RowState<Scalar>::last));
  const auto A = filled<Scalar, Weight>(run, "A", Role::lora_in);
  const auto B = filled<Scalar, std::vector<Weight>>(run, "B_groups", Role::lora_out);
  const auto mu = run.matrix("mu");
  const auto h = run("h", ddlerp_hidden(z, before, run.vector("mu_x"), A));
  const Index T = z.rows(), D = z.cols(), G = mu.rows();
  Matrix<Scalar> x(G * T, D);
  for (Index g = 0; g < G; ++g) x.middleRows(g * T, T) = lerp(z, before, Vector<Scalar>(mu.row(g).transpose()), ddlerp_offset(h, B, g));
  run("x", x, {G, T, D});
  put_row_states(run, "last_z_after", states);
}

/// Keys and values of several sequences, one after another in two matrices.
template <class Scalar>
struct RowsSource {
  const Matrix<Scalar>&k, &v;
  const std::vector<Index>& contexts;
  Index tiles(Index first, std::vector<std::vector<KeyTile<Scalar>>>& out) const {
    Index begin = 0, end = first;
    for (std::size_t b = 0; b < contexts.size(); begin += contexts[b], ++b) {
      for (Index t = first; t < contexts[b]; t += block) out[b].push_back({k.row(begin + t).data(), v.row(begin + t).data(), k.cols()});
      end = std::max(end, contexts[b]);
    }
    return (end + block - 1) / block * block;
  }
};

template <class Scalar>
void run_attention(OperatorRun<Scalar>& run) {
  const auto q = run.matrix("q"), k = run.matrix("k"), v = run.matrix("v");
  const Index N = run.head_size();
  const auto rows = run.shares("lengths", q.rows()), contexts = run.shares("contexts", k.rows());
  std::vector<Queries> sequences;
  for (std::size_t b = 0; b < rows.size(); ++b) {
    if (rows[b] > contexts[b]) run.refuse("sequence ", b, " has ", rows[b], " queries in a context of ", contexts[b]);
    sequences.push_back({b > 0 ? sequences[b - 1].first + rows[b - 1] : 0, rows[b], contexts[b]});
  }
  Matrix<Scalar> y(q.rows(), q.cols());
  causal_attention(q, sequences, N, RowsSource<Scalar>{k, v, contexts}, y);
  run("y", y);
}

template <class Scalar>
void run_rotary(OperatorRun<Scalar>& run) {
  auto x = run.matrix("x");
  const double base = run.number("base", 10000), rescale = run.number("rescale", 1);
  if (!(base > 1) || !(rescale > 0)) run.refuse("base is ", base, " and rescale ", rescale, ", expected numbers above 1 and 0");
  const Index N = run.head_size();
  if (N % 2 != 0) run.refuse("rotary embedding needs an even head size, not ", N);
  const auto positions = run.has("positions") ? run.whole_numbers("positions", Index{1} << 31) : std::vector<Index>();
  const Rotary<Scalar> rotary({base, rescale}, N);
  for (Index t = 0; t < x.rows(); ++t) rotary.turn(x, t, 1, positions.empty() ? t : positions[static_cast<std::size_t>(t)]);
  run("y", as_stored(std::move(x)));
}

template <class Scalar>
void run_group_norm(OperatorRun<Scalar>& run) {
  const double divisor = run.number("head_size_divisor", 8);
  run("y", group_norm(run.matrix("x"), run.head_size(), affine(run), Scalar(layer_norm_eps * divisor * divisor)));
}

}  // namespace kit

template <class Scalar>
std::vector<Operator<Scalar>> basic_operators() {
  using Run = OperatorRun<Scalar>;
  using kit::rows, kit::affine;
  const TensorSpec head_size = setting("head_size", "[]", "channels of a head, where no tensor tells", "N"), lengths = lengths_setting();
  const TensorSpec norm_weight = weight("weight", "[D]", "scale of each channel"), norm_bias = weight("bias", "[D]", "shift of each channel");
  const auto labelled = [&](const char* label) { return output("y", "[T, D]", "one token a row", label); };
  std::vector<Operator<Scalar>> all;

  all.push_back({{"wkv6", "operator", "the recurrence of Finch and Finch-C2",
                  "WKV.1  y[j] = sum_i r[i] (S[i][j] + u[i] k[i] v[j])    read before the update\nWKV.2  S[i][j] := d[i] S[i][j] + k[i] v[j]    d = exp(-exp(w))",
                  {rows("r", "receptance; one token a row, heads of N channels side by side"), rows("k", "key, as r"), rows("v", "value, as r"),
                   optional(rows("w", "logarithm of minus the logarithm of the decay, as r; or d in its place")),
                   wide(optional(rows("d", "the decay itself, 0 to 1, one a key channel; or w in its place"))),
                   optional(weight("u", "[H, N]", "bonus of the newest token; left out, there is none")), lengths,
                   before("S", "[B, H, N, N]", "state of each head, key rows, value columns"), head_size,
                   intermediate("decay", "[T, D]", "d, if w is given", "FC2.4"), labelled("WKV.1"),
                   after("S", "[B, H, N, N]", "as S_before, after the last token", "WKV.2")}},
                 kit::run_wkv6<Scalar>});
  all.push_back({{"token_shift", "operator", "the row before each row", "SHIFT.1  before[t] = z[t-1]; the carried row for a sequence's first",
                  {rows("z", "one token a row"), lengths, before("last_z", "[B, D]", "the last row of the call before, one a sequence"),
                   output("before", "[T, D]", "one token a row", "SHIFT.1"), after("last_z", "[B, D]", "each sequence's last row", "SHIFT.1")}},
                 [](Run& run) {
                   auto states = kit::row_states(run, "last_z_before");
                   run("before", token_shift(run.matrix("z"), run.segments(states), &kit::RowState<Scalar>::last));
                   kit::put_row_states(run, "last_z_after", states);
                 }});
  all.push_back({{"lerp", "operator", "z moved towards the row before it", "LORA.2  y = z + (before - z) (m + offset)",
                  {rows("z", "one token a row"), rows("before", "the row before each, as z"), weight("m", "[D]", "rate of each channel"),
                   optional(rows("offset", "what the data add to the rate, as z")), labelled("LORA.2")}},
                 [](Run& run) {
                   const auto z = run.matrix("z"), before = run.matrix("before");
                   const auto m = run.vector("m");
                   run("y", run.has("offset") ? lerp(z, before, m, run.matrix("offset")) : lerp(z, before, m));
                 }});
  all.push_back({{"ddlerp", "operator", "data-dependent token shift, of any number of groups",
                  "SHIFT.1  before[t] = z[t-1],  dz = before - z\nLORA.2   h = tanh((z + dz mu_x) A),   x[g] = z + dz (mu[g] + h[g] B[g])",
                  {rows("z", "one token a row"), lengths, before("last_z", "[B, D]", "the last row of the call before, one a sequence"),
                   weight("mu_x", "[D]", "rates in front"), weight("mu", "[G, D]", "rates of each group"),
                   weight("B_groups", "[G, rank, D]", "B of each group, multiplied from the right"),
                       weight("A", "[D, G rank]", "multiplied from the right; the groups side by side"),
                   intermediate("before", "[T, D]", "the row before each", "SHIFT.1"),
                       intermediate("h", "[T, G rank]", "the groups side by side", "LORA.2"),
                   output("x", "[G, T, D]", "group after group, one token a row", "LORA.2"),
                       after("last_z", "[B, D]", "each sequence's last row", "SHIFT.1")}},
                 [](Run& run) {
                   if (run.letters.at("G rank") != run.letters.at("G") * run.letters.at("rank")) run.refuse("tensor A has ",
                       run.letters.at("G rank"), " columns, expected G rank = ", run.letters.at("G") * run.letters.at("rank"));
                   kit::run_ddlerp(run);
                 }});
  all.push_back({{"lora", "operator", "low-rank map", "LORA.1  y = tanh(z A) B",
                  {rows("z", "one token a row"), weight("A", "[D, rank]", "multiplied from the right"),
                      weight("B", "[rank, M]", "multiplied from the right"),
                   intermediate("h", "[T, rank]", "tanh(z A)", "LORA.1"), output("y", "[T, M]", "one token a row", "LORA.1")}},
                 [](Run& run) {
                   const auto h = run("h", tanh(linear(run.matrix("z"), kit::filled<Scalar, Weight>(run, "A", Role::lora_in))));
                   run("y", linear(h, kit::filled<Scalar, Weight>(run, "B", Role::lora_out)));
                 }});
  all.push_back({{"linear", "operator", "matrix product with a weight", "LIN.1  y[t][n] = sum_k x[t][k] W[n][k]",
                  {input("x", "[T, K]", "one token a row"), weight("W", "[M, K]", "[out, in]: one output a row"),
                      output("y", "[T, M]", "one token a row", "LIN.1")}},
                 [](Run& run) { run("y", linear(run.matrix("x"), kit::filled<Scalar, Weight>(run, "W", Role::matrix))); }});
  all.push_back({{"layer_norm", "operator", "LayerNorm, eps 1e-5 under the root",
      "NORM.1  y = (x - mean) / sqrt(variance + 1e-5) weight + bias    the variance is biased",
                  {rows("x", "one token a row"), norm_weight, norm_bias, labelled("NORM.1")}},
                 [](Run& run) { run("y", layer_norm(run.matrix("x"), affine(run))); }});
  all.push_back({{"group_norm", "operator", "LayerNorm of each head by itself",
      "NORM.2  as NORM.1 over each head's N channels, eps = 1e-5 head_size_divisor^2",
                  {rows("x", "one token a row, heads of N channels side by side"), norm_weight, norm_bias,
                      required_setting("head_size", "[]", "channels of a head", "N"),
                   setting("head_size_divisor", "[]", "8 if it is left out"), labelled("NORM.2")}},
                 kit::run_group_norm<Scalar>});
  all.push_back({{"rms_norm", "operator", "rms norm without a weight, eps 1e-8 added to the root", "NORM.3  y = x / (sqrt(mean(x^2)) + 1e-8)",
      {rows("x", "one token a row"), labelled("NORM.3")}},
                 [](Run& run) { run("y", rms_norm(run.matrix("x"))); }});
  all.push_back({{"rotary", "operator", "rotary position embedding, interleaved",
      "ROPE.1  f_j = base^(-2j/N) / rescale\nROPE.3  channels 2j, 2j+1 of a head turn by position f_j",
                  {rows("x", "one token a row, heads of N channels side by side"), required_setting("head_size", "[]", "channels of a head", "N"),
                   setting("positions", "[T]", "position of each row; 0, 1, 2, … if left out"), setting("base", "[]", "10000 if it is left out"),
                   setting("rescale", "[]", "positions are divided by it; 1 if it is left out"), labelled("ROPE.3")}},
                 kit::run_rotary<Scalar>});
  all.push_back({{"attention", "operator", "causal softmax attention",
      "ATT.1  score = q k / sqrt(N);  query i of n in a context of C sees keys 0 .. C - n + i\nATT.4  y = softmax(scores) v",
                  {rows("q", "the last tokens of each context; one token a row, heads of N channels side by side"),
                      input("k", "[C, D]", "keys, one position a row"),
                   input("v", "[C, D]", "values, one position a row"), required_setting("head_size", "[]", "channels of a head", "N"), lengths,
                   setting("contexts", "[B]", "rows of k and v of each sequence; one sequence if it is left out"), labelled("ATT.4")}},
                 kit::run_attention<Scalar>});
  return all;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
