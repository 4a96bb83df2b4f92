// The engine that computes in float.
#include "engines.hpp"

namespace tool {

std::unique_ptr<goldfinch::Engine> make_engine_f32(const goldfinch::Checkpoint& checkpoint, const goldfinch::ModelShape& shape, const goldfinch::CacheSettings& cache,
                                                   std::string* fingerprint) {
  return std::make_unique<goldfinch::ModelEngine<float>>(goldfinch::make_model<float>(checkpoint, shape, cache, fingerprint));
}

}  // namespace tool
