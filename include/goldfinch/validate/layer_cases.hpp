// The reference cases of layers: every kind of time mix and channel mix from the first token on, with everything carried, and with
// several sequences in one call. cases.hpp gathers all.
#pragma once

#include "goldfinch/validate/case.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {
namespace reference {

using Sizes = std::map<std::string, Index>;
using Recipes = std::map<std::string, Recipe>;

inline Recipe number(double x) { return Recipe::list({x}); }
inline Recipe lengths(std::vector<double> values) { return Recipe::list(std::move(values)); }

inline std::vector<Case> layer_cases() {
  Sizes sizes{{"T", 13}, {"D", 24}, {"H", 3}, {"N", 8}, {"B", 1}, {"F", 40}, {"F_swiglu", 36}, {"V", 19}, {"R", 3}, {"C", 13}, {"P", 9},
              {"mix_rank", 4}, {"decay_rank", 5}, {"value2_rank", 3}, {"query_mix_rank", 4}, {"kv_mix_rank", 3}, {"key_rank", 6}, {"value_rank", 5}};
  const auto with = [&](Sizes changes) {
    Sizes all = sizes;
    for (const auto& [letter, size] : changes) all[letter] = size;
    return all;
  };
  const Recipe row = Recipe::normal(0, 1), N = number(8), packed = lengths({4, 0, 1, 9});
  const Sizes four = with({{"B", 4}, {"T", 14}, {"P", 10}});
  std::vector<Case> all;
  for (const char* layer : {"finch_c2_time_mix", "finch_time_mix"}) {
    const std::string name = layer;
    const std::vector<std::string> usual = {"group-order", "decay-argument", "tanh-missing",
        name == "finch_time_mix" ? "norm-over-all-channels" : "one-minus-decay-missing"};
    all.push_back({name + ".first", name, "from the first token on", usual, sizes, {}});
    all.push_back({name + ".carried", name, "with everything carried from a call before",
        {"shift-not-carried", "state-not-carried", "state-transposed"}, with({{"T", 5}}), {{"last_z_before", row}, {"S_before", row}}});
    all.push_back({name + ".packed", name, "four sequences of different lengths", {"sequence-leak", "state-order"}, four,
        {{"last_z_before", row}, {"S_before", row}, {"lengths", packed}}});
  }
  all.push_back({"finch_c2_time_mix.no_v2", "finch_c2_time_mix", "a bonus instead of the second value", {"bonus-missing"}, sizes,
      {{"use_v2", number(0)}}});
  all.push_back({"finch_c2_time_mix.no_one_minus_w", "finch_c2_time_mix", "keys without the factor 1 - d", {"one-minus-decay-missing"}, sizes,
      {{"use_one_minus_w", number(0)}}});
  all.push_back({"finch_c2_time_mix.slow", "finch_c2_time_mix", "decays so slow that 1 - exp(-exp(w)) cancels", {"one-minus-decay-cancels"},
      sizes, {{"time_decay", Recipe::normal(-12, 1)}}});

  const Recipe ids = Recipe::integers(19);
  all.push_back({"gold_attention.first", "gold_attention", "a whole context at once", {"future-keys", "group-order", "key-shift-carried"},
      sizes, {{"head_size", N}, {"ids", ids}}});
  all.push_back({"gold_attention.chunk", "gold_attention", "the last 3 tokens of a context of 67",
      {"mask-top-left", "shift-not-carried", "tile-border"}, with({{"T", 3}, {"C", 67}}), {{"head_size", N}, {"ids", ids}, {"last_z_before", row}}});
  all.push_back({"gold_attention.rotary", "gold_attention", "with rotary embedding", {"rotary-half-layout", "rotary-position"},
      with({{"T", 4}}), {{"head_size", N}, {"ids", ids}, {"last_z_before", row}, {"base", number(10000)}}});
  all.push_back({"gold_attention.small_embedding", "gold_attention", "an original embedding of another size than 1",
      {"embedding-not-normalised"}, sizes, {{"head_size", N}, {"ids", ids}, {"blocks.0.ln0.weight", Recipe::normal(0, 0.125)}}});
  all.push_back({"gold_attention.packed", "gold_attention", "four contexts of different lengths", {"sequence-leak", "mask-top-left"},
      with({{"B", 4}, {"T", 10}, {"C", 30}}),
                 {{"head_size", N}, {"ids", ids}, {"last_z_before", row}, {"lengths", lengths({3, 0, 1, 6})}, {"contexts", lengths({8, 4, 12, 6})}}});
  for (const char* layer : {"gptalpha_attention", "llama_attention"}) {
    const std::string name = layer;
    const bool shifts = name == "gptalpha_attention";
    all.push_back({name + ".first", name, "from the first token on", {"future-keys", shifts ? "group-order" : "scale-missing"}, sizes,
        {{"head_size", N}}});
    Recipes carried = {{"head_size", N}, {"base", number(10000)}, {"k_before", row}, {"v_before", row}};
    if (shifts) carried["last_z_before"] = row;
    all.push_back({name + ".carried", name, "on stored keys, with rotary embedding", {"mask-top-left", "rotary-position", "rotary-half-layout"},
        with({{"T", 4}}), carried});
    carried["lengths"] = packed, carried["stored"] = lengths({2, 7, 0, 1});
    all.push_back({name + ".packed", name, "four sequences of different lengths", {"sequence-leak", "mask-top-left", "rotary-position"}, four,
        carried});
  }
  all.push_back({"rwkv_channel_mix.first", "rwkv_channel_mix", "from the first token on",
      {"square-missing", "relu-missing", "gate-missing", "shift-forward"}, sizes, {}});
  all.push_back({"rwkv_channel_mix.carried", "rwkv_channel_mix", "with a carried row", {"shift-not-carried"}, with({{"T", 3}}),
      {{"last_z_before", row}}});
  all.push_back({"rwkv_channel_mix.packed", "rwkv_channel_mix", "four sequences of different lengths", {"sequence-leak"}, four,
      {{"last_z_before", row}, {"lengths", packed}}});
  all.push_back({"swiglu.basic", "swiglu", "rows that know nothing of each other", {"silu-on-wrong-half", "silu-is-sigmoid"}, sizes, {}});
  return all;
}

}  // namespace reference
}  // namespace goldfinch::inline GOLDFINCH_ISA
