// The models behind the tool: one engine a scalar, each compiled in a file of its own.
#pragma once

#include "goldfinch/checkpoint/load.hpp"
#include "goldfinch/model/engine.hpp"

namespace tool {

/// See goldfinch::make_model.
using MakeEngine = std::unique_ptr<goldfinch::Engine>(const goldfinch::Checkpoint& checkpoint, const goldfinch::ModelShape& shape, const goldfinch::CacheSettings& cache,
                                                      std::string* fingerprint);
MakeEngine make_engine_f32, make_engine_f64, make_engine_f80;

}  // namespace tool
