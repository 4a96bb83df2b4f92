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

/// Names of a trace, with a shape and a label.
inline void computed(std::vector<TensorSpec>& specs, std::initializer_list<std::array<const char*, 3>> list) {
  for (const auto& [name, shape, label] : list)
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
  computed(t, {{"xr", "[T, D]", "FC2.2"}, {"xk", "[T, D]", "FC2.2"}, {"xv", "[T, D]", "FC2.2"}, {"xw", "[T, D]", "FC2.2"},
      {"r", "[T, D]", "FC2.3"}, {"v", "[T, D]", "FC2.3"}, {"w", "[T, D]", "FC2.4"},
               {"k", "[T, D]", "FC2.5"}, {"wkv", "[T, D]", "FC2.7"}, {"xv2", "[T, D]", "FC2.2"}, {"v2", "[T, D]", "FC2.6"},
                   {"out", "[T, D]", "FC2.8"}});
  finish(t, {last_after, S_after});
  all.push_back({{"finch_c2_time_mix", "layer", "Finch-C2 time mix (x060c2)", "FC2.1 to FC2.8 of layers/finch_c2_time_mix.hpp", t},
                 [](Run& run) { run_layer(run, FinchC2TimeMix<Scalar>(dimensions(run), run.number("use_v2", 1) != 0,
                     run.number("use_one_minus_w", 1) != 0), plain_forward); }});

  t = {z, lengths, setting("head_size_divisor", "[]", "8 if it is left out"), last_before, S_before};
  describe_parameters(FinchTimeMix<double>(n, 8), t);
  computed(t, {{"xw", "[T, D]", "F.2"}, {"xk", "[T, D]", "F.2"}, {"xv", "[T, D]", "F.2"}, {"xr", "[T, D]", "F.2"}, {"xg", "[T, D]", "F.2"},
      {"r", "[T, D]", "F.3"}, {"k", "[T, D]", "F.3"},
               {"v", "[T, D]", "F.3"}, {"g", "[T, D]", "F.4"}, {"w", "[T, D]", "F.5"}, {"wkv", "[T, D]", "F.6"}, {"out", "[T, D]", "F.7"}});
  finish(t, {last_after, S_after});
  all.push_back({{"finch_time_mix", "layer", "Finch time mix (x060, RWKV-6)", "F.1 to F.7 of layers/finch_time_mix.hpp", t},
                 [](Run& run) { run_layer(run, FinchTimeMix<Scalar>(dimensions(run), run.number("head_size_divisor", 8)), plain_forward); }});

  t = {z, lengths, head_size, base, rescale, last_before, required_setting("ids", "[C]", "token ids of each context, sequence after sequence"),
       input("c", "[C, R]", "compressed keys of each context, one position a row"),
           setting("contexts", "[B]", "positions of each context, this call's rows the last of them; one sequence if it is left out")};
  describe_parameters(Embedding<double>(), t);
  describe_parameters(TokenCat<double>(), t);
  std::erase_if(t, [](const TensorSpec& spec) { return spec.name == "w_kv_cache_a.weight"; });
  describe_parameters(GoldAttention<double>(n, {}), t);
  computed(t, {{"xq", "[T, D]", "GOLD.1"}, {"q", "[T, D]", "GOLD.2"}, {"keys", "[C, D]", "TC.2"}, {"mk", "[C, D]", "GOLD.4"},
      {"mv", "[C, D]", "GOLD.4"}, {"k", "[C, D]", "GOLD.5"}, {"v", "[C, D]", "GOLD.6"},
               {"attn", "[T, D]", "GOLD.7"}, {"out", "[T, D]", "GOLD.8"}});
  finish(t, {last_after});
  all.push_back({{"gold_attention", "layer", "GOLD time mix (gold)", "GOLD.1 to GOLD.8 of layers/gold_attention.hpp", t}, kit::run_gold<Scalar>});

  t = {z, lengths, head_size, base, rescale, last_before, k_before, v_before, stored};
  describe_parameters(GptAlphaAttention<double>(n, {}), t);
  computed(t, {{"xr", "[T, D]", "GA.1"}, {"xk", "[T, D]", "GA.1"}, {"xv", "[T, D]", "GA.1"}, {"q", "[T, D]", "GA.2"}, {"k", "[T, D]", "GA.2"},
      {"v", "[T, D]", "GA.2"}, {"attn", "[T, D]", "GA.3"}, {"out", "[T, D]", "GA.4"}});
  finish(t, {last_after, after("k", "[P + T, D]", "as k_before, this call's behind", "GA.3"),
      after("v", "[P + T, D]", "as v_before, this call's behind", "GA.2")});
  all.push_back({{"gptalpha_attention", "layer", "GPTAlpha time mix (gptalpha)", "GA.1 to GA.4 of layers/gptalpha_attention.hpp", t},
                 [](Run& run) { run_layer(run, GptAlphaAttention<Scalar>(dimensions(run), rotary(run)), plain_forward); }});

  t = {z, lengths, head_size, base, rescale, k_before, v_before, stored};
  describe_parameters(LlamaAttention<double>(n, {}), t);
  computed(t, {{"q", "[T, D]", "LA.1"}, {"k", "[T, D]", "LA.1"}, {"v", "[T, D]", "LA.1"}, {"attn", "[T, D]", "LA.2"}, {"out", "[T, D]", "LA.3"}});
  finish(t, {after("k", "[P + T, D]", "as k_before, this call's behind", "LA.2"),
      after("v", "[P + T, D]", "as v_before, this call's behind", "LA.1")});
  all.push_back({{"llama_attention", "layer", "Llama time mix (llama)", "LA.1 to LA.3 of layers/llama_attention.hpp", t},
                 [](Run& run) { run_layer(run, LlamaAttention<Scalar>(dimensions(run), rotary(run)), plain_forward); }});

  t = {z, lengths, last_before};
  describe_parameters(RwkvChannelMix<double>(), t);
  computed(t, {{"xk", "[T, D]", "CM.1"}, {"xr", "[T, D]", "CM.2"}, {"k", "[T, F]", "CM.3"}, {"r", "[T, D]", "CM.4"}, {"out", "[T, D]", "CM.5"}});
  finish(t, {last_after});
  all.push_back({{"rwkv_channel_mix", "layer", "RWKV channel mix (x060)", "CM.1 to CM.5 of layers/rwkv_channel_mix.hpp", t},
      [](Run& run) { run_layer(run, RwkvChannelMix<Scalar>(), plain_forward); }});

  t = {z};
  describe_parameters(SwiGlu<double>(), t);
  computed(t, {{"k", "[T, F_swiglu]", "SG.1"}, {"out", "[T, D]", "SG.2"}});
  all.push_back({{"swiglu", "layer", "SwiGLU channel mix (llama)", "SG.1, SG.2 of layers/swiglu.hpp", t},
      [](Run& run) { run_layer(run, SwiGlu<Scalar>(), plain_forward); }});
  return all;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
