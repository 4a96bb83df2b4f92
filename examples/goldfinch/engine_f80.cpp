// The engine that computes in long double.
#include "engines.hpp"

namespace tool {

std::unique_ptr<goldfinch::Engine> make_engine_f80(const goldfinch::Checkpoint& checkpoint, const goldfinch::ModelShape& shape, const goldfinch::CacheSettings& cache,
                                                   std::string* fingerprint) {
  return std::make_unique<goldfinch::ModelEngine<long double>>(goldfinch::make_model<long double>(checkpoint, shape, cache, fingerprint));
}

}  // namespace tool
