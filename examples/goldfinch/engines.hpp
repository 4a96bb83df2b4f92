// The models behind the tool: one engine a scalar, each compiled in a file of its own.
#pragma once

#include "goldfinch/checkpoint/load.hpp"
#include "goldfinch/model/engine.hpp"

namespace tool {

std::unique_ptr<goldfinch::Engine> make_engine_f32(const goldfinch::Checkpoint& checkpoint, const goldfinch::ModelShape& shape, const goldfinch::CacheSettings& cache);
std::unique_ptr<goldfinch::Engine> make_engine_f64(const goldfinch::Checkpoint& checkpoint, const goldfinch::ModelShape& shape, const goldfinch::CacheSettings& cache);
std::unique_ptr<goldfinch::Engine> make_engine_f80(const goldfinch::Checkpoint& checkpoint, const goldfinch::ModelShape& shape, const goldfinch::CacheSettings& cache);

}  // namespace tool
