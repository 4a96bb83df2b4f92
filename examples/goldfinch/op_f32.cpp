// The kit in float.
#include "op.hpp"

#include "goldfinch/validate/operators.hpp"

namespace tool {

goldfinch::Results run_op_f32(const std::string& name, const goldfinch::Checkpoint& in, const goldfinch::Results* lead) {
  return goldfinch::run_operator<float>(name, in, lead);
}

}  // namespace tool
