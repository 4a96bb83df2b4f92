// Models with random weights on which every path is active, and states with long contexts, made in memory.
#pragma once

#include "random_checkpoint.hpp"

namespace random_model {

using goldfinch::Index;

inline goldfinch::Model<float> make(const goldfinch::Config& config, const goldfinch::CacheSettings& cache = {}, goldfinch::DType stored = goldfinch::DType::f32) {
  const goldfinch::ModelShape shape{config, config.dimensions()};
  return goldfinch::make_model<float>(random_checkpoint(shape, stored), shape, cache);
}

/// A state that has seen `context` tokens, with random numbers in its caches: what decoding costs does not depend on them.
inline goldfinch::Model<float>::State state_with_context(const goldfinch::Model<float>& model, Index context) {
  auto state = model.initial_state();
  const auto& n = model.dimensions();
  const goldfinch::RandomStream stream(2, "context");
  std::vector<float> row(static_cast<std::size_t>(n.D));
  for (Index t = 0; t < context; ++t) {
    stream.normals(t * n.D, n.D, row.data());
    if (model.config().has_gold()) state.keys.append(static_cast<std::int32_t>(t * 7919 % n.V), row.data());
    for (auto& block : state.blocks)
      std::visit([&](auto& mix) { if constexpr (requires { mix.stored; }) mix.stored.k.append(row.data()), mix.stored.v.append(row.data()); }, block.time_mix);
  }
  state.position = context;
  return state;
}

}  // namespace random_model
