// Small models with random weights, made in memory: for tests of what a model does with its callers, which need no checkpoint.
#pragma once

#include "bits.hpp"
#include "goldfinch/layers/fill.hpp"
#include "goldfinch/model/model.hpp"

namespace random_model {

inline goldfinch::Config config(const std::string& tmix = "x060c2", const std::string& tmix2 = "gold") {
  goldfinch::Config c;
  c.vocab_size = 50, c.n_layer = 4, c.n_embd = 16, c.head_size = 8, c.kv_cache_compression_ratio = 4;
  c.tmix = tmix, c.tmix2 = tmix2, c.inv_other_layer_ratio = 2;
  if (tmix == "llama") c.cmix = "llama", c.rope_base = 10000;
  return c;
}

template <class Scalar>
goldfinch::Model<Scalar> make(const goldfinch::Config& config, const goldfinch::CacheSettings& cache = {}, std::uint64_t seed = 7) {
  auto n = config.dimensions();
  n.mix_rank = n.decay_rank = n.value2_rank = n.query_mix_rank = n.kv_mix_rank = n.key_rank = n.value_rank = 4;
  goldfinch::Model<Scalar> model(config, n, cache);
  bits::Random random(seed);
  model.parameters([&](const std::string&, auto& member, const goldfinch::Shape& shape, goldfinch::Role role) {
    const auto numbers = random.matrix<double>(1, goldfinch::element_count(shape), 0.5);
    goldfinch::Fill<Scalar>(shape, {numbers.data(), static_cast<std::size_t>(numbers.size())})(member, role);
  });
  return model;
}

/// Tokens first, first + 1, … of a text that never ends.
inline std::vector<int> tokens(int n, int first = 0) {
  std::vector<int> out;
  for (int t = first; t < first + n; ++t) out.push_back((7 * t * t + 3 * t + 1) % 50);
  return out;
}

}  // namespace random_model
