// The layers of the kit: every kind of time mix and channel mix by itself, on z (the normalised residual stream) and the layer's own
// tensors, under the checkpoint's names without "blocks.i.att." or "blocks.i.ffn.". Descriptions come from each layer's own list of
// parameters, results from what it writes to its trace.
#pragma once

#include "goldfinch/layers/gptalpha_attention.hpp"
#include "goldfinch/layers/llama_attention.hpp"
#include "goldfinch/layers/rwkv_channel_mix.hpp"
#include "goldfinch/layers/swiglu.hpp"
#include "goldfinch/validate/layer_run.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {
namespace kit {

/// Sizes by which a layer's list of parameters tells its shapes in letters: no two, and no multiples that occur, are equal.
inline Dimensions telling_dimensions() {
  Dimensions n;
  n.N = 1009, n.D = 13 * n.N, n.V = 100003, n.R = 727, n.F = 10007, n.F_swiglu = 20011;
  n.mix_rank = 101, n.decay_rank = 103, n.value2_rank = 107, n.query_mix_rank = 109, n.kv_mix_rank = 137, n.key_rank = 127, n.value_rank = 131;
  return n;
}

/// "[D, 5 mix_rank]" of a shape made of those sizes.
inline std::string in_letters(const Shape& shape) {
  const Dimensions n = telling_dimensions();
  const std::pair<const char*, Index> letters[] = {
      {"D", n.D}, {"N", n.N}, {"H", n.H()}, {"V", n.V}, {"R", n.R}, {"F", n.F}, {"F_swiglu", n.F_swiglu}, {"mix_rank", n.mix_rank},
      {"decay_rank", n.decay_rank}, {"value2_rank", n.value2_rank}, {"query_mix_rank", n.query_mix_rank}, {"kv_mix_rank", n.kv_mix_rank},
      {"key_rank", n.key_rank}, {"value_rank", n.value_rank}, {"D + R", n.D + n.R}};
  std::string text = "[";
  for (const Index size : shape) {
    std::string term = std::to_string(size);
    for (const auto& [letter, value] : letters)
      for (const Index factor : {1, 2, 3, 5})
        if (size == factor * value) term = (factor > 1 ? std::to_string(factor) + " " : "") + letter;
    text += (text.size() > 1 ? ", " : "") + term;
  }
  return text + "]";
}

inline const char* words_for(Role role) {
  switch (role) {
    case Role::embedding: return "one token id a row";
    case Role::matrix: return "[out, in]: one output a row";
    case Role::lora_in: return "low-rank map in, multiplied from the right; groups side by side";
    case Role::lora_out: return "low-rank map out, multiplied from the right; group after group";
    case Role::mix_rate: return "token shift rate of each channel";
    case Role::decay: return "where each channel's decay starts";
    case Role::bonus: return "bonus of the newest token";
    case Role::norm_weight: return "scale of each channel";
    case Role::norm_bias: return "shift of each channel";
  }
  return "";
}

/// Adds a weight for every parameter that a list visits.
template <class Layer>
void describe_parameters(Layer layer, std::vector<TensorSpec>& specs) {
  layer.parameters(telling_dimensions(), [&](const std::string& name, auto&, const Shape& shape, Role role) {
    specs.push_back(weight(name, in_letters(shape), words_for(role)));
  });
}

/// Names of a trace with their labels, all of one shape.
inline void computed(std::vector<TensorSpec>& specs, const char* shape, std::initializer_list<std::pair<const char*, const char*>> names) {
  for (const auto& [name, label] : names)
    specs.push_back(std::string(name) == "out" ? output(name, shape, "one token a row", label) : intermediate(name, shape, "one token a row", label));
}

}  // namespace kit

template <class Scalar>
std::vector<Operator<Scalar>> layer_operators() {
  using Run = OperatorRun<Scalar>;
  using kit::run_layer, kit::plain_forward, kit::computed, kit::dimensions, kit::describe_parameters, kit::rotary;
  const Dimensions n = kit::telling_dimensions();
  const TensorSpec z = input("z", "[T, D]", "normalised residual stream, one token a row"), lengths = lengths_setting();
  const TensorSpec head_size = required_setting("head_size", "[]", "channels of a head", "N");
  const TensorSpec last_before = before("last_z", "[B, D]", "the last row of the call before, one a sequence"),
      last_after = after("last_z", "[B, D]", "each sequence's last row", "SHIFT.1");
  const TensorSpec S_before = before("S", "[B, H, N, N]", "state of each head, key rows, value columns"),
      S_after = after("S", "[B, H, N, N]", "as S_before, after the last token", "WKV.2");
  const TensorSpec base = setting("base", "[]", "base of the rotary embedding; none if it is left out"),
      rescale = setting("rescale", "[]", "positions are divided by it");
  const TensorSpec stored = setting("stored", "[B]", "rows of k_before and v_before of each sequence; one sequence if it is left out");
  const TensorSpec k_before = before("k", "[P, D]", "stored keys after rotary, one position a row, sequence after sequence"),
      v_before = before("v", "[P, D]", "stored values, as k_before");
  const auto finish = [](std::vector<TensorSpec>& specs, std::initializer_list<TensorSpec> states) { specs.insert(specs.end(), states); };
  std::vector<Operator<Scalar>> all;

  std::vector<TensorSpec> t = {z, lengths, setting("use_v2", "[]", "0: bonus instead of a second value; 1 if it is left out"),
      setting("use_one_minus_w", "[]", "0: keys without the factor 1 - d; 1 if it is left out"), last_before, S_before};
  describe_parameters(FinchC2TimeMix<double>(n, true, true), t);
  computed(t, "[T, D]", {{"xr", "FC2.2"}, {"xk", "FC2.2"}, {"xv", "FC2.2"}, {"xw", "FC2.2"}, {"r", "FC2.3"}, {"v", "FC2.3"},
                         {"w", "FC2.4"}, {"k", "FC2.5"}, {"wkv", "FC2.7"}, {"xv2", "FC2.2"}, {"v2", "FC2.6"}, {"out", "FC2.8"}});
  finish(t, {last_after, S_after});
  all.push_back({{"finch_c2_time_mix", "layer", "Finch-C2 time mix (x060c2)",
                  "FC2.2  x_g = z + dz (time_maa_g + h_g time_maa_w2[g]),  h = tanh((z + dz time_maa_x) time_maa_w1)    groups r, k, v, w, v2\n"
                  "FC2.3  r = receptance x_r,  v = value x_v\nFC2.4  w = time_decay + lora(x_w),  d = exp(-exp(w))\n"
                  "FC2.5  k = (key x_k) (1 - d)\nFC2.6  v2 = value x_v2 + lora(x_v2)\nFC2.7  y = wkv(r, k, v, d) + v2\nFC2.8  out = output LN(y; ln_x)", t},
                 [](Run& run) { run_layer(run, FinchC2TimeMix<Scalar>(dimensions(run), run.number("use_v2", 1) != 0,
                     run.number("use_one_minus_w", 1) != 0), plain_forward); }});

  t = {z, lengths, setting("head_size_divisor", "[]", "8 if it is left out"), last_before, S_before};
  describe_parameters(FinchTimeMix<double>(n, 8), t);
  computed(t, "[T, D]", {{"xw", "F.2"}, {"xk", "F.2"}, {"xv", "F.2"}, {"xr", "F.2"}, {"xg", "F.2"}, {"r", "F.3"}, {"k", "F.3"},
                         {"v", "F.3"}, {"g", "F.4"}, {"w", "F.5"}, {"wkv", "F.6"}, {"out", "F.7"}});
  finish(t, {last_after, S_after});
  all.push_back({{"finch_time_mix", "layer", "Finch time mix (x060, RWKV-6)",
                  "F.2  x_g = z + dz (time_maa_g + h_g time_maa_w2[g]),  h = tanh((z + dz time_maa_x) time_maa_w1)    groups w, k, v, r, g\n"
                  "F.3  r = receptance x_r,  k = key x_k,  v = value x_v\nF.4  g = silu(gate x_g)\nF.5  w = time_decay + lora(x_w),  d = exp(-exp(w))\n"
                  "F.6  y = wkv(r, k, v, d, u = time_faaaa)\nF.7  out = output (GN(y; ln_x) g)", t},
                 [](Run& run) { run_layer(run, FinchTimeMix<Scalar>(dimensions(run), run.number("head_size_divisor", 8)), plain_forward); }});

  t = {z, lengths, head_size, base, rescale, last_before, required_setting("ids", "[C]", "token ids of each context, sequence after sequence"),
       input("c", "[C, R]", "compressed keys of each context, one position a row"),
           setting("contexts", "[B]", "positions of each context, this call's rows the last of them; one sequence if it is left out")};
  describe_parameters(Embedding<double>(), t);
  describe_parameters(TokenCat<double>(), t);
  std::erase_if(t, [](const TensorSpec& spec) { return spec.name == "w_kv_cache_a.weight"; });
  describe_parameters(GoldAttention<double>(n, {}), t);
  computed(t, "[T, D]", {{"xq", "GOLD.1"}, {"q", "GOLD.2"}});
  computed(t, "[C, D]", {{"keys", "TC.2"}, {"mk", "GOLD.4"}, {"mv", "GOLD.4"}, {"k", "GOLD.5"}, {"v", "GOLD.6"}});
  computed(t, "[T, D]", {{"attn", "GOLD.7"}, {"out", "GOLD.8"}});
  finish(t, {last_after});
  all.push_back({{"gold_attention", "layer", "GOLD time mix (gold)",
                  "GOLD.1  x_q = z + dz (time_maa_q + lora(z + dz time_maa_x))\nGOLD.2  q = LN(query x_q; ln_q)\n"
                  "GOLD.3  o = rms_norm(x0),  x0 = LN(emb[id]; ln0),  K = rms_norm(w_kv_cache_b [x0; c])    of the whole context\n"
                  "GOLD.4  (m_k, m_v) = tanh((o + do time_maa_v_cache) time_maa_kv_w1) time_maa_kv_w2\n"
                  "GOLD.5  k = K + dK (time_maa_k + m_k),  k = LN(k + lora(k); ln_k)\nGOLD.6  v = o + do (time_maa_v + m_v),  v = LN(v + lora(v); ln_v)\n"
                  "GOLD.7  y = causal attention of rotary(q) over rotary(k), v\nGOLD.8  out = output LN(y; ln_x)", t}, kit::run_gold<Scalar>});

  t = {z, lengths, head_size, base, rescale, last_before, k_before, v_before, stored};
  describe_parameters(GptAlphaAttention<double>(n, {}), t);
  computed(t, "[T, D]", {{"xr", "GA.1"}, {"xk", "GA.1"}, {"xv", "GA.1"}, {"q", "GA.2"}, {"k", "GA.2"}, {"v", "GA.2"}, {"attn", "GA.3"},
                         {"out", "GA.4"}});
  finish(t, {last_after, after("k", "[P + T, D]", "as k_before, this call's behind", "GA.3"),
      after("v", "[P + T, D]", "as v_before, this call's behind", "GA.2")});
  all.push_back({{"gptalpha_attention", "layer", "GPTAlpha time mix (gptalpha)",
                  "GA.1  x_g = z + dz (time_maa_g + h_g time_maa_w2[g]),  h = tanh((z + dz time_maa_x) time_maa_w1)    groups r, k, v\n"
                  "GA.2  q = LN(query x_r; ln_r),  k = LN(key x_k; ln_k),  v = LN(value x_v; ln_v)\n"
                  "GA.3  y = causal attention of rotary(q) over rotary(k), v\nGA.4  out = output LN(y; ln_x)", t},
                 [](Run& run) { run_layer(run, GptAlphaAttention<Scalar>(dimensions(run), rotary(run)), plain_forward); }});

  t = {z, lengths, head_size, base, rescale, k_before, v_before, stored};
  describe_parameters(LlamaAttention<double>(n, {}), t);
  computed(t, "[T, D]", {{"q", "LA.1"}, {"k", "LA.1"}, {"v", "LA.1"}, {"attn", "LA.2"}, {"out", "LA.3"}});
  finish(t, {after("k", "[P + T, D]", "as k_before, this call's behind", "LA.2"),
      after("v", "[P + T, D]", "as v_before, this call's behind", "LA.1")});
  all.push_back({{"llama_attention", "layer", "Llama time mix (llama)",
                  "LA.1  q = wq z,  k = wk z,  v = wv z\nLA.2  y = causal attention of rotary(q) over rotary(k), v\nLA.3  out = wo y", t},
                 [](Run& run) { run_layer(run, LlamaAttention<Scalar>(dimensions(run), rotary(run)), plain_forward); }});

  t = {z, lengths, last_before};
  describe_parameters(RwkvChannelMix<double>(), t);
  computed(t, "[T, D]", {{"xk", "CM.1"}, {"xr", "CM.2"}});
  computed(t, "[T, F]", {{"k", "CM.3"}});
  computed(t, "[T, D]", {{"r", "CM.4"}, {"out", "CM.5"}});
  finish(t, {last_after});
  all.push_back({{"rwkv_channel_mix", "layer", "RWKV channel mix (x060)",
                  "CM.1  x_k = z + dz time_maa_k\nCM.2  x_r = z + dz time_maa_r\nCM.3  k = relu(key x_k)^2\n"
                  "CM.4  r = sigmoid(receptance x_r)\nCM.5  out = r (value k)", t},
      [](Run& run) { run_layer(run, RwkvChannelMix<Scalar>(), plain_forward); }});

  t = {z};
  describe_parameters(SwiGlu<double>(), t);
  computed(t, "[T, F_swiglu]", {{"k", "SG.1"}});
  computed(t, "[T, D]", {{"out", "SG.2"}});
  all.push_back({{"swiglu", "layer", "SwiGLU channel mix (llama)",
                  "SG.1  k = silu(w1 z) (w3 z)\nSG.2  out = w2 k", t},
      [](Run& run) { run_layer(run, SwiGlu<Scalar>(), plain_forward); }});
  return all;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
