// The reference cases: for every operator and layer, small inputs that tell a right implementation from the wrong ones that people
// write. `catches` names the mistakes (mistakes.hpp). Whole models are the golden cases of
// reference_outputs/models.
#pragma once

#include "goldfinch/validate/layer_cases.hpp"

namespace goldfinch::inline GOLDFINCH_ISA {
namespace reference {

inline std::vector<Case> wkv6_cases() {
  const Recipe w = Recipe::normal(-1.5, 2), u = Recipe::normal(0, 0.5), S = Recipe::normal(0, 1);
  const auto sizes = [](Index T, Index H, Index N, Index B = 1) { return Sizes{{"T", T}, {"D", H * N}, {"H", H}, {"N", N}, {"B", B}}; };
  const auto N = [](double n) { return number(n); };
  std::vector<Case> all = {
      {"wkv6.basic", "wkv6", "no bonus, no carried state", {"read-after-update", "decay-argument", "decay-per-value-channel", "head-layout"},
          sizes(21, 2, 8), {{"w", w}, {"head_size", N(8)}}},
      {"wkv6.bonus", "wkv6", "a bonus of the newest token, which does not enter the state",
          {"bonus-missing", "bonus-in-state", "read-after-update"}, sizes(21, 2, 8), {{"w", w}, {"u", u}}},
      {"wkv6.state", "wkv6", "a carried state, which a transposed one is not", {"state-transposed", "state-not-carried"}, sizes(5, 2, 8),
          {{"w", w}, {"S_before", S}}},
      {"wkv6.decode", "wkv6", "one token on a carried state, with a bonus",
          {"state-transposed", "state-not-carried", "bonus-missing", "read-after-update"}, sizes(1, 2, 16), {{"w", w}, {"u", u}, {"S_before", S}}},
      {"wkv6.head64", "wkv6", "heads of 64 channels, as in the released models", {"read-after-update", "state-transposed"}, sizes(19, 1, 64),
          {{"w", w}, {"u", u}, {"S_before", S}}},
      {"wkv6.head5", "wkv6", "heads of an odd number of channels", {"head-layout", "vector-tail"}, sizes(17, 3, 5), {{"w", w}, {"u", u}}},
      {"wkv6.packed", "wkv6", "sequences of different lengths in one call, an empty one and a single token among them",
          {"sequence-leak", "state-order"}, sizes(67, 2, 8, 5),
       {{"w", w}, {"u", u}, {"S_before", S}, {"lengths", lengths({1, 16, 0, 47, 3})}}},
      {"wkv6.batch", "wkv6", "three sequences of equal length", {"sequence-leak", "state-order"}, sizes(48, 1, 8, 3),
          {{"w", w}, {"S_before", S}, {"lengths", lengths({16, 16, 16})}}},
      {"wkv6.extreme_decay", "wkv6", "decays of exactly 0 and 1 among others", {"decay-clamped", "log-of-zero-decay"}, sizes(64, 1, 8),
       {{"d", Recipe::choice({0, 1, 0.5, 0x1p-8, 1 - 0x1p-8})}, {"S_before", S}}},
      {"wkv6.strong_decay", "wkv6", "log decays from -7 to -400 in one chunk: their running sums overflow an exponential with a sign the other way", {"cumulative-overflow", "decay-clamped"},
       sizes(64, 1, 8), {{"w", Recipe::choice({2, 3, 4, 5, 6})}, {"S_before", S}}},
      {"wkv6.mixed_decay", "wkv6", "strong decays beside weak ones in every channel",
          {"cumulative-overflow", "cumulative-difference", "decay-clamped"}, sizes(80, 1, 8),
       {{"w", Recipe::choice({-9, -6, -3, 0, 1, 2.5, 5})}, {"u", u}}},
      {"wkv6.vanishing_decay", "wkv6", "w so large that exp(w) overflows: the decay is 0 and nothing is NaN", {"decay-nan"}, sizes(12, 1, 4),
          {{"w", Recipe::choice({-2, 0, 8, 100, 800, 4096})}, {"S_before", S}}},
      {"wkv6.weak_decay", "wkv6", "log decays of 1e-3 to 1e-9: the state forgets hardly anything", {"decay-clamped", "cumulative-difference"},
          sizes(96, 1, 4), {{"w", Recipe::normal(-14, 3)}, {"S_before", S}}},
      {"wkv6.long", "wkv6", "4096 tokens", {"chunk-border", "state-decays-away"}, sizes(4096, 1, 2),
          {{"d", Recipe::choice({1 - 0x1p-8, 1 - 0x1p-7, 0.875, 1})}, {"S_before", S}}},
      {"wkv6.growing", "wkv6", "2048 tokens that add up: a state of 16 bits stops growing", {"state-low-precision", "narrow-accumulation"},
          sizes(2048, 1, 2), {{"d", Recipe::list({1})}, {"k", Recipe::normal(1, 0.25)}, {"v", Recipe::normal(1, 0.25)}, {"S_before", S}}},
      {"wkv6.slow_decay", "wkv6", "1024 tokens that add up under decays of 0.9998, which 16 bits take for 1", {"decay-low-precision", "state-low-precision"},
          sizes(1024, 1, 2), {{"w", Recipe::normal(-8.6, 0.1)}, {"k", Recipe::normal(1, 0.25)}, {"v", Recipe::normal(1, 0.25)}, {"S_before", S}}},
      {"wkv6.long_head64", "wkv6", "4096 tokens, heads of 64 channels", {"chunk-border"}, sizes(4096, 1, 64),
          {{"w", w}, {"u", u}, {"S_before", S}}, true},
  };
  for (const Index T : {2, 15, 16, 17, 63, 65, 129})
    all.push_back({"wkv6.t" + std::to_string(T), "wkv6", std::to_string(T) + " tokens, beside the borders of chunks of 16 and 64",
        {"chunk-border"}, sizes(T, 1, 4), {{"w", w}, {"u", u}, {"S_before", S}}});
  return all;
}

inline std::vector<Case> shift_cases() {
  const Recipe row = Recipe::normal(0, 1), mu = Recipe::normal(0.5, 0.3);
  const Sizes groups{{"T", 9}, {"D", 12}, {"G", 5}, {"rank", 4}, {"B", 1}};
  const Sizes packed{{"T", 12}, {"D", 12}, {"G", 3}, {"rank", 5}, {"B", 4}};
  return {
      {"token_shift.first", "token_shift", "zeros before the first token", {"shift-forward"}, {{"T", 5}, {"D", 7}, {"B", 1}}, {}},
      {"token_shift.carried", "token_shift", "the carried row before the first", {"shift-not-carried"}, {{"T", 5}, {"D", 7}, {"B", 1}},
          {{"last_z_before", row}}},
      {"token_shift.packed", "token_shift", "four sequences, an empty one and a single row among them", {"sequence-leak", "shift-not-carried"},
          {{"T", 9}, {"D", 7}, {"B", 4}}, {{"last_z_before", row}, {"lengths", lengths({3, 0, 1, 5})}}},
      {"lerp.fixed", "lerp", "a fixed rate", {"lerp-reversed"}, {{"T", 6}, {"D", 10}}, {{"m", mu}}},
      {"lerp.offset", "lerp", "a rate that the data add to", {"lerp-reversed", "offset-dropped"}, {{"T", 6}, {"D", 10}},
          {{"m", mu}, {"offset", Recipe::normal(0, 0.5)}}},
      {"ddlerp.groups5", "ddlerp", "five groups, as in Finch and Finch-C2",
          {"group-order", "tanh-missing", "shift-forward", "lora-transposed"}, groups,
          {{"mu", mu}, {"mu_x", mu}, {"B_groups", Recipe::normal(0, 0.5)}}},
      {"ddlerp.carried", "ddlerp", "a carried row", {"shift-not-carried"}, groups,
          {{"mu", mu}, {"mu_x", mu}, {"B_groups", Recipe::normal(0, 0.5)}, {"last_z_before", row}}},
      {"ddlerp.packed", "ddlerp", "four sequences, three groups of odd rank", {"sequence-leak", "group-order"}, packed,
          {{"mu", mu}, {"mu_x", mu}, {"B_groups", Recipe::normal(0, 0.5)}, {"last_z_before", row}, {"lengths", lengths({5, 1, 0, 6})}}},
      {"lora.basic", "lora", "a low-rank map", {"tanh-missing", "lora-transposed"}, {{"T", 6}, {"D", 24}, {"rank", 5}, {"M", 20}},
          {{"B", Recipe::normal(0, 0.5)}}},
      {"lora.saturated", "lora", "large inputs, where tanh is 1", {"tanh-missing", "tanh-overflow"},
          {{"T", 6}, {"D", 24}, {"rank", 5}, {"M", 20}}, {{"z", Recipe::normal(0, 256)}, {"B", Recipe::normal(0, 0.5)}}},
  };
}

inline std::vector<Case> linear_and_norm_cases() {
  return {
      {"linear.ragged", "linear", "no size a multiple of anything", {"weight-transposed", "vector-tail"}, {{"T", 3}, {"K", 129}, {"M", 37}}, {}},
      {"linear.square", "linear", "as many outputs as inputs, where a transposed weight fits", {"weight-transposed"},
          {{"T", 3}, {"K", 32}, {"M", 32}}, {}},
      {"linear.long", "linear", "sums of 2048 terms", {"narrow-accumulation"}, {{"T", 2}, {"K", 2048}, {"M", 3}}, {}},
      {"linear.one", "linear", "one of everything", {"vector-tail"}, {{"T", 1}, {"K", 1}, {"M", 1}}, {}},
      {"layer_norm.basic", "layer_norm", "ordinary rows", {"variance-unbiased", "bias-before-scale"}, {{"T", 6}, {"D", 20}}, {}},
      {"layer_norm.far_mean", "layer_norm", "rows around 64: mean of squares minus square of the mean cancels", {"variance-by-squares"},
          {{"T", 6}, {"D", 20}}, {{"x", Recipe::normal(64, 1)}}},
      {"layer_norm.small", "layer_norm", "variances below eps", {"eps-value", "eps-added-to-root"}, {{"T", 6}, {"D", 20}},
          {{"x", Recipe::normal(0, 0x1p-9)}}},
      {"layer_norm.constant", "layer_norm", "rows without variance give the bias", {"division-by-zero"}, {{"T", 2}, {"D", 20}}, {{"x", number(3)}}},
      {"group_norm.basic", "group_norm", "heads of different sizes of numbers", {"norm-over-all-channels", "variance-unbiased"},
          {{"T", 6}, {"D", 24}}, {{"head_size", number(8)}, {"x", Recipe::choice({-8, -4, 1, 2, 16})}}},
      {"group_norm.small", "group_norm", "variances about eps = 6.4e-4", {"eps-value", "eps-added-to-root"}, {{"T", 6}, {"D", 24}},
          {{"head_size", number(8)}, {"x", Recipe::normal(0, 0x1p-6)}}},
      {"group_norm.divisor", "group_norm", "another head_size_divisor", {"eps-value"}, {{"T", 6}, {"D", 24}},
          {{"head_size", number(6)}, {"head_size_divisor", number(64)}, {"x", Recipe::normal(0, 0x1p-3)}}},
      {"rms_norm.basic", "rms_norm", "ordinary rows", {"mean-subtracted"}, {{"T", 6}, {"D", 20}}, {{"x", Recipe::normal(0.5, 1)}}},
      {"rms_norm.small", "rms_norm", "rows of 1e-8: eps is added to the root, not under it", {"eps-in-root", "eps-value"},
          {{"T", 6}, {"D", 20}}, {{"x", Recipe::normal(0, 0x1p-26)}}},
      {"rms_norm.zero", "rms_norm", "a row of zeros stays one", {"division-by-zero"}, {{"T", 2}, {"D", 20}}, {{"x", number(0)}}},
  };
}

inline std::vector<Case> attention_cases() {
  const auto sizes = [](Index T, Index C, Index D, Index B = 1) { return Sizes{{"T", T}, {"C", C}, {"D", D}, {"B", B}}; };
  return {
      {"rotary.basic", "rotary", "positions from 0 on", {"rotary-half-layout", "rotary-sign", "head-layout"}, {{"T", 9}, {"D", 16}},
          {{"head_size", number(8)}}},
      {"rotary.far", "rotary", "positions up to 2^30", {"rotary-float32-table"}, {{"T", 6}, {"D", 16}},
          {{"head_size", number(16)}, {"positions", Recipe::list({4096, 65536, 262144, 16777217, 268435456, 1073741823})}}},
      {"rotary.settings", "rotary", "another base, positions divided", {"rotary-base", "rotary-rescale"}, {{"T", 9}, {"D", 12}},
          {{"head_size", number(6)}, {"base", number(500)}, {"rescale", number(4)}}},
      {"attention.square", "attention", "a whole context at once", {"future-keys", "scale-missing", "head-layout"}, sizes(20, 20, 16),
          {{"head_size", number(8)}}},
      {"attention.offset", "attention", "the last 5 of 70 tokens: query i of n sees keys 0 .. C - n + i", {"mask-top-left", "future-keys"},
          sizes(5, 70, 16), {{"head_size", number(8)}}},
      {"attention.decode", "attention", "one query over 129 keys", {"mask-top-left", "tile-border"}, sizes(1, 129, 16), {{"head_size", number(16)}}},
      {"attention.tiles", "attention", "a chunk across a tile of 64 keys", {"mask-top-left", "tile-border"}, sizes(9, 69, 8),
          {{"head_size", number(8)}}},
      {"attention.head5", "attention", "heads of an odd number of channels", {"head-layout", "vector-tail"}, sizes(7, 20, 15),
          {{"head_size", number(5)}}},
      {"attention.head64", "attention", "heads of 64 channels", {"scale-missing"}, sizes(3, 24, 64), {{"head_size", number(64)}}},
      {"attention.peaked", "attention", "scores of hundreds: exponentials overflow unless the maximum is taken off", {"softmax-without-max"},
          sizes(6, 40, 8), {{"head_size", number(8)}, {"q", Recipe::normal(0, 32)}, {"k", Recipe::normal(0, 32)}}},
      {"attention.equal", "attention", "equal keys: the mean of the values seen", {"future-keys", "mask-top-left"}, sizes(4, 12, 8),
          {{"head_size", number(8)}, {"k", number(1)}}},
      {"attention.packed", "attention", "four sequences with contexts of their own", {"sequence-leak", "mask-top-left"}, sizes(12, 90, 16, 4),
          {{"head_size", number(8)}, {"lengths", lengths({1, 6, 0, 5})}, {"contexts", lengths({66, 6, 10, 8})}}},
      {"softmax.basic", "softmax", "ordinary rows", {"softmax-axis"}, {{"T", 5}, {"D", 33}}, {}},
      {"softmax.large", "softmax", "numbers of thousands", {"softmax-without-max"}, {{"T", 5}, {"D", 33}}, {{"x", Recipe::normal(0, 2048)}}},
      {"softmax.equal", "softmax", "all numbers equal", {"softmax-axis"}, {{"T", 3}, {"D", 65}}, {{"x", number(7)}}},
      {"token_cat_compress.basic", "token_cat_compress", "compression 8:1", {"weight-transposed"}, {{"T", 7}, {"D", 40}, {"R", 5}}, {}},
      {"token_cat_decompress.basic", "token_cat_decompress", "a width that is no multiple of 64", {"cat-order", "norm-missing"},
          {{"T", 7}, {"D", 40}, {"R", 5}}, {}},
      {"token_cat_decompress.one", "token_cat_decompress", "compressed keys of one number", {"cat-order"}, {{"T", 3}, {"D", 16}, {"R", 1}}, {}},
      {"token_cat_decompress.small", "token_cat_decompress", "sums of 1e-8, where eps shows", {"eps-in-root"}, {{"T", 4}, {"D", 16}, {"R", 2}},
          {{"x0", Recipe::normal(0, 0x1p-26)}, {"c", Recipe::normal(0, 0x1p-26)}}},
      {"embedding.basic", "embedding", "ids, one of them twice", {"wrong-token", "ln0-missing"}, {{"T", 8}, {"V", 11}, {"D", 12}},
          {{"ids", Recipe::list({0, 10, 3, 3, 7, 1, 9, 2})}}},
      {"cross_entropy.basic", "cross_entropy", "ordinary logits", {"target-off-by-one", "log-base"}, {{"T", 6}, {"V", 50}},
          {{"targets", Recipe::integers(50)}}},
      {"cross_entropy.large", "cross_entropy", "logits of thousands", {"softmax-without-max"}, {{"T", 6}, {"V", 50}},
          {{"logits", Recipe::normal(0, 2048)}, {"targets", Recipe::integers(50)}}},
  };
}

inline std::vector<Case> function_cases() {
  // A relative rms error sees little beside the largest number, so sizes that differ much are cases of their own.
  const auto both_signs = [](std::vector<double> values) {
    for (std::size_t i = values.size(); i-- > 0;) values.push_back(-values[i]);
    return values;
  };
  const auto small = both_signs({0, 0x1p-14, 0x1p-12, 0x1.8p-11, 0x1p-10, 0x1.4p-9, 0x1p-8}),
      ordinary = both_signs({0x1p-5, 0.34375, 0.5, 0.6953125, 1, 1.5, 2, 2.75, 3.140625, 4.5});
  const std::vector<double> far = {8, 12.5, 18, 22, 30, 50, 80, 87.5, 100};
  const auto minus = [](std::vector<double> values) {
    for (double& x : values) x = -x;
    return values;
  };
  const auto one = [](const char* op, const char* part, const char* purpose, std::vector<std::string> catches, const std::vector<double>& values) {
    return Case{std::string(op) + "." + part, op, purpose, std::move(catches), {{"T", 1}, {"D", static_cast<Index>(values.size())}},
        {{"x", Recipe::list(values)}}};
  };
  return {
      one("exp", "ordinary", "numbers about 1", {"underflow"}, ordinary), one("exp", "far", "results towards 0", {"underflow"}, minus(far)),
      one("expm1", "ordinary", "numbers about 1", {"cancellation"}, ordinary), one("expm1", "small", "e^x - 1 near 0", {"cancellation"}, small),
      one("tanh", "ordinary", "numbers about 1", {"tanh-overflow"}, ordinary), one("tanh", "small", "tanh near 0", {"cancellation"}, small),
      one("tanh", "far", "where tanh is 1", {"tanh-overflow"}, both_signs(far)),
      one("sigmoid", "ordinary", "numbers about 1", {"sigmoid-overflow"}, ordinary),
          one("sigmoid", "far", "results towards 0", {"sigmoid-overflow"}, minus(far)),
      one("silu", "ordinary", "numbers about 1", {"silu-is-sigmoid"}, ordinary),
          one("silu", "far", "results towards 0", {"sigmoid-overflow"}, minus(far)),
      one("relu_squared", "ordinary", "both signs", {"square-missing", "relu-missing"}, ordinary),
      one("decay", "ordinary", "decays from 1 to 0", {"decay-argument"}, ordinary),
          one("decay", "far", "w beyond the exponential's range, both ways", {"decay-nan"}, both_signs(far)),
      one("one_minus_decay", "ordinary", "from 0 to 1", {"decay-argument"}, ordinary),
          one("one_minus_decay", "far", "where 1 - exp(-exp(w)) cancels", {"cancellation"}, minus(far)),
          one("one_minus_decay", "slow", "where it cancels in float64 too", {"cancellation", "one-minus-decay-cancels"},
              {-19, -19.5, -20, -20.5, -21, -21.5, -22}),
  };
}

}  // namespace reference

/// All cases, operators first.
inline std::vector<Case> reference_cases() {
  std::vector<Case> all;
  for (auto list : {reference::wkv6_cases(), reference::shift_cases(), reference::linear_and_norm_cases(), reference::attention_cases(),
      reference::function_cases(), reference::layer_cases()})
    all.insert(all.end(), list.begin(), list.end());
  return all;
}

}  // namespace goldfinch::inline GOLDFINCH_ISA
