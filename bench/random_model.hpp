// Models with random weights on which every path is active, made in memory: the scheme of docs/numerics.md, rule 14, in any
// stored type.
#pragma once

#include "goldfinch/core/narrow.hpp"
#include "goldfinch/core/random.hpp"
#include "goldfinch/layers/fill.hpp"
#include "goldfinch/layers/random_weights.hpp"
#include "goldfinch/model/model.hpp"

namespace random_model {

using goldfinch::Index;
using goldfinch::Role;

inline goldfinch::Model<float> make(const goldfinch::Config& config, const goldfinch::CacheSettings& cache = {}, goldfinch::DType stored = goldfinch::DType::f32) {
  goldfinch::Model<float> model(config, config.dimensions(), cache);
  model.parameters([stored](const std::string& name, auto& member, const goldfinch::Shape& shape, Role role) {
    const Index count = goldfinch::element_count(shape);
    const goldfinch::Distribution d = goldfinch::active_distribution(name, shape);
    goldfinch::dispatch(stored, [&]<class Stored>(Stored*) {
      std::vector<Stored> numbers(static_cast<std::size_t>(count));
      goldfinch::parallel_for(count, 1 << 16, [&](Index begin, Index end) {
        std::vector<float> normals(static_cast<std::size_t>(end - begin));
        goldfinch::RandomStream(1, name).normals(begin, end - begin, normals.data());
        for (Index i = begin; i < end; ++i) numbers[static_cast<std::size_t>(i)] = goldfinch::narrow<Stored>(d.mean + d.scale * normals[static_cast<std::size_t>(i - begin)] / d.divisor);
      });
      goldfinch::Fill<float>{{stored, shape, reinterpret_cast<const std::byte*>(numbers.data())}}(member, role);
    });
  });
  return model;
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
