// The kit in long double.
#include "op.hpp"

#include "goldfinch/validate/operators.hpp"

namespace tool {

goldfinch::Results run_op_f80(const std::string& name, const goldfinch::Checkpoint& in, const goldfinch::Results* lead) {
  return goldfinch::run_operator<long double>(name, in, lead);
}

}  // namespace tool
