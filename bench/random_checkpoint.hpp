// A checkpoint in memory whose weights are random and every path active: what `goldfinch init` writes for the same seed.
#pragma once

#include <functional>

#include "goldfinch/checkpoint/load.hpp"
#include "goldfinch/layers/random_weights.hpp"

/// `progress` hears which part of the numbers is done, from 0 to 1, and may throw to stop.
inline goldfinch::Checkpoint random_checkpoint(const goldfinch::ModelShape& shape, goldfinch::DType stored, std::uint64_t seed = 1,
                                               const std::function<void(double)>& progress = {}) {
  using goldfinch::Index;
  const auto parameters = goldfinch::parameter_list(shape);
  const auto total = static_cast<double>(goldfinch::parameter_count(shape));
  double done = 0;
  goldfinch::Checkpoint checkpoint;
  checkpoint.path = "random weights";
  for (const auto& parameter : parameters) {
    const Index count = goldfinch::element_count(parameter.shape);
    if (progress) progress(done / total);
    done += static_cast<double>(count);
    const auto buffer = std::make_shared<goldfinch::HugeBuffer>(static_cast<std::size_t>(count * size_of(stored)));
    const goldfinch::RandomStream stream(seed, parameter.name);
    const auto distribution = goldfinch::active_distribution(parameter.name, parameter.shape);
    goldfinch::dispatch(stored, [&]<class Stored>(Stored*) {
      auto* const to = reinterpret_cast<Stored*>(buffer->data());
      goldfinch::parallel_for(count, 1 << 16, [&](Index begin, Index end) { goldfinch::random_numbers(stream, distribution, begin, end - begin, to + begin); });
    });
    checkpoint.tensors[parameter.name] = {stored, parameter.shape, buffer->data()};
    checkpoint.storage.push_back(buffer);
  }
  return checkpoint;
}
