// The cases of the mutant matrix, as data: families of tiny models, each with texts on which budgets are fitted and texts on which
// they are tried. Weights are random after docs/numerics.md, rule 14, and representable in bfloat16; a family may scale or shift
// some, to bring out what ordinary weights would hide.
#pragma once

#include <cmath>

#include "goldfinch/core/random.hpp"
#include "naive/bridge.hpp"

namespace naive {

/// A text, and how it is cut into calls.
struct Case {
  std::uint64_t seed;
  std::vector<int> calls;  // tokens of each call
};

struct Tweak {
  const char* pattern;  // of tensor names
  double scale, shift;  // w becomes scale * w + shift, rounded to bfloat16
};

struct Family {
  std::string name;
  gf::ModelShape shape;
  std::vector<Tweak> tweaks;
  std::int64_t first_position = 0;
  std::vector<Case> fitting, others;  // mutants run on the first of the others
};

/// Whether a name fits a pattern in which ? is one character and * any number of them.
inline bool matches(const char* pattern, const char* name) {
  if (*pattern == '*') return matches(pattern + 1, name) || (*name && matches(pattern, name + 1));
  if (*pattern == 0 || *name == 0) return *pattern == *name;
  return (*pattern == '?' || *pattern == *name) && matches(pattern + 1, name + 1);
}

inline gf::ModelShape shape_of(const char* tmix, const char* tmix2, const char* cmix, int layers, int D, int N, double rope_base,
                               bool use_v2 = true) {
  gf::Config config;
  config.vocab_size = 19, config.n_layer = layers, config.n_embd = D, config.head_size = N;
  config.tmix = tmix, config.tmix2 = tmix2, config.cmix = cmix, config.cmix2 = cmix;
  config.inv_other_layer_ratio = 2, config.kv_cache_compression_ratio = 4;
  config.use_v2 = use_v2, config.rope_base = rope_base, config.dim_ffn = 5 * D / 4;
  gf::Dimensions n = config.dimensions();
  n.F_swiglu = 5 * D / 4;
  n.mix_rank = 5, n.decay_rank = 4, n.value2_rank = 6, n.query_mix_rank = 4, n.kv_mix_rank = 5, n.key_rank = 6, n.value_rank = 7;
  return {config, n};
}

inline std::vector<Family> families() {
  const std::vector<Case> short_fitting = {{1, {40}}, {2, {7, 1, 1, 18, 13}}, {3, {13, 13, 14}}, {4, {40}}, {5, {39, 1}},
                                           {6, {1, 20, 2, 17}}, {7, {40}}, {8, {8, 8, 8, 8, 8}}};
  const std::vector<Case> short_others = {{11, {9, 1, 1, 16, 13}}, {12, {40}}, {13, {1, 2, 3, 4, 5, 6, 7, 8, 4}}};
  const std::vector<Case> long_fitting = {{1, {4096}}, {2, std::vector<int>(2048, 2)}};
  const std::vector<Case> long_others = {{3, std::vector<int>(2048, 2)}};
  return {
      {"goldfinch", shape_of("x060c2", "gold", "x060", 4, 24, 8, 10000), {}, 0, short_fitting, short_others},
      // Values small enough for the group norm's eps to matter, and decays from 0.9 down.
      {"finch", shape_of("x060", "", "x060", 2, 24, 8, 0),
       {{"*.att.value.weight", 0x1p-6, 0}, {"*.time_decay", 0.7, 1.5}}, 0, short_fitting, short_others},
      {"finchc2_bonus", shape_of("x060c2", "", "x060", 2, 24, 8, 0, false), {}, 0, short_fitting, short_others},
      {"gptalpha", shape_of("gptalpha", "", "x060", 2, 24, 8, 10000), {}, 0, short_fitting, short_others},
      {"llama", shape_of("llama", "", "llama", 2, 24, 8, 10000), {}, 0, short_fitting, short_others},
      // Embeddings of a variance below LayerNorm's eps, and x0 and decompressed keys of the size of rms_norm's.
      {"small", shape_of("x060", "gold", "x060", 2, 8, 4, 0),
       {{"emb.weight", 0x1p-9, 0}, {"blocks.0.ln0.*", 0x1p-17, 0}, {"w_kv_cache_b.weight", 0x1p-17, 0}}, 0, short_fitting, short_others},
      // Decays of about 0.9995, over thousands of tokens.
      {"slow", shape_of("x060c2", "", "x060", 1, 8, 8, 0), {{"*.time_decay", 0.1, -7.4}}, 0, long_fitting, long_others},
      // Decays of about 1 - 1e-5, which in bfloat16 are 1.
      {"slowest", shape_of("x060c2", "", "x060", 1, 8, 8, 0), {{"*.time_decay", 0.2, -11}}, 0, short_fitting, short_others},
      // Decays of exp(-1) to exp(-1000) a token.
      {"steep", shape_of("x060", "", "x060", 1, 16, 8, 0), {{"*.time_decay", 1, 5}}, 0, short_fitting, short_others},
      // Positions that float32 does not tell from their neighbours.
      {"far", shape_of("llama", "", "llama", 1, 8, 8, 10000), {}, 300000000, short_fitting, short_others},
  };
}

/// Number i of a tensor is mean + scale * normal(i).
inline std::pair<double, double> mean_and_scale(gf::Role role, const gf::Shape& shape) {
  const auto root = [](gf::Index n) { return std::sqrt(static_cast<double>(n)); };
  switch (role) {
    case gf::Role::embedding: return {0, 1};
    case gf::Role::matrix: return {0, 1 / root(shape.back())};
    case gf::Role::lora_in: return {0, 1 / root(shape.front())};
    case gf::Role::lora_out: return {0, 0.5 / root(shape[shape.size() - 2])};
    case gf::Role::mix_rate: return {0.5, 0.3};
    case gf::Role::decay: return {-1.5, 2};
    case gf::Role::bonus: return {0, 0.5};
    case gf::Role::norm_weight: return {1, 0.1};
    case gf::Role::norm_bias: return {0, 0.1};
  }
  return {};
}

inline Weights weights_of(const Family& family) {
  Weights weights;
  for (const auto& parameter : gf::parameter_list(family.shape)) {
    const gf::RandomStream stream(1, family.name + parameter.name);
    const auto [mean, scale] = mean_and_scale(parameter.role, parameter.shape);
    Array<double>& value = weights[parameter.name] = array_of(parameter.shape);
    for (std::size_t i = 0; i < value.x.size(); ++i) {
      double x = mean + scale * stream.normal(static_cast<gf::Index>(i));
      for (const Tweak& tweak : family.tweaks)
        if (matches(tweak.pattern, parameter.name.c_str())) x = tweak.scale * x + tweak.shift;
      value.x[i] = to_bfloat16(x);
    }
  }
  return weights;
}

inline Config config_of(const Family& family) {
  Config config = config_of(family.shape.config);
  config.first_position = family.first_position;
  return config;
}

/// Random tokens below V, as many as the calls have.
inline std::vector<int> tokens_of(const Case& c, gf::Index V) {
  const gf::RandomStream stream(c.seed, "tokens");
  std::vector<int> tokens;
  for (const int n : c.calls)
    for (int i = 0; i < n; ++i) {
      const std::uint64_t word = stream.word(static_cast<gf::Index>(tokens.size()));
      tokens.push_back(static_cast<int>(word % static_cast<std::uint64_t>(V)));
    }
  return tokens;
}
inline std::vector<int> tokens_of(const Family& family, const Case& c) { return tokens_of(c, family.shape.n.V); }

}  // namespace naive
