// What a checkpoint goes through after it was opened: its configuration, and every check there is before a model is made of it.
#pragma once

#include "goldfinch/checkpoint/load.hpp"
#include "reader.hpp"

namespace fuzz {

inline void use(const goldfinch::Checkpoint& checkpoint) {
  using namespace goldfinch;
  for (const auto& [name, tensor] : checkpoint.tensors) (void)is_nonfinite(tensor);
  const ModelShape shape = resolve_shape(checkpoint);
  check_tensors(checkpoint, parameter_list(shape), true);
}

}  // namespace fuzz
