// The engine that computes in double.
#include "engines.hpp"

namespace tool {

std::unique_ptr<goldfinch::Engine> make_engine_f64(const goldfinch::Checkpoint& checkpoint, const goldfinch::ModelShape& shape, const goldfinch::CacheSettings& cache,
                                                   std::string* fingerprint) {
  return std::make_unique<goldfinch::ModelEngine<double>>(goldfinch::make_model<double>(checkpoint, shape, cache, fingerprint));
}

}  // namespace tool
